"""The exact words of a granted waiver: an in-toto Statement v1, sealed like a sign-off's (`governance.statement`).

People stand in it as uuids and free texts as commitments, so that it may stay when personal values are erased.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.facts import Clause, PolicyRef, instant
from governance.statement import STATEMENT_TYPE, Opened, zone_of

WAIVER_TYPE = "urn:countersign:waiver:v1"


@dataclass(frozen=True, slots=True)
class Waived:
    """What one person lets pass that another asked for. `finding` is `governance.waivers.mark` of it.

    Times are aware; `zone` the IANA name of the zone of who waives; `reason` and `comment` are hex commitments.
    """

    project: str
    stage: str
    bundle: str
    archive: str
    parts: Mapping[str, str]
    clause: Clause
    policy: PolicyRef
    finding: Mapping[str, Any]
    asked_by: str
    asked_at: datetime
    reason: str
    until: datetime
    meaning: str
    person: str
    at: datetime
    zone: str
    asked_for: str | None = None
    comment: str | None = None
    opened: tuple[Opened, ...] = ()


def waiver_statement(said: Waived) -> dict[str, Any]:
    """The Statement. Bound: every part, clause, finding, until when, the reason. Recorded: bundle, archive, policy.

    Raises ValueError for a naive time or an unknown zone.
    """
    subject = [
        {"name": f"{said.project}/{part}", "digest": {"sha256": value}}
        for part, value in sorted(said.parts.items())
    ]
    return {
        "_type": STATEMENT_TYPE,
        "subject": subject or [{"name": f"{said.project}/{said.bundle}", "digest": {"sha256": said.archive}}],
        "predicateType": WAIVER_TYPE,
        "predicate": {
            "project": said.project,
            "stage": said.stage,
            "parts": dict(said.parts),
            "clause": {
                "key": said.clause.key,
                "kind": said.clause.kind,
                "digest": said.clause.digest,
                "params": said.clause.params,
            },
            "finding": dict(said.finding),
            "asked": {
                "by": said.asked_by,
                **({"on_behalf_of": said.asked_for} if said.asked_for else {}),
                "at": instant(said.asked_at),
                "reason": said.reason,
            },
            "until": instant(said.until),
            "meaning": said.meaning,
            "person": said.person,
            "at": {
                "utc": instant(said.at),
                "zone": said.zone,
                "local": said.at.astimezone(zone_of(said.zone)).isoformat(timespec="microseconds"),
            },
            "comment": said.comment,
            "recorded": {
                "bundle": said.bundle,
                "archive": said.archive,
                "opened": [
                    {
                        "what": one.what,
                        "digest": one.digest,
                        "first": instant(one.first),
                        "last": instant(one.last),
                    }
                    for one in said.opened
                ],
                "policy": {
                    "name": said.policy.name,
                    "version": said.policy.version,
                    "digest": said.policy.digest,
                },
            },
        },
    }
