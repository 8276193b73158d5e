"""Begins and ends promotions, in the caller's business transaction. The steps in between are the runner's.

A failure after the live change brings its rollback with it, in the same transaction, so that the lane never lapses.
"""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from deployments.models import PROMOTION_MOVES, REQUEST_MOVES, Deployment, DeploymentRequest, Promotion, Step
from deployments.steps import names_of
from portal import ledger
from portal.errors import Refused
from portal.event_kinds import EventKind
from portal.models import Bundle, Person, Place
from portal.moving import make


def begin(
    *,
    request: DeploymentRequest,
    kind: str,
    bundle: Bundle,
    place: Place,
    by: Person,
    undoes: Promotion | None = None,
) -> Promotion:
    """A new attempt with its frozen steps. Raises Refused while another promotion holds the lane."""
    try:
        with transaction.atomic():
            promotion = Promotion.objects.create(
                request=request,
                lane=request.lane,
                place=place,
                kind=kind,
                bundle=bundle,
                undoes=undoes,
                started_by=by,
            )
    except IntegrityError as error:
        holder = Promotion.objects.filter(lane=request.lane, holds_lane=True).first()
        raise Refused(
            _(
                "Another promotion holds %(lane)s%(which)s. Wait for it to end, or ask for the lane to be released."
            )
            % {"lane": request.lane, "which": f" ({holder.pk})" if holder else ""},
            code="lane_busy",
        ) from error
    names = names_of(kind)
    Step.objects.bulk_create(
        Step(promotion=promotion, position=place_, name=name) for place_, name in enumerate(names)
    )
    ledger.record(
        EventKind.PROMOTION_STARTED,
        by=by,
        project=request.lane.project.key,
        subject=promotion.subject,
        promotion=promotion.pk,
        request=request.pk,
        kind=kind,
        undoes=undoes.pk if undoes else None,
        bundle=bundle.bundle_id,
        stage=request.lane.stage.slug,
        place=place.infra_id,
        steps=names,
        name=by.name,
    )
    return promotion


def succeed(promotion: Promotion) -> None:
    """All steps are done. The request is done with its promotion; a rollback leaves it as the failure left it."""
    system = Person.objects.system()
    facts = _facts(promotion)
    # A switched-off deployment leaves the lane to people: nothing earlier is known to be good.
    holds = promotion.kind == Promotion.Kind.DISABLE
    make(
        promotion,
        PROMOTION_MOVES,
        "succeed",
        by=system,
        facts={**facts, "bundle": promotion.bundle.bundle_id},
        ended_at=timezone.now(),
        holds_lane=holds,
        lease_until=None,
        wake_at=None,
    )
    if promotion.kind == Promotion.Kind.PROMOTE:
        make(
            promotion.request,
            REQUEST_MOVES,
            "land",
            by=system,
            held="",
            facts={"request": promotion.request_id, "promotion": promotion.pk},
        )


def fail(promotion: Promotion, *, verb: str, code: str, reason: str) -> Promotion | None:
    """End a promotion as failed ("fail") or errored ("error"), and begin its rollback when it had gone live.

    Returns the rollback, if one began. A failed rollback holds the lane and waits for people.
    """
    system = Person.objects.system()
    promotion.refresh_from_db()
    live = promotion.live_at is not None and promotion.kind == Promotion.Kind.PROMOTE
    good = last_good(promotion) if live else None
    stuck = promotion.kind != Promotion.Kind.PROMOTE
    if not live:
        then = "held for people" if stuck else "nothing had changed"
    else:
        then = f"rolling back to {good.bundle.bundle_id}" if good else "disabling the deployment"
    make(
        promotion,
        PROMOTION_MOVES,
        verb,
        by=system,
        facts={**_facts(promotion), "code": code, "reason": reason, "then": then},
        ended_at=timezone.now(),
        reason=reason,
        holds_lane=stuck,
        lease_until=None,
        wake_at=None,
    )
    promotion.steps.filter(status=Step.Status.PENDING).update(status=Step.Status.SKIPPED)
    if live:
        _retake_lane(promotion)
    if promotion.kind == Promotion.Kind.PROMOTE:
        hold(promotion, reason)
    if not live:
        return None
    return roll_back(promotion, by=system, good=good)


def _retake_lane(promotion: Promotion) -> None:
    """A failed watch needs its lane back: a newer promotion that has not gone live yet ends here, nothing changed."""
    newer = Promotion.objects.filter(
        lane=promotion.lane, holds_lane=True, status=Promotion.Status.RUNNING
    ).exclude(pk=promotion.pk)
    for other in newer.select_related("lane__project", "lane__stage", "request"):
        reason = _("Promotion %(number)s failed its watch and took the lane back to roll back.") % {
            "number": promotion.pk
        }
        make(
            other,
            PROMOTION_MOVES,
            "fail",
            by=Person.objects.system(),
            ended_at=timezone.now(),
            reason=reason,
            holds_lane=False,
            lease="",
            lease_until=None,
            wake_at=None,
            facts={**_facts(other), "code": "lane_retaken", "reason": reason, "then": "nothing had changed"},
        )
        other.steps.filter(status__in=(Step.Status.PENDING, Step.Status.STARTED)).update(
            status=Step.Status.SKIPPED
        )
        hold(other, reason)


def hold(promotion: Promotion, reason: str) -> None:
    """Put the request back to open and mark it held: only a person starts it again."""
    make(
        promotion.request,
        REQUEST_MOVES,
        "hold",
        by=Person.objects.system(),
        held=reason,
        facts={"request": promotion.request_id, "promotion": promotion.pk, "reason": reason},
    )


def roll_back(promotion: Promotion, *, by: Person, good: Deployment | None) -> Promotion:
    """Begin the rollback of a promotion: to the last good bundle, or by switching the deployment off."""
    if good is None:
        return begin(
            request=promotion.request,
            kind=Promotion.Kind.DISABLE,
            bundle=promotion.bundle,
            place=promotion.place,
            by=by,
            undoes=promotion,
        )
    return begin(
        request=promotion.request,
        kind=Promotion.Kind.ROLLBACK,
        bundle=good.bundle,
        place=promotion.place,
        by=by,
        undoes=promotion,
    )


def last_good(promotion: Promotion) -> Deployment | None:
    """What completed its watch last in this place, other than the bundle of this promotion."""
    return (
        Deployment.objects.filter(place=promotion.place, watched_at__isnull=False)
        .exclude(bundle=promotion.bundle)
        .select_related("bundle")
        .order_by("-since", "-pk")
        .first()
    )


def _facts(promotion: Promotion) -> dict[str, Any]:
    return {"promotion": promotion.pk, "request": promotion.request_id, "kind": promotion.kind}
