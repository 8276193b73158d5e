"""What an idle portal costs in memory."""

import tempfile
import time
from pathlib import Path

from portal.demo.processes import Demo
from portal.demo.story import play
from tests.bench.registry import Measured, benchmark

QUIET_SECONDS = 60.0


@benchmark("idle-memory", unit="MB", goal=400.0)
def idle_memory() -> Measured:
    """Proportional set size of portal, worker and beat, a minute after the story. The broker and the sandbox apart."""
    with tempfile.TemporaryDirectory() as folder, Demo(Path(folder), None) as demo:
        play(demo, lambda _line: None)
        time.sleep(QUIET_SECONDS)
        return Measured(sum(_pss(demo.children[name].pid) for name in ("portal", "worker")) / 1e6)


def _pss(leader: int | None) -> float:
    """Bytes of a process group: children of the demo lead their own sessions."""
    if leader is None:
        raise RuntimeError("A part of the demo is not running.")
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the name in brackets: state, parent, process group
            group = int((folder / "stat").read_text().rpartition(")")[2].split()[2])
            if group != leader:
                continue
            for line in (folder / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += 1024 * int(line.split()[1])
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
    return total
