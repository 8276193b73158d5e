"""Misbehaviour on request: which fault matches what, how often, and what the kinds are.

A *wire* fault spoils the answer to a matching request; a *work* fault decides the fate of a future, an activation, a
scenario run or a health reading. Faults live in the state, so they survive a restart. Not in charge of applying them:
`app` applies wire faults, the owner of each effect asks for its own.
"""

import re
from typing import Any

from portal.dss.sandbox.errors import bad_request
from portal.dss.sandbox.state import Json, Tx

WIRE_KINDS = {
    "delay": "wait `ms` before the request is handled",
    "delay_after": "wait `ms` after the effect, before the answer",
    "drop_before": "close the connection before any effect",
    "drop_after": "close the connection after the effect, before any answer",
    "status": "answer `status` with an error body (`error_type`, `message`) before any effect",
    "status_after": "the same, after the effect",
    "not_json": "answer `status` (default 502) with an HTML page, before any effect",
    "truncate": "cut the body to `keep` (a fraction); `honest` says so in Content-Length",
    "corrupt": "flip one bit in the middle of the body, length unchanged",
}
WORK_KINDS = {
    "future_fails": "GET on the future answers an HTTP error (`status`, `message`); no effect unless `effect`",
    "future_never_ends": "the future runs until aborted",
    "future_dead": "alive=false without a result; no effect unless `effect`",
    "future_unknown": "unknown=true without a result; no effect unless `effect`",
    "future_aborted": "somebody else aborts it; no effect",
    "update_health": "the update finishes, health afterwards is `health` (default ERROR)",
    "wrong_bundle": "the update reports success but another bundle (`active_bundle`, default: the old one) is active",
    "activation_error": "activation answers 200 with result.error=true and changes nothing",
    "scenario_outcome": "the run ends with `outcome`",
    "scenario_never_ends": "the run never ends",
    "scenario_cancelled": "the trigger fire is cancelled before it becomes a run",
    "health": "the heavy status says `health`, whatever is true",
}
_MATCHERS = ("node", "method", "path", "project", "deployment", "scenario", "bundle", "job_type")
_NOT_FATES = ("activation_error", "health", "scenario_outcome", "scenario_never_ends", "scenario_cancelled")


def install(tx: Tx, wanted: Json) -> Json:
    """Store a fault and return it with its id.

    Shape: {kind, node?, method?, path? (regular expression on the path after the base), project?, deployment?,
    scenario?, bundle?, job_type?, times (default 1; null: until cleared), ...parameters of the kind}.
    """
    kind = wanted.get("kind")
    if kind not in WIRE_KINDS and kind not in WORK_KINDS:
        raise bad_request(f"No fault is called {kind}; the kinds are {', '.join([*WIRE_KINDS, *WORK_KINDS])}")
    try:
        re.compile(str(wanted.get("path") or ""))
    except re.error:
        raise bad_request("The path of a fault must be a regular expression") from None
    times = wanted.get("times", 1)
    if times is not None and (not isinstance(times, int) or times < 1):
        raise bad_request("times must be a positive number, or null for until cleared")
    fault = {**wanted, "id": f"fault-{tx.next_number('fault')}", "times": times, "hits": 0}
    tx.put("", "fault", fault["id"], fault)
    return fault


def standing(tx: Tx) -> list[Json]:
    """The installed faults, those used up included (their `times` is 0)."""
    return tx.docs("", "fault")


def clear(tx: Tx, id: str = "") -> None:
    """Remove one fault, or all of them."""
    if id:
        tx.delete("", "fault", id)
    else:
        tx.wipe("", "fault")


def _matches(fault: Json, facts: dict[str, str]) -> bool:
    for name in _MATCHERS:
        wanted = fault.get(name)
        if wanted is None or wanted == "":
            continue
        if name == "path":
            # Work has no path; a fault that names one is about requests, and its work is matched by id instead.
            if "path" in facts and re.search(str(wanted), facts["path"]) is None:
                return False
        elif name == "method":
            if "method" in facts and str(wanted).upper() != facts["method"]:
                return False
        elif facts.get(name) != wanted:
            return False
    return True


def _use(tx: Tx, fault: Json) -> Json:
    if fault["times"] is not None:
        fault["times"] -= 1
    fault["hits"] += 1
    tx.put("", "fault", fault["id"], fault)
    return fault


def take(tx: Tx, kinds: tuple[str, ...], **facts: str) -> Json | None:
    """The first standing fault of one of the kinds that matches, used once, or None."""
    for fault in standing(tx):
        if fault["kind"] in kinds and fault["times"] != 0 and _matches(fault, facts):
            return _use(tx, fault)
    return None


def take_wire(tx: Tx, facts: dict[str, str]) -> list[Json]:
    """Every wire fault that this request meets, each used once."""
    return [
        _use(tx, fault)
        for fault in standing(tx)
        if fault["kind"] in WIRE_KINDS and fault["times"] != 0 and _matches(fault, facts)
    ]


def fate(tx: Tx, job_type: str, **facts: str) -> Json | None:
    """The fault that decides how a future of this type ends, or None for an ordinary end."""
    kinds = tuple(kind for kind in WORK_KINDS if kind not in _NOT_FATES)
    if job_type != "update":
        kinds = tuple(kind for kind in kinds if kind.startswith("future_"))
    return take(tx, kinds, job_type=job_type, **facts)


def text(fault: Json, name: str, default: str) -> str:
    """A string parameter of a fault."""
    value: Any = fault.get(name)
    return value if isinstance(value, str) and value else default


def number(fault: Json, name: str, default: float) -> float:
    """A numeric parameter of a fault."""
    value: Any = fault.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default
