"""A draft of a policy run over Cases that were judged: which outcomes it would have changed, and why. Pure.

A Case holds what could decide something under the policy of its day. What that policy gave no reason to write down,
such as who held a role that it did not name, cannot be told now. Not in charge of reading the Cases (`governance.past`)
or of words (`governance.replay_words`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from governance.checks import Code
from governance.facts import (
    APPROVE,
    APPROVE_WITH_CONDITIONS,
    CANNOT_TELL,
    MET,
    WAIVED,
    Case,
    Clause,
    Finding,
    PolicyRef,
    SignOffFact,
    Verdict,
    WaiverFact,
)
from governance.gate import judge
from governance.policy import PolicyDocument
from governance.unchanged import unchanged

STOPPED: Literal["would_stop"] = "would_stop"
PASSED: Literal["would_pass"] = "would_pass"
UNKNOWN: Literal["cannot_tell"] = "cannot_tell"
Outcome = Literal["would_stop", "would_pass", "cannot_tell"]
_Word = TypeVar("_Word", SignOffFact, WaiverFact)


@dataclass(frozen=True, slots=True)
class Past:
    """A judgement that was made: of a request's bundle, at a moment (`promote`, `start`, `before_live`), and its end.

    `seq` is the number of its event. `findings` are what it found, as far as that is known; under requirements that the
    draft leaves as they were they are not worked out again.
    """

    seq: int
    request: int
    moment: str
    case: Case
    met: bool
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class About:
    """Which judgement it was: `seq` is the number of its event, `at` its instant. Not its case: there may be many."""

    seq: int
    request: int
    project: str
    bundle: str
    tier: str
    stage: str
    at: str


@dataclass(frozen=True, slots=True)
class Flip:
    """A judgement whose outcome the draft would have changed, or may have.

    `outcome`: what passed would have been stopped, what was stopped would have passed, or that cannot be told, because
    it hangs on something that was not written down. `findings` decide it, of `clauses`: those under the draft, or,
    where it would have passed, those that kept it out then. None: the draft says nothing about its tier or stage.
    """

    about: About
    outcome: Outcome
    findings: tuple[Finding, ...]
    clauses: Mapping[str, Clause]


@dataclass(frozen=True, slots=True)
class Replayed:
    """All of it: how many judgements there were, and those that would have ended otherwise, the newest first."""

    judged: int
    flips: tuple[Flip, ...]

    def of(self, outcome: Outcome) -> tuple[Flip, ...]:
        """The flips of one outcome."""
        return tuple(flip for flip in self.flips if flip.outcome == outcome)


def replay(document: PolicyDocument, judgements: Iterable[Past]) -> Replayed:
    """Judge each again by the draft's rules for its tier and stage; the same input gives the same answer.

    Where today's gate says something else of a case than was said then, under the very rules of then, the draft is not
    what makes the difference, and it is left out.

    A signature given, or a waiver granted, under a requirement of the same key is taken as given under the draft's:
    that its wording changed asks for it anew in what is open now, and says nothing of what would have been.
    """
    judged, flips = 0, []
    for past in judgements:
        judged += 1
        flip = _flip(document, past)
        if flip is not None and judge(past.case).met == past.met:
            flips.append(flip)
    flips.sort(key=lambda flip: flip.about.seq, reverse=True)
    return Replayed(judged, tuple(flips))


def _flip(document: PolicyDocument, past: Past) -> Flip | None:
    tier = document.tiers.get(past.case.tier)
    rules = tier.stages.get(past.case.stage) if tier else None
    if rules is None:
        return Flip(_about(past), STOPPED, (), {}) if past.met else None
    clauses = {clause.key: clause for clause in rules.requirements}
    under = _under(document, past.case, rules.requirements)
    wrong = _missing(past.case, under, judge(under, unchanged(past.case, past.findings, under)))
    certain = tuple(finding for finding in wrong if finding.code != Code.NOT_RECORDED)
    if past.met and certain:
        return Flip(_about(past), STOPPED, certain, clauses)
    if wrong:
        return Flip(_about(past), UNKNOWN, wrong, clauses) if past.met or not certain else None
    if past.met:
        return None
    then = {clause.key: clause for clause in past.case.requirements}
    return Flip(_about(past), PASSED, judge(past.case).missing, then)


def _about(past: Past) -> About:
    case = past.case
    return About(past.seq, past.request, case.project, case.bundle, case.tier, case.stage, case.at)


def _under(document: PolicyDocument, case: Case, requirements: tuple[Clause, ...]) -> Case:
    """The case with the draft's requirements, and the signatures of each that keeps its key."""
    new = {clause.key: clause.digest for clause in requirements}
    again = {clause.digest: new[clause.key] for clause in case.requirements if clause.key in new}
    return case.under(
        PolicyRef(document.name, 0, document.digest),
        requirements,
        tuple(_moved(fact, again) for fact in case.signoffs),
        tuple(_moved(fact, again) for fact in case.waivers),
    )


def _moved(fact: _Word, again: Mapping[str, str]) -> _Word:
    """A signature or waiver as one under the draft's clause of the same key."""
    clause = again.get(fact.clause, fact.clause)
    return fact if clause == fact.clause else replace(fact, clause=clause)


def _missing(recorded: Case, under: Case, verdict: Verdict) -> tuple[Finding, ...]:
    """What the draft would have missed, with what the case cannot tell put as such."""
    known = {clause.params["role"] for clause in recorded.requirements if clause.kind == "sign_off"}
    spoken = {
        fact.role
        for fact in under.signoffs
        if not fact.withdrawn and fact.decision in (APPROVE, APPROVE_WITH_CONDITIONS)
    }
    found = []
    for finding, clause in zip(verdict.findings, under.requirements, strict=True):
        if finding.state in (MET, WAIVED):
            continue
        role = clause.params["role"] if clause.kind == "sign_off" else None
        if role is None or role in known:
            found.append(finding)
        elif role in spoken:  # who held the role then is what decides, and was not asked
            found.append(replace(finding, state=CANNOT_TELL, code=Code.NOT_RECORDED, params={"role": role}))
        elif finding.code == Code.SIGN_OFF_NOBODY:  # nobody was asked, so that nobody can is not known
            found.append(replace(finding, code=Code.SIGN_OFF_MISSING))
        else:
            found.append(finding)
    return tuple(found)
