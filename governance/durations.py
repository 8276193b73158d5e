"""Durations as a policy writes them: a whole number and a unit."""

import re

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhd])")


def seconds(duration: str) -> int:
    """Seconds of `3s`, `15m`, `24h` or `90d`; raises ValueError for anything else."""
    found = _DURATION.fullmatch(duration)
    if not found:
        raise ValueError(f"{duration!r} is not a duration like 3s, 15m, 24h or 90d.")
    return int(found[1]) * _SECONDS[found[2]]
