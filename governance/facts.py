"""The plain values a judgement is made of: the facts of a Case, and the Findings of a Verdict.

Frozen, JSON-able, without behaviour beyond their own order and what a Case holds about equal parts. Not in charge of
gathering facts (queries do) or of judging them (`governance.gate`, `governance.checks`); import these names from
`governance.gate`.
"""

import re
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

PARTS = ("data", "flow", "models", "automation", "presentation", "settings", "other")

MET: Literal["met"] = "met"
NOT_MET: Literal["not_met"] = "not_met"
CANNOT_TELL: Literal["cannot_tell"] = "cannot_tell"
WAIVED: Literal["waived"] = "waived"
State = Literal["met", "not_met", "cannot_tell", "waived"]

APPROVE = "approve"
APPROVE_WITH_CONDITIONS = "approve_with_conditions"
REQUEST_CHANGES = "request_changes"
REJECT = "reject"
DECISIONS = (APPROVE, APPROVE_WITH_CONDITIONS, REQUEST_CHANGES, REJECT)

SYSTEM = "system"

# Pseudo roles a Case may list among its holders, so that findings other than sign-offs can say who can act.
# A sign role never holds a colon, so the two cannot be confused.
CAN_REQUEST = "right:request"
CAN_PROMOTE = "right:promote"
CAN_WAIVE = "right:waive"

_INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"
_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


def instant(moment: datetime) -> str:
    """`2026-11-21T10:00:00.000000Z` for an aware datetime; raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("An instant needs a time zone.")
    text = moment.astimezone(UTC).strftime(_INSTANT)
    return text.rjust(27, "0")  # strftime does not pad years before 1000 on Linux


def parse_instant(text: str) -> datetime:
    """The aware UTC datetime of an instant; raises ValueError for any other shape."""
    # Its own shape first, because fromisoformat reads many; it takes a tenth of the time of strptime.
    if not _SHAPE.fullmatch(text):
        raise ValueError(f"{text!r} is not an instant like 2026-11-21T10:00:00.000000Z.")
    return datetime.fromisoformat(text)


@dataclass(frozen=True, slots=True)
class PolicyRef:
    """Which published policy the clauses came from. Recorded, never bound."""

    name: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Clause:
    """One requirement: `key` is unique within tier and stage, `digest` is over canonical {kind, params}."""

    key: str
    kind: str
    params: dict[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class EvidenceFact:
    """A machine-made result; `parts` are the part digests it is about, `author` a person uuid or "system"."""

    id: str
    kind: str
    digest: str
    parts: dict[str, str]
    at: str
    author: str
    stage: str
    result: dict[str, Any]
    # Tells it from others of its kind: which external check it is of.
    name: str = ""


@dataclass(frozen=True, slots=True)
class DocumentFact:
    """A text or file; `sections` are its headings in order."""

    id: str
    kind: str
    digest: str
    parts: dict[str, str]
    at: str
    author: str
    sections: tuple[str, ...] = ()
    # Whether the file names its sections at all: a PDF without an outline does not.
    sections_told: bool = True


@dataclass(frozen=True, slots=True)
class SignOffFact:
    """One person's signed word; `clause`, `evidence` and `documents` are the digests the statement binds."""

    id: str
    person: str
    role: str
    decision: str
    at: str
    project: str
    stage: str
    covered: dict[str, str]
    clause: str
    evidence: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    withdrawn: bool = False
    # Who signed stood in for this person; `left`: the account of who signed so is disabled.
    on_behalf_of: str = ""
    left: bool = False
    # Who lately gave whoever signed a new way to sign in, when they signed; `let_back_in`: of an account in use.
    let_in: tuple[str, ...] = ()
    let_back_in: tuple[str, ...] = ()
    # The bundle it was given on where that is another than the one judged, and how many bundles later this one came
    # (-1: earlier).
    bundle: str = ""
    carried: int = 0
    # When the first of its conditions that nobody has said to be met is due; empty where none is open.
    due: str = ""

    @property
    def seat(self) -> str:
        """Whose word it is: of whoever was stood in for."""
        return self.on_behalf_of or self.person

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody whose independence it takes."""
        return (self.person, self.on_behalf_of) if self.on_behalf_of else (self.person,)


@dataclass(frozen=True, slots=True)
class RunningFact:
    """These parts ran at a stage from `since` to `until` (None: still running)."""

    stage: str
    since: str
    until: str | None
    parts: dict[str, str]


@dataclass(frozen=True, slots=True)
class LiveFact:
    """The bundle that ran at the stage it is judged for, with the explainability evidence that held for it then.

    An empty `bundle`: nothing ran there. An empty `evidence`, its digest: there was none of it. `features` are pairs of
    feature and share, the largest first.
    """

    bundle: str
    evidence: str = ""
    at: str = ""
    method: str = ""
    features: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Barred:
    """A person whose sign-off does not count here.

    `why` is "requester", "bundle_author", "token_maker" (of a service account that is one), "let_in" or "let_back_in"
    (who lately gave one of them their first, or a new, way to sign in) or "evidence_author"; of a waiver also
    "waiver_asker".
    With `until` only before that instant: "changed_rights" and "changed_policy" are of whoever changed lately what the
    judgement depends on.
    """

    person: str
    why: str
    until: str = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """A person who holds the sign right of a role on this lane at the Case's instant, `until` if it ends.

    With `on_behalf_of` it is this person's right, for whom they stand in.
    """

    role: str
    person: str
    until: str | None = None
    on_behalf_of: str = ""
    # Who lately gave them a new way to sign in; `let_back_in`: to an account in use. The first of it ends `let_until`.
    let_in: tuple[str, ...] = ()
    let_back_in: tuple[str, ...] = ()
    let_until: str = ""

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody whose independence their signature takes."""
        return (self.person, self.on_behalf_of) if self.on_behalf_of else (self.person,)


@dataclass(frozen=True, slots=True)
class WaiverFact:
    """A finding that one person asked to let pass, and `person` did, for exactly these parts, before `until`.

    `finding` is `governance.waivers.mark` of what was waived; `asked_for` whom `asked_by` stood in for; `behind` are
    the bars of who could have asked as one of them. `let_in` and `let_back_in` are of `person`, as of a signer.
    """

    id: str
    requirement: str
    person: str
    at: str
    until: str
    asked_by: str
    project: str
    stage: str
    parts: dict[str, str]
    clause: str
    finding: dict[str, Any]
    asked_for: str = ""
    withdrawn: bool = False
    let_in: tuple[str, ...] = ()
    let_back_in: tuple[str, ...] = ()
    behind: tuple[Barred, ...] = ()

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody whose independence it takes."""
        return (self.person,)


@dataclass(frozen=True)  # no slots: what is worked out of it stays with it
class Case:
    """Everything one judgement needs, frozen. The order in which facts were gathered means nothing: it is normalised.

    Of a long history it holds what can still decide something: of `signoffs` the newest words of each person, of
    `evidence` and `documents` the current pieces and every piece that a listed sign-off binds, so that a newer result
    can be compared with the one that was signed; of `running` where equal parts ran; of `waivers` those that may count,
    and of each requirement the newest other.
    """

    project: str
    stage: str
    bundle: str
    archive: str
    parts: dict[str, str]
    tier: str
    policy: PolicyRef
    requirements: tuple[Clause, ...]
    automation: Literal["full", "manual"]
    evidence: tuple[EvidenceFact, ...]
    documents: tuple[DocumentFact, ...]
    signoffs: tuple[SignOffFact, ...]
    running: tuple[RunningFact, ...]
    barred: tuple[Barred, ...]
    holders: tuple[Holder, ...]
    at: str
    # The number of the change ticket the request carries, "" without one; None where the policy asked for none and none
    # was given, as of every Case from before there could be one.
    ticket: str | None = None
    waivers: tuple[WaiverFact, ...] = ()
    # What runs at the stage; None where the policy did not ask about it, as of every Case from before it could.
    live: LiveFact | None = None

    @property
    def by_itself(self) -> bool:
        """Whether nobody has to start a promotion once everything is met."""
        return self.automation == "full"

    @cached_property
    def current(self) -> dict[tuple[str, str], tuple[EvidenceFact, ...]]:
        """Evidence about parts equal to the bundle's, the newest first, by kind and name; about no part it is none."""
        found: dict[tuple[str, str], tuple[EvidenceFact, ...]] = {}
        for fact in self.evidence:
            if fact.parts and not self.changed(fact.parts):
                key = (fact.kind, fact.name)
                found[key] = (fact, *found.get(key, ()))
        return found

    @cached_property
    def texts(self) -> dict[str, DocumentFact]:
        """The newest document of each kind that is about parts equal to the bundle's."""
        return {fact.kind: fact for fact in self.documents if not self.changed(fact.parts)}

    def changed(self, parts: Mapping[str, str], scope: Iterable[str] = ()) -> tuple[str, ...]:
        """The names, among those of `parts` and `scope`, that differ from the bundle's; an absent part is empty."""
        if parts == self.parts:  # as nearly always
            return ()
        return tuple(
            sorted(part for part in {*parts, *scope} if parts.get(part, "") != self.parts.get(part, ""))
        )

    def under(
        self,
        policy: PolicyRef,
        requirements: tuple[Clause, ...],
        signoffs: tuple[SignOffFact, ...],
        waivers: tuple[WaiverFact, ...],
    ) -> "Case":
        """The same facts under other requirements. What is given is taken in the order it has."""
        made = copy(self)
        for name, value in (
            ("policy", policy),
            ("requirements", requirements),
            ("signoffs", signoffs),
            ("waivers", waivers),
        ):
            object.__setattr__(made, name, value)
        return made

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "requirements", tuple(self.requirements))
        put(self, "evidence", tuple(sorted(self.evidence, key=lambda f: (f.at, f.id))))
        put(self, "documents", tuple(sorted(self.documents, key=lambda f: (f.at, f.id))))
        put(self, "signoffs", tuple(sorted(self.signoffs, key=lambda f: (f.at, f.id))))
        put(self, "waivers", tuple(sorted(self.waivers, key=lambda f: (f.at, f.id))))
        put(self, "running", tuple(sorted(self.running, key=lambda f: (f.stage, f.since, f.until or "~"))))
        put(self, "barred", tuple(sorted(set(self.barred), key=lambda f: (f.person, f.why, f.until))))
        put(
            self,
            "holders",
            tuple(
                sorted(set(self.holders), key=lambda f: (f.role, f.person, f.until or "~", f.on_behalf_of))
            ),
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """What one requirement came to; `unblock`: who can act now; `holds_until`: when the clock may change it."""

    key: str
    kind: str
    state: State
    code: str
    params: dict[str, Any] = field(default_factory=dict)
    unblock: tuple[str, ...] = ()
    holds_until: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One Finding per requirement, in the policy's order."""

    findings: tuple[Finding, ...]
    holds_until: str | None = None

    @property
    def met(self) -> bool:
        """True when nothing is missing: every finding met or waived."""
        return all(finding.state in (MET, WAIVED) for finding in self.findings)

    @property
    def missing(self) -> tuple[Finding, ...]:
        """The findings that keep the bundle out, in order."""
        return tuple(finding for finding in self.findings if finding.state not in (MET, WAIVED))
