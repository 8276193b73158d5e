"""What waits for a person, what they asked for, and what went wrong: each in a constant number of queries.

Judged afresh each time, the oldest requests first and at most LIMIT of them. Not in charge of any decision: whoever
acts on what stands here asks the rules again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from deployments.judging import Judged, judge_many, why_not_promoter
from deployments.lanes import latest_promotions
from deployments.models import DeploymentRequest, Promotion
from portal import rights
from portal.models import Bundle, Lane, Person, Right
from portal.models.grant import codename

LIMIT = 30
RECENT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request a person can do something about now. `sign` are the keys of what they can sign.

    `instead_of` is who is away, where all of it waits for somebody whom they stand in for.
    """

    request: DeploymentRequest
    judged: Judged
    sign: tuple[str, ...]
    promote: bool
    instead_of: Person | None = None


@dataclass(frozen=True, slots=True)
class Mine:
    """A request the person asked for; `missing` is how much the gate still asks, None where it is not judged."""

    request: DeploymentRequest
    promotion: Promotion | None
    missing: int | None


@dataclass(frozen=True, slots=True)
class Wrong:
    """What did not go as wished, in projects the person may see."""

    held: Sequence[DeploymentRequest]
    promotions: Sequence[Promotion]
    bundles: Sequence[Bundle]

    def __bool__(self) -> bool:
        return bool(self.held or self.promotions or self.bundles)


def waits_for(person: Person) -> list[Waiting]:
    """Requests in which the person can sign a requirement, or start a promotion whose gate is open, now."""
    lanes = rights.lanes_with(person, [Right.SIGN, Right.PROMOTE])
    oldest = DeploymentRequest.objects.filter(status="open", lane__in=lanes).order_by("pk")[:LIMIT]
    requests = list(_whole(oldest).order_by("pk"))
    if not requests:
        return []
    held = rights.held_by(person, _lanes(requests))
    away = Person.objects.in_bulk(
        {whom for one in held.values() for some in one.lent.values() for whom in some}
    )
    found = []
    judgements = judge_many(requests)
    for request in requests:
        judged = judgements[request.pk]
        if not isinstance(judged, Judged):
            continue
        here = held[request.lane_id]
        sign, starts = to_sign(person, judged), _starts(person, request, judged, here)
        if sign or starts:
            names = [_codename(judged, key) for key in sign] + [Right.PROMOTE.value] * starts
            lenders = {here.principal(name) for name in names}
            one = lenders.pop() if len(lenders) == 1 else None
            found.append(Waiting(request, judged, sign, starts, away[one] if one else None))
    return found


def to_sign(person: Person, judged: Judged) -> tuple[str, ...]:
    """The keys of the sign-offs that the gate says this person can give now; through a token never any."""
    if person.scope is not None:
        return ()
    return tuple(
        finding.key
        for finding in judged.verdict.findings
        if finding.kind == "sign_off" and str(person.pk) in finding.unblock
    )


def _codename(judged: Judged, key: str) -> str:
    """The codename of the right that signing this requirement takes."""
    clause = next(one for one in judged.case.requirements if one.key == key)
    return codename(Right.SIGN, str(clause.params["role"]))


def _starts(person: Person, request: DeploymentRequest, judged: Judged, held: rights.Held) -> bool:
    return (
        judged.verdict.met
        and Right.PROMOTE.value in held.names
        and not request.held
        and not why_not_promoter(person, request, judged.case, held.principal(Right.PROMOTE.value))
    )


def count(person: Person) -> str:
    """How many requests wait for the person, as the navigation shows it; empty for none."""
    return counted(waits_for(person))


def counted(found: Sequence[Waiting]) -> str:
    """As `count`, of what was found already."""
    waiting = len(found)
    return "" if not waiting else str(waiting) if waiting < LIMIT else f"{LIMIT}+"


def asked_by(person: Person) -> list[Mine]:
    """The latest requests the person asked for, in projects they may see."""
    visible = rights.visible_projects(person)
    own = DeploymentRequest.objects.filter(requested_by=person, lane__project__in=visible)
    requests = list(_whole(own.order_by("-pk")[:LIMIT]).order_by("-pk"))
    promotions = latest_promotions(requests)
    judgements = judge_many(
        [request for request in requests if request.status == DeploymentRequest.Status.OPEN]
    )
    return [
        Mine(request, promotions.get(request.pk), _missing(judgements.get(request.pk)))
        for request in requests
    ]


def _missing(judged: object) -> int | None:
    if not isinstance(judged, Judged):
        return None
    return sum(finding.state not in ("met", "waived") for finding in judged.verdict.findings)


def went_wrong(person: Person) -> Wrong:
    """Held requests, promotions that failed lately or hold their lane, rollbacks, and bundles not registered."""
    visible = rights.visible_projects(person)
    since = timezone.now() - RECENT
    held = DeploymentRequest.objects.filter(status="open", lane__project__in=visible).exclude(held="")
    bad = (
        Q(status__in=(Promotion.Status.FAILED, Promotion.Status.ERRORED))
        | Q(kind=Promotion.Kind.ROLLBACK)
        | Q(kind=Promotion.Kind.DISABLE)
    )
    stuck = Q(holds_lane=True) & ~Q(status=Promotion.Status.RUNNING)
    newer = DeploymentRequest.objects.filter(
        lane=OuterRef("lane"), pk__gt=OuterRef("request"), status=DeploymentRequest.Status.DONE
    )
    latest = (
        Promotion.objects.filter(
            stuck | (bad & Q(started_at__gt=since) & ~Exists(newer)), lane__project__in=visible
        )
        # One thing that went wrong is told once: by its held request, or else by its rollback.
        .exclude(Q(request__status="open") & ~Q(request__held="") & Q(holds_lane=False))
        .exclude(holds_lane=False, undone_by__isnull=False)
        .order_by("-pk")[:LIMIT]
    )
    promotions = (
        Promotion.objects.filter(pk__in=list(latest.values_list("pk", flat=True)))
        .select_related(
            "lane__project", "lane__stage", "bundle", "request", "undoes__bundle", "undoes__lane__stage"
        )
        .order_by("-pk")
    )
    bundles = (
        Bundle.objects.filter(status=Bundle.Status.FAILED, project__in=visible)
        .select_related("project")
        .order_by("-asked_at")[:LIMIT]
    )
    return Wrong(list(_whole(held.order_by("-pk")[:LIMIT]).order_by("-pk")), list(promotions), list(bundles))


def _whole(chosen: QuerySet[DeploymentRequest]) -> QuerySet[DeploymentRequest]:
    """The chosen requests with all that is read of them: chosen first, so that only those few are joined."""
    return DeploymentRequest.objects.filter(pk__in=list(chosen.values_list("pk", flat=True))).select_related(
        "lane__project", "lane__stage", "bundle__author", "bundle__project", "requested_by", "on_behalf_of"
    )


def _lanes(requests: Sequence[DeploymentRequest]) -> list[Lane]:
    return list({request.lane_id: request.lane for request in requests}.values())
