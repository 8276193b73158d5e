"""DSS's Project Standards of a bundle, and its sign-off in Dataiku Govern: what a collected result comes to. Pure."""

from collections.abc import Mapping
from typing import Any

from governance.facts import CANNOT_TELL, MET, NOT_MET, State

# How DSS numbers what a check found; 0 is nothing.
SEVERITIES = ("none", "lowest", "low", "medium", "high", "critical")
SUCCESS, NOT_APPLICABLE = "RUN_SUCCESS", "NOT_APPLICABLE"
APPROVED = "APPROVED"
# What Govern says of a sign-off that is not approved; anything else is not known here.
NOT_APPROVED = frozenset(
    {"NOT_STARTED", "WAITING_FOR_FEEDBACK", "WAITING_FOR_APPROVAL", "REJECTED", "ABANDONED"}
)
BLUEPRINT = "bp.system.govern_bundle"
MAX_NAMED = 20


def standards(result: Mapping[str, Any], asked: Mapping[str, Any]) -> tuple[State, str, dict[str, Any]]:
    """State, code and parameters: no check found anything graver than allowed, and each that applies was run."""
    allowed = SEVERITIES.index(asked["max_severity"])
    ran = [one for one in result["checks"] if one["status"] != NOT_APPLICABLE]
    params: dict[str, Any] = {"allowed": asked["max_severity"], "checks": len(ran)}
    graver = [one for one in ran if one["status"] == SUCCESS and int(one["severity"] or 0) > allowed]
    broken = [one for one in ran if one["status"] != SUCCESS or one["severity"] is None]
    if graver:
        graver.sort(key=lambda one: (-int(one["severity"]), one["name"]))
        found = [{"name": one["name"], "severity": _severity(one["severity"])} for one in graver[:MAX_NAMED]]
        params |= {"found": found, "graver": len(graver)}
        params |= {"not_run": [one["name"] for one in broken[:MAX_NAMED]]} if broken else {}
        return NOT_MET, "standards_broken", params
    if broken:
        return (
            CANNOT_TELL,
            "standards_not_run",
            params | {"not_run": [one["name"] for one in broken[:MAX_NAMED]]},
        )
    if not ran:
        return CANNOT_TELL, "standards_none", params
    return MET, "standards_kept", params


def govern(result: Mapping[str, Any], asked: Mapping[str, Any]) -> tuple[State, str, dict[str, Any]]:
    """State, code and parameters: every sign-off (of the step asked for) is approved."""
    if result.get("trouble"):
        return CANNOT_TELL, "govern_unknown", {"why": str(result["trouble"])[:300]}
    step = asked.get("step")
    signoffs = [one for one in result["signoffs"] if step is None or one["step"] == step]
    told = [{"step": one["step"], "status": one["status"]} for one in signoffs[:MAX_NAMED]]
    params: dict[str, Any] = {"signoffs": told}
    if any(one["status"] in NOT_APPROVED for one in signoffs):
        return NOT_MET, "govern_not_approved", params
    if not signoffs or any(one["status"] != APPROVED for one in signoffs):
        return CANNOT_TELL, "govern_unclear", params
    return MET, "govern_approved", params


def _severity(number: Any) -> str:
    return SEVERITIES[min(max(int(number), 0), len(SEVERITIES) - 1)]
