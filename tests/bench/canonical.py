"""What canonical bytes cost, which everything hashed or signed goes through."""

import hashlib
import json
import time
from collections.abc import Callable

from portal.canonical import digest
from tests.bench.registry import Measured, benchmark

# About the size of a Case with a dozen facts.
CASE = {
    "project": "CHURN",
    "parts": {
        part: hashlib.sha256(part.encode()).hexdigest() for part in ("data", "flow", "models", "settings")
    },
    "facts": [
        {
            "id": number,
            "kind": "fairness",
            "rate": number / 7,
            "at": "2026-11-21T10:00:00.000000Z",
            "note": "größer als",
        }
        for number in range(12)
    ],
}


def best(work: Callable[[], object], turns: int = 7, each: int = 400) -> float:
    """Seconds of the quickest of several turns of `each` calls: noise only ever adds."""
    times = []
    for _ in range(turns):
        began = time.perf_counter()
        for _ in range(each):
            work()
        times.append(time.perf_counter() - began)
    return min(times) / each


@benchmark("canonical-digest", unit="ms", goal=12.0)
def canonical_digest() -> Measured:
    """The digest of a case over its canonical form, against sorted json.dumps, which is no canonical form."""

    def plain() -> str:
        return hashlib.sha256(json.dumps(CASE, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    return Measured(1000 * best(lambda: digest(CASE)), 1000 * best(plain))
