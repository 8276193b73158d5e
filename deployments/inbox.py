"""What waits for a person, what they asked for, and what went wrong: each in a bounded number of queries.

Judged afresh each time, the oldest requests first, until LIMIT are found that wait or LOOKED_AT were looked at; where
that was not all of them, it is said, and one may look on from there. Not in charge of any decision: whoever acts on
what stands here asks the rules again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from deployments.judging import READ_WITH, Judged, judge_many, why_not_promoter
from deployments.lanes import latest_promotions
from deployments.models import DeploymentRequest, Promotion
from deployments.waiving import pending, to_waive
from governance import reviews
from governance.actions.waivers import open_asks
from governance.models import Waiver
from portal import rights
from portal.errors import Refused
from portal.held import Held
from portal.let_in import NOBODY, LetIn, could_be
from portal.models import Bundle, Lane, Person, Right
from portal.models.grant import codename

LIMIT = 30
# How many requests are judged at once: few at first, since often they fill the list, then more, to need few turns.
TURNS = (30, 90, 180)
LOOKED_AT = sum(TURNS)
RECENT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request a person can do something about now. `sign` are the keys of what they can sign, `waive` what was asked.

    `instead_of` is who is away, where all of it waits for somebody whom they stand in for.
    """

    request: DeploymentRequest
    judged: Judged
    sign: tuple[str, ...]
    promote: bool
    instead_of: Person | None = None
    waive: tuple[Waiver, ...] = ()

    @property
    def waives(self) -> list[int]:
        """The numbers of the waivers."""
        return [one.pk for one in self.waive]


@dataclass(frozen=True, slots=True)
class Waits:
    """What waits for a person. `next` is the number of the request to look on after, None where all were looked at."""

    found: list[Waiting]
    next: int | None = None

    @property
    def count(self) -> str:
        """How many they are, as the navigation shows it; empty for none, with a + where more may follow."""
        if self.next is not None:
            return f"{len(self.found)}+"
        return str(len(self.found)) if self.found else ""

    @property
    def sentence(self) -> str:
        """That more may wait, in words; empty where these are all."""
        if self.next is None:
            return ""
        if len(self.found) >= LIMIT:
            return _("These are the oldest %(count)s; more may wait. Look on after them.") % {"count": LIMIT}
        return _(
            "Only %(count)s open requests were looked at, the oldest first; younger ones may wait too. Look on"
            " after them."
        ) % {"count": LOOKED_AT}


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


def waits_for(person: Person, after: int | None = None) -> Waits:
    """Requests in which the person can sign or waive a requirement, or start a promotion whose gate is open, now.

    Those after the request of this number, the oldest first.
    """
    lanes = rights.lanes_with(person, [Right.SIGN, Right.PROMOTE])
    asked = open_asks(timezone.now()).filter(bundle=OuterRef("bundle"), lane=OuterRef("lane"))
    waiving = rights.lanes_with(person, [Right.WAIVE]).values("pk")
    oldest = DeploymentRequest.objects.filter(status="open").order_by("pk")
    oldest = oldest.filter(Q(lane__in=lanes.values("pk")) | Q(Exists(asked), lane__in=waiving))
    if after is not None:
        oldest = oldest.filter(pk__gt=after)
    numbers = list(oldest.values_list("pk", flat=True)[: LOOKED_AT + 1])
    found: list[Waiting] = []
    for request, waiting in _looked_at(person, numbers[:LOOKED_AT]):
        if waiting is not None:
            found.append(waiting)
        if len(found) >= LIMIT:
            return Waits(found, request if request != numbers[-1] else None)
    return Waits(found, numbers[LOOKED_AT - 1] if len(numbers) > LOOKED_AT else None)


def _looked_at(person: Person, numbers: Sequence[int]) -> Iterator[tuple[int, Waiting | None]]:
    """Each request's number with what the person can do about it; judged in turns, as far as they are asked for."""
    start = 0
    (others,) = could_be([(person, timezone.now())], Right.PROMOTE) if numbers else (NOBODY,)
    for turn in TURNS:
        chosen = numbers[start : start + turn]
        start += turn
        if not chosen:
            return
        requests = list(_whole(chosen).order_by("pk"))
        held = rights.held_by(person, _lanes(requests))
        away = Person.objects.in_bulk(
            {whom for one in held.values() for some in one.lent.values() for whom in some}
        )
        judgements = judge_many(requests)
        waives = any(Right.WAIVE.value in one.names for one in held.values())
        told = [(one, judgements[one.pk]) for one in requests] if waives else []
        asked = pending([(one, judged) for one, judged in told if isinstance(judged, Judged)])
        for request in requests:
            judged = judgements[request.pk]
            waive = to_waive(person, asked.get(request.pk, ()))
            yield request.pk, _waiting(person, request, judged, held[request.lane_id], away, others, waive)


def _waiting(
    person: Person,
    request: DeploymentRequest,
    judged: Judged | Refused,
    held: Held,
    away: Mapping[UUID, Person],
    others: LetIn,
    waive: tuple[Waiver, ...],
) -> Waiting | None:
    if not isinstance(judged, Judged):
        return None
    sign, starts = to_sign(person, judged), _starts(person, request, judged, held, others)
    if not (sign or starts or waive):
        return None
    used = [_codename(judged, key) for key in sign] + [Right.PROMOTE.value] * starts
    lenders = {held.principal(name) for name in used} | ({None} if waive else set())
    lender = lenders.pop() if len(lenders) == 1 else None
    return Waiting(request, judged, sign, starts, away[lender] if lender else None, waive)


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


def _starts(person: Person, request: DeploymentRequest, judged: Judged, held: Held, others: LetIn) -> bool:
    return (
        judged.verdict.met
        and Right.PROMOTE.value in held.names
        and not request.held
        and not why_not_promoter(person, judged, held.principal(Right.PROMOTE.value), others)
    )


def count(person: Person) -> str:
    """How many requests, and access reviews to answer in, wait for the person, as the navigation shows it."""
    return with_reviews(waits_for(person), reviews.waits_for(person))


def with_reviews(waits: Waits, asked: Sequence[reviews.Waiting]) -> str:
    """The count of both."""
    if not asked:
        return waits.count
    return f"{len(waits.found) + len(asked)}{'+' if waits.next is not None else ''}"


def asked_by(person: Person) -> list[Mine]:
    """The latest requests the person asked for, in projects they may see."""
    visible = rights.visible_projects(person)
    own = DeploymentRequest.objects.filter(requested_by=person, lane__project__in=visible)
    requests = list(_whole(_numbers(own.order_by("-pk")[:LIMIT])).order_by("-pk"))
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
    latest_held = _whole(_numbers(held.order_by("-pk")[:LIMIT])).order_by("-pk")
    return Wrong(list(latest_held), list(promotions), list(bundles))


def _numbers(chosen: QuerySet[DeploymentRequest]) -> list[int]:
    return list(chosen.values_list("pk", flat=True))


def _whole(numbers: Sequence[int]) -> QuerySet[DeploymentRequest]:
    """The requests of these numbers with all that is read of them: chosen first, so that only those few are joined."""
    return DeploymentRequest.objects.filter(pk__in=numbers).select_related(*READ_WITH)


def _lanes(requests: Sequence[DeploymentRequest]) -> list[Lane]:
    return list({request.lane_id: request.lane for request in requests}.values())
