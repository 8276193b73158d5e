"""What it costs to say who fills which place, and who could help."""

import random
import statistics
import time

from governance.matching import Seating, seat
from tests.bench.registry import Measured, benchmark

PLACES, PEOPLE = 50, 200
CASES = 300


@benchmark("matching", unit="ms", goal=5.0)
def matching() -> Measured:
    """The slowest hundredth of seatings at 50 places and 200 people, signed by none, some or all of them."""
    rng = random.Random(50_200)
    taken, seen = [], set()
    for number in range(CASES):
        drawn = _drawn(rng, rng.choice((0.0, 0.3, 0.6, 0.9, 1.0)), rng.choice((1, 2, 5, 20)))
        began = time.perf_counter()
        found = seat(*drawn)
        taken.append((time.perf_counter() - began) * 1000)
        seen.add(_kind(found))
    if seen != {"complete", "helpers", "swaps or nobody"}:
        raise AssertionError(f"matching: only {seen} was drawn")
    return Measured(statistics.quantiles(taken, n=100)[98])


def _drawn(
    rng: random.Random, given: float, roles_each: int
) -> tuple[dict[str, int], dict[str, set[str]], dict[str, set[str]]]:
    """Fifty places in so many roles that each asks for one to five people; everybody holds a few of the roles."""
    wanted: dict[str, int] = {}
    while sum(wanted.values()) < PLACES:
        wanted[f"role-{len(wanted)}"] = min(rng.randint(1, 5), PLACES - sum(wanted.values()))
    signed: dict[str, set[str]] = {role: set() for role in wanted}
    could: dict[str, set[str]] = {role: set() for role in wanted}
    for number in range(PEOPLE):
        for role in rng.sample(list(wanted), min(roles_each, len(wanted))):
            (signed if rng.random() < given else could)[role].add(f"person-{number}")
    return wanted, signed, could


def _kind(found: Seating) -> str:
    if not any(found.missing.values()):
        return "complete"
    return "helpers" if any(found.helpers.values()) else "swaps or nobody"
