"""What it costs to say who fills which place, and who could help."""

import random
import statistics
import time

from governance.matching import Seating, seat
from tests.bench.registry import Measured, benchmark

PLACES, PEOPLE = 50, 200
CASES = 1_000


@benchmark("matching", unit="ms", goal=5.0)
def matching() -> Measured:
    """The slowest hundredth of seatings at 50 places and 200 people, signed by none, some or all of them."""
    rng = random.Random(50_200)
    taken, seen = [], set()
    for _number in range(CASES):
        drawn = _drawn(rng)
        began = time.perf_counter()
        found = seat(*drawn)
        taken.append((time.perf_counter() - began) * 1000)
        seen.add(_kind(found))
    if seen != {"complete", "helpers", "nobody alone"}:
        raise AssertionError(f"matching: only {seen} was drawn")
    return Measured(statistics.quantiles(taken, n=100)[98])


def _drawn(rng: random.Random) -> tuple[dict[str, int], dict[str, set[str]], dict[str, set[str]]]:
    """Fifty places in so many roles that each asks for one to five people; everybody holds a few of the roles, now
    and then nearly everybody the same."""
    given, each, at_most = (
        rng.choice((0.0, 0.1, 0.3, 0.6, 1.0)),
        rng.choice((1, 2, 5, 20)),
        rng.choice((1, 5)),
    )
    wanted: dict[str, int] = {}
    while sum(wanted.values()) < PLACES:
        wanted[f"role-{len(wanted)}"] = min(rng.randint(1, at_most), PLACES - sum(wanted.values()))
    signed: dict[str, set[str]] = {role: set() for role in wanted}
    could: dict[str, set[str]] = {role: set() for role in wanted}
    alike = rng.random() < 0.5
    for number in range(PEOPLE):
        roles = list(wanted)[: len(wanted) // 3] if alike and rng.random() < 0.9 else list(wanted)
        for role in rng.sample(roles, min(each, len(roles))):
            (signed if rng.random() < given else could)[role].add(f"person-{number}")
    return wanted, signed, could


def _kind(found: Seating) -> str:
    if not any(found.missing.values()):
        return "complete"
    return "helpers" if any(found.helpers.values()) else "nobody alone"
