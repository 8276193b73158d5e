"""External checks: another system says whether a bundle passed. Its signature is checked, and its word judged. Pure.

A message is signed with a key that only the portal's settings hold (`HMAC-SHA256`), over its time and its bytes. Not in
charge of keeping what was said (`governance.actions.external_checks`).
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from governance.facts import MET, NOT_MET, State

PASSED, FAILED = "passed", "failed"
STATES = (PASSED, FAILED)
LIMIT = 64 * 1024  # bytes of a message
TOLERANCE = timedelta(
    minutes=5
)  # how far the sender's clock may be from ours, and how long a message is good
SHORTEST_KEY = 32  # characters
_TIME = re.compile(r"[0-9]{1,12}")
_SIGNATURE = re.compile(r"v1=([0-9a-f]{64})")


def signature(key: str, timestamp: str, body: bytes) -> str:
    """What stands in the header `Countersign-Signature`: of the time in seconds, a dot, and the bytes of the body."""
    signed = hmac.new(key.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={signed.hexdigest()}"


def is_signed(key: str, timestamp: str, body: bytes, given: str) -> bool:
    """Whether the signature is of this key; takes as long for any that is not."""
    return hmac.compare_digest(signature(key, timestamp, body).encode(), given.encode("utf-8", "replace"))


def well_formed(timestamp: str, given: str) -> bool:
    """Whether the two headers can be a time and a signature at all."""
    return _TIME.fullmatch(timestamp) is not None and _SIGNATURE.fullmatch(given) is not None


def is_timely(timestamp: str, now: datetime) -> bool:
    """Whether the message was signed about now."""
    return abs(int(timestamp) - now.timestamp()) <= TOLERANCE.total_seconds()


def assess(result: Mapping[str, Any], _asked: Mapping[str, Any]) -> tuple[State, str, dict[str, Any]]:
    """State, code and parameters of what was said."""
    params = {"said": str(result["summary"])[:200], "link": str(result["link"])}
    if result["state"] == PASSED:
        return MET, "external_passed", params
    if result["state"] == FAILED:
        return NOT_MET, "external_failed", params
    raise ValueError(f"{result['state']!r} is no state of a check.")
