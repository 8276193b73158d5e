"""Starting, killing and restarting a sandbox from a program: the demo and every test go through here."""

import json
import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from portal.dss.sandbox.control import Control

_ROOT = Path(__file__).resolve().parents[3]
_READY_SECONDS = 20.0
_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class RunningNode:
    """A node of a running sandbox: `url` is what a DSS client takes as host, `key` the technical account's key."""

    name: str
    kind: str
    url: str
    key: str
    key_name: str


class Sandbox:
    """A sandbox process on a data directory.

    `nodes` (by name: design, deployer, qa, prod), `keys` (by (node, login)) and `control` are there after `start()`.
    The process ends with this one, however it ends: it holds the other end of a pipe.
    """

    def __init__(
        self, data_dir: Path | str, pace: float = 1.0, port: int | None = None, design_deployer: bool = False
    ) -> None:
        self.data_dir = Path(data_dir)
        self.pace = pace
        self.port = port
        self.design_deployer = design_deployer
        self.nodes: dict[str, RunningNode] = {}
        self.keys: dict[tuple[str, str], str] = {}
        self._control: Control | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @property
    def control(self) -> Control:
        """The control client of the running sandbox."""
        if self._control is None:
            raise RuntimeError("The sandbox was not started.")
        return self._control

    @property
    def pid(self) -> int | None:
        """Process id, or None when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> Self:
        """Start and wait until it answers. Raises RuntimeError with its log when it does not come up."""
        if self.pid is not None:
            return self
        self.data_dir.mkdir(parents=True, exist_ok=True)
        arguments = [
            sys.executable,
            "-m",
            "portal.dss.sandbox",
            "--data-dir",
            str(self.data_dir),
            "--json",
            "--pace",
            str(self.pace),
            "--until-stdin-closes",
        ]
        if self.port:
            arguments += ["--port", str(self.port)]
        if self.design_deployer:
            arguments.append("--design-deployer")
        self._log = (self.data_dir / "sandbox.log").open("ab")
        self._process = subprocess.Popen(
            arguments,
            cwd=_ROOT,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            # Its own session, so that Ctrl-C in a terminal reaches the program that started it first.
            start_new_session=True,
        )
        announced = json.loads(self._first_line())
        self.nodes = {node["name"]: RunningNode(**node) for node in announced["nodes"]}
        self.keys = {(key["node"], key["login"]): key["key"] for key in announced["keys"]}
        self.keys |= {(node.name, "countersign"): node.key for node in self.nodes.values()}
        self._control = Control(announced["control"]["url"], announced["control"]["token"])
        return self

    def _first_line(self) -> bytes:
        process = self._process
        if process is None or process.stdout is None:
            raise RuntimeError("The sandbox was not started.")
        deadline = time.monotonic() + _READY_SECONDS
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    break
                piece = os.read(process.stdout.fileno(), 65536)
                if not piece:
                    break
                line += piece
        if not line.endswith(b"\n"):
            self.kill()
            log = (self.data_dir / "sandbox.log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"The sandbox did not start. Its log ends: {log}")
        return line

    def stop(self) -> None:
        """Stop in good order."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._forget()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        self._forget()

    def _forget(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if self._log is not None:
            self._log.close()
            self._log = None

    def restart(self) -> Self:
        """Kill and start again: same port, same keys, everything goes on where it was."""
        self.kill()
        return self.start()

    def key(self, node: str, login: str) -> str:
        """The key of an account on a node. Raises KeyError when it has none."""
        return self.keys[node, login]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
