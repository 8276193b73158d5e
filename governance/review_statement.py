"""The exact words of somebody's answers in an access review: an in-toto Statement v1 in canonical bytes.

Each grant is bound by its digest, so that what changes after the page was read is not what was signed. Holds people as
uuids and free text as commitments only. Not in charge of keys, of re-authentication, or of who may answer.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.facts import instant
from governance.statement import STATEMENT_TYPE, zone_of
from portal.canonical import canonical

REVIEW_TYPE = "urn:countersign:access-review:v1"
CONFIRM, REVOKE = "confirm", "revoke"


@dataclass(frozen=True, slots=True)
class GrantFacts:
    """A grant as an answer binds it. `holder` is a person's uuid or a team's slug.

    `where` is "project CHURN", "portfolio credit" or "the estate"; `end` the instant it was given until, None: for
    good. Of a team also who is in it is bound (how many, and the digest of their uuids): to confirm its right is to
    confirm theirs.
    """

    id: int
    holder_kind: str
    holder: str
    right: str
    role: str
    where: str
    stage: str
    end: str | None
    given_at: str
    given_by: str
    members: int = 0
    members_digest: str = ""

    def value(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "grant": self.id,
            "holder": {"kind": self.holder_kind, "id": self.holder, **self._team()},
            "right": self.right,
            "role": self.role,
            "where": self.where,
            "stage": self.stage,
            "until": self.end,
            "given": {"at": self.given_at, "by": self.given_by},
        }

    @property
    def body(self) -> bytes:
        """Its canonical bytes."""
        return canonical(self.value())

    @property
    def digest(self) -> str:
        """What an answer names it by: the SHA-256 of its bytes."""
        return hashlib.sha256(self.body).hexdigest()

    def _team(self) -> dict[str, Any]:
        if self.holder_kind != "team":
            return {}
        return {"members": self.members, "members_digest": self.members_digest}


@dataclass(frozen=True, slots=True)
class Answers:
    """What one person says in one review: `answers` are grants with CONFIRM or REVOKE; `why` a hex commitment."""

    review: int
    scope: str
    due: datetime
    answers: Sequence[tuple[GrantFacts, str]]
    meaning: str
    person: str
    at: datetime
    zone: str
    why: str | None = None


def review_statement(said: Answers) -> dict[str, Any]:
    """The statement; its subjects are the grants. Raises ValueError for an answer that is none."""
    ordered = sorted(said.answers, key=lambda one: one[0].id)
    if wrong := {answer for _grant, answer in ordered} - {CONFIRM, REVOKE}:
        raise ValueError(f"No answers: {sorted(wrong)}.")
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": f"grant:{grant.id}", "digest": {"sha256": grant.digest}} for grant, _answer in ordered
        ],
        "predicateType": REVIEW_TYPE,
        "predicate": {
            "review": said.review,
            "scope": said.scope,
            "due": instant(said.due),
            "answers": [{**grant.value(), "answer": answer} for grant, answer in ordered],
            "meaning": said.meaning,
            "person": said.person,
            "at": {
                "utc": instant(said.at),
                "zone": said.zone,
                "local": said.at.astimezone(zone_of(said.zone)).isoformat(timespec="microseconds"),
            },
            "why": said.why,
        },
    }
