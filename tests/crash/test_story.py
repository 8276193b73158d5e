"""The whole story with real processes, any of which is killed at random instants: it still ends right."""

import contextlib
import os
import random
import signal
import threading
from pathlib import Path

import pytest

from portal.demo.client import DemoFailed
from portal.demo.processes import Demo
from portal.demo.story import play

pytestmark = [pytest.mark.crash, pytest.mark.long]

SEEDS = (1, 2, 3)
TURNS = 20  # times the story may be taken up again after a kill of the portal cut a person's request short


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_random(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    kills: list[str] = []
    with Demo(tmp_path, None, pace=0.3) as demo:
        over = threading.Event()

        def kill() -> None:
            while not over.wait(chance.uniform(3, 8)):
                name = chance.choice(("worker", "worker", "portal", "sandbox", "broker"))
                pid = demo.sandbox.pid if name == "sandbox" else demo.children[name].pid
                if pid is not None:
                    kills.append(name)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        try:
            for turn in range(TURNS):
                try:
                    report = play(demo, lambda _line: None)
                    break
                except (DemoFailed, OSError):
                    if turn == TURNS - 1:
                        raise
        finally:
            over.set()
            killer.join()
        assert len(kills) >= 3
        assert report.read_bytes().startswith(b"%PDF")
        assert "intact" in demo.manage("verify_ledger")
        uploads = demo.sandbox.control.counters()["uploads"]
        assert set(uploads.values()) == {1}, "no bundle was uploaded twice"
        exports = demo.sandbox.control.counters()["exports"]
        assert set(exports.values()) == {1}
