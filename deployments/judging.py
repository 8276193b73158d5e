"""Asks the gate about a request, telling it what runs where; and freezes what was judged.

The facts are governance's; only what deployments knows (who asked, what ran how long) is added here.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from deployments.models import Deployment, DeploymentRequest
from governance import queries
from governance.checks import Why
from governance.gate import (
    WAIVED,
    Case,
    RunningFact,
    SignOffFact,
    Verdict,
    WaiverFact,
    case_to_json,
    instant,
    judge,
    verdict_to_json,
)
from governance.newest import Within
from governance.sentences import sentence, title
from portal import content, ledger, rights
from portal.canonical import digest
from portal.errors import Refused
from portal.event_kinds import EventKind
from portal.let_in import NOBODY, LetIn, could_be
from portal.models import Bundle, Lane, Person, Right
from portal.names import names
from portal.prepared import prepared

CASE_TYPE = "application/vnd.countersign.case+json"
VERDICT_TYPE = "application/vnd.countersign.verdict+json"

# What a request is read with to be judged and shown.
READ_WITH = (
    "lane__project",
    "lane__stage",
    "bundle__author",
    "bundle__project",
    "requested_by",
    "on_behalf_of",
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A case and what the gate said of it."""

    case: Case
    verdict: Verdict


def running_facts(bundle: Bundle, lane: Lane) -> Sequence[RunningFact]:
    """Where these parts ran in the lanes of this project and since when, as the gate's soak asks."""
    return _running([(bundle, lane)])[0]


@prepared
def _ran(bundles: Any) -> QuerySet[Any, tuple[Any, ...]]:
    """What ran and holds what is judged; each deployment is looked at beside each bundle that is asked about."""
    rows = Deployment.objects.filter(lane__project__bundles__in=bundles).annotate(
        judged=F("lane__project__bundles"),
        held=Within(F("bundle__parts"), F("lane__project__bundles__parts")),
    )
    return rows.filter(held=True).values_list(
        "judged", "lane__stage__slug", "since", "ended_at", "bundle__parts"
    )


def _running(asked: Sequence[tuple[Bundle, Lane]]) -> list[list[RunningFact]]:
    """The same for each of these, in their order, in one query: what else ran there says nothing of a soak."""
    rows = _ran(bundles={bundle.pk for bundle, _lane in asked})
    return [
        [
            RunningFact(stage, instant(since), instant(until) if until else None, dict(parts))
            for judged, stage, since, until, parts in rows
            if judged == bundle.pk
        ]
        for bundle, _lane in asked
    ]


def what_runs(lanes: Sequence[Lane]) -> dict[int, Bundle | None]:
    """What runs in each lane now, by id; in one query. Of several places what came there last."""
    found: dict[int, Bundle | None] = {lane.pk: None for lane in lanes}
    rows = Deployment.objects.filter(lane__in=found, ended_at=None).select_related("bundle")
    for row in rows.order_by("since", "pk"):
        found[row.lane_id] = row.bundle
    return found


def judge_bundle(
    bundle: Bundle,
    lane: Lane,
    requested_by: Person | None,
    on_behalf_of: Person | None = None,
    asked_at: datetime | None = None,
    ticket: str = "",
) -> Judged:
    """Judge a bundle for a lane; with nobody asking, nobody is barred as requester. `asked_at`: None is now."""
    case, verdict = queries.verdict_for(
        bundle=bundle,
        lane=lane,
        requested_by=requested_by,
        on_behalf_of=on_behalf_of,
        asked_at=asked_at,
        ticket=ticket,
        running=running_facts(bundle, lane),
        what_runs=what_runs,
    )
    return Judged(case, verdict)


def judge_now(request: DeploymentRequest) -> Judged:
    """Judge a request afresh."""
    return judge_bundle(
        request.bundle,
        request.lane,
        request.requested_by,
        request.on_behalf_of,
        request.requested_at,
        request.ticket,
    )


def judge_many(requests: Sequence[DeploymentRequest]) -> dict[int, Judged | Refused]:
    """Judge requests afresh, by id, in a constant number of queries; a refusal where the policy says nothing.

    The requests carry their lane with project and stage, their bundle with its author, and who asked.
    """
    running = _running([(request.bundle, request.lane) for request in requests])
    asked = [
        queries.Asked(
            request.bundle,
            request.lane,
            request.requested_by,
            ran,
            request.on_behalf_of,
            request.requested_at,
            request.ticket,
        )
        for request, ran in zip(requests, running, strict=True)
    ]
    return {
        request.pk: case if isinstance(case, Refused) else Judged(case, judge(case))
        for request, case in zip(requests, queries.cases_for(asked, what_runs), strict=True)
    }


def principal_of(person: Person, right: Right, lane: Lane) -> Person | None:
    """Whom the person stands in for when using this right here; None where it is their own."""
    found = rights.standing_in_for(person, right, lane)
    return Person.objects.get(pk=found) if found else None


def signature_counts(
    people: Collection[str], judged: Judged, others: LetIn = NOBODY
) -> Mapping[str, Any] | None:
    """A signature, or a waiver, that the verdict counts of any of these, or of `others`, who could act as one of them.

    One given for somebody is that of both. One of somebody lately let in may be that of whoever let them in; of one of
    the others only where they let both back in. Also one that shares its place with another, and so counts through it.
    """
    by, again = ({str(pk) for pk in some} for some in (others.by, others.again))
    for word in _that_count(judged):
        signed, fact = _signed(word), _fact(word, judged)
        if {*people} & {*signed, *fact.let_in} or by & signed or again & {*fact.let_back_in}:
            return word
    return None


def _that_count(judged: Judged) -> Iterator[Mapping[str, Any]]:
    """The signatures without which the verdict might be another, and the waivers, which are signed as well."""
    for finding in judged.verdict.findings:
        if finding.kind == "sign_off":
            yield from finding.params["given"]
            yield from (word for word in finding.params["not_counted"] if word["why"] == Why.ONE_PLACE)
        elif finding.state == WAIVED:
            yield finding.params


def _fact(word: Mapping[str, Any], judged: Judged) -> SignOffFact | WaiverFact:
    if "waiver" in word:
        return next(one for one in judged.case.waivers if one.id == word["waiver"])
    return next(one for one in judged.case.signoffs if one.id == word["signoff"])


def _signed(word: Mapping[str, Any]) -> set[str]:
    """Whose a signature is."""
    return {word["person"], word.get("on_behalf_of", word["person"])}


def why_not_promoter(
    person: Person, judged: Judged, principal: UUID | None = None, others: LetIn | None = None
) -> str:
    """The sentence for somebody whose signature counts here and who so cannot start the promotion, or an empty text.

    `principal` is for whom they would start it, `others` who could start it as them (asked for where not given).
    """
    if others is None:
        (others,) = could_be([(person, timezone.now())], Right.PROMOTE)
    acting = {str(pk) for pk in (person.pk, principal or person.pk)}
    word = signature_counts(acting, judged, others)
    if word is None:
        return ""
    if "waiver" in word:
        return (
            _(
                "You waived a requirement of this bundle, so somebody else has to start its promotion."
                " The waiver stands."
            )
            if word["person"] == str(person.pk)
            else _(
                "Whoever waived a requirement of this bundle lately gave you a way to sign in, or you gave them one, so"
                " somebody else has to start its promotion. The waiver stands."
            )
        )
    if word["person"] == str(person.pk):
        return _(
            "You signed for this bundle, so somebody else has to start its promotion. Your signature stands."
        )
    if acting & _signed(word):
        return _(
            "This bundle was signed in the name of somebody you stand in for, or who stood in for you, so"
            " somebody else has to start its promotion. The signature stands."
        )
    if acting & {*_fact(word, judged).let_in}:
        return _(
            "You lately gave somebody who signed for this bundle a new way to sign in, so somebody else has to start"
            " its promotion. The signature stands."
        )
    if person.kind == Person.Kind.PERSON:
        return _(
            "Whoever lately gave you a new way to sign in signed for this bundle, or let in who did, so somebody else"
            " has to start its promotion. The signature stands."
        )
    return _(
        "Whoever made a token of this service account signed for this bundle, so somebody else has to start"
        " its promotion. The signature stands."
    )


def why_not_asked(request: DeploymentRequest) -> str:
    """The sentence where whoever asked may not ask for this lane any more, or an empty text: a wish needs its right.

    What was asked for somebody stands as long as that person may ask, and the account of who asked is open.
    """
    whose = request.on_behalf_of or request.requested_by
    if request.requested_by.is_active and rights.can(whose, Right.REQUEST, request.lane):
        return ""
    return _(
        "Whoever asked for this no longer has the right to. Somebody who has it can ask for the bundle again."
    )


def findings_in_words(judged: Judged) -> list[dict[str, Any]]:
    """Each finding with its title and sentence: what the page, the API, the ledger and the report show alike."""
    return _findings(judged, names([p for finding in judged.verdict.findings for p in finding.unblock]))


def missing_titles(verdict: Verdict, case: Case) -> str:
    """What is not met, by its titles alone: for records, which name nobody."""
    titles = {clause.key: str(title(clause)) for clause in case.requirements}
    return "; ".join(titles.get(f.key, f.key) for f in verdict.findings if f.state not in ("met", "waived"))


def _findings(judged: Judged, known: Callable[[str], str]) -> list[dict[str, Any]]:
    titles = {clause.key: title(clause) for clause in judged.case.requirements}
    return [
        {
            "key": finding.key,
            "kind": finding.kind,
            "title": str(titles.get(finding.key, finding.key)),
            "state": finding.state,
            "code": finding.code,
            "params": finding.params,
            "sentence": str(sentence(finding.code, finding.params, known)),
            "unblock": list(finding.unblock),
            "holds_until": finding.holds_until,
        }
        for finding in judged.verdict.findings
    ]


def digests(judged: Judged) -> dict[str, Any]:
    """The digests under which case and verdict are kept, as a step's output."""
    return {
        "case": digest(case_to_json(judged.case)),
        "verdict": digest(verdict_to_json(judged.verdict)),
        "met": judged.verdict.met,
    }


def record_verdict(
    request: DeploymentRequest, judged: Judged, *, moment: str, by: Person | None = None
) -> dict[str, Any]:
    """Store case and verdict by digest and write the event. Returns the digests, as a step's output."""
    with ledger.business():
        case = content.put_json(case_to_json(judged.case), CASE_TYPE)
        verdict = content.put_json(verdict_to_json(judged.verdict), VERDICT_TYPE)
        ledger.record(
            EventKind.VERDICT_JUDGED,
            by=by,
            project=request.lane.project.key,
            subject=request.subject,
            request=request.pk,
            moment=moment,
            outcome="met" if judged.verdict.met else "not met",
            case=case.digest,
            verdict=verdict.digest,
            # People stand in the record by their ids; readers fill the names in, as long as they are there.
            findings=_findings(judged, str),
            bundle=judged.case.bundle,
            stage=judged.case.stage,
            policy={
                "name": judged.case.policy.name,
                "version": judged.case.policy.version,
                "tier": judged.case.tier,
            },
        )
        return {"case": case.digest, "verdict": verdict.digest, "met": judged.verdict.met}
