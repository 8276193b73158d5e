"""Project Standards of a published bundle: what DSS's own checks find in its members, from what they are."""

from portal.dss.sandbox.state import Json, Tx

DEPLOYER = "deployer"
SEVERITIES = range(6)  # 0 nothing, 1 lowest to 5 critical


def report(tx: Tx, key: str, package: Json) -> Json | None:
    """The report made when the bundle was exported; None where the estate was told that there are no standards."""
    told = tx.get(DEPLOYER, "standards", key) or {}
    if told.get("none"):
        return None
    members = tx.content(package["archived"]["content"])
    found = {
        "TESTED": _found(
            any(path.startswith("project_config/scenarios/TEST_") for path in members),
            "The project has test scenarios",
            4,
        ),
        "DOCUMENTED": _found(
            any(path.startswith("project_config/wiki/") for path in members), "The project has a wiki", 1
        ),
        "IN_SQL": {
            "name": "Queries stay in the warehouse",
            "status": "RUN_SUCCESS" if any(path.endswith(".sql") for path in members) else "NOT_APPLICABLE",
            "severity": 0 if any(path.endswith(".sql") for path in members) else None,
            "message": "",
        },
    }
    for check, change in told.get("checks", {}).items():
        found[check] = {"name": check.capitalize(), **found.get(check, {}), **change}
    return {
        "projectKey": key,
        "scope": "default",
        "requester": "countersign",
        "startTime": tx.now_ms,
        "totalDurationMs": 12 * len(found),
        "bundleChecksRunInfo": {
            id: {
                "check": {"id": id, "name": one["name"], "checkElementType": "sandbox", "checkParams": {}},
                "result": {
                    "status": one["status"],
                    "severity": one["severity"],
                    "message": one["message"],
                    "details": {},
                },
                "durationMs": 12,
                "expandedCheckParams": {},
            }
            for id, one in found.items()
        },
    }


def _found(kept: bool, name: str, severity: int) -> Json:
    return {
        "name": name,
        "status": "RUN_SUCCESS",
        "severity": 0 if kept else severity,
        "message": "" if kept else "It has none",
    }
