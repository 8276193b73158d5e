"""How long to wait before asking DSS again.

dataikuapi's own waits grow to 15 s and look once more after the end, which adds up to a fifth to a promotion.
Here the delay follows the elapsed time, so that the wait is at most a twentieth of the work. Not in charge of
who waits: workers store the next instant and never sleep.
"""

import time
from collections.abc import Callable
from typing import TypeVar

FIRST = 0.05
SHARE = 1 / 20
LONGEST = 2.0

T = TypeVar("T")


def next_delay(elapsed: float) -> float:
    """Return the seconds until the next look, given the seconds since the work began.

    50 ms at first, then a twentieth of the elapsed time, at most 2 s. A negative elapsed time (a clock that was
    set back) counts as none.
    """
    return min(LONGEST, max(FIRST, elapsed * SHARE))


def poll_until(
    look: Callable[[], T | None],
    *,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Call `look` until it returns something other than None and return that; for commands and tests only.

    Raises TimeoutError after `timeout` seconds; the last look happens at the deadline itself.
    """
    begun = clock()
    while True:
        found = look()
        if found is not None:
            return found
        elapsed = clock() - begun
        if elapsed >= timeout:
            raise TimeoutError(f"not over after {timeout:g} s")
        sleep(min(next_delay(elapsed), timeout - elapsed))
