"""Begins and ends promotions, in the caller's business transaction. The steps in between are the runner's.

A failure after the live change brings its rollback with it, in the same transaction, so that the lane never lapses.
"""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from deployments.models import PROMOTION_MOVES, REQUEST_MOVES, Deployment, DeploymentRequest, Promotion, Step
from deployments.steps import names_of
from governance.queries import rules_for
from portal import ledger
from portal.errors import Refused
from portal.event_kinds import EventKind
from portal.models import Bundle, Lane, Person, Place
from portal.moving import make


def begin(
    *,
    request: DeploymentRequest,
    kind: str,
    bundle: Bundle,
    place: Place,
    by: Person,
    undoes: Promotion | None = None,
    on_behalf_of: Person | None = None,
) -> Promotion:
    """A new attempt with its frozen steps. Raises Refused while another promotion holds the lane; one that is only
    watched any more, a rollback of the same request among them, does not.

    `on_behalf_of` is for whom `by` started it, where they stood in for somebody.
    """
    if bundle.project_id != request.lane.project_id:
        raise ValueError("a lane runs bundles of its own project only")
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
                on_behalf_of=on_behalf_of,
            )
    except IntegrityError as error:
        raise _not_free(request.lane) from error
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
        on_behalf_of=on_behalf_of and str(on_behalf_of.pk),
        for_name=on_behalf_of.name if on_behalf_of else "",
    )
    return promotion


def _not_free(lane: Lane) -> Refused:
    """Who is in the way of a new promotion, and what to do about it."""
    holder = Promotion.objects.filter(lane=lane, holds_lane=True).first()
    if holder is None:
        sentence = _("Another promotion held %(lane)s a moment ago. Try again.")
    elif holder.is_over:
        sentence = _(
            "Promotion %(number)s is over and still holds %(lane)s. "
            "Look at what runs there, release the lane, then try again."
        )
    else:
        sentence = _("Promotion %(number)s runs and holds %(lane)s. Wait for it to end, then try again.")
    number = holder.pk if holder else None
    return Refused(sentence % {"lane": lane, "number": number}, code="lane_busy")


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
        lease="",
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

    Returns the rollback, if one began. A failed rollback holds the lane and waits for people, and so does a promotion
    whose policy says "hold". What a newer promotion replaced meanwhile is not rolled back.
    """
    system = Person.objects.system()
    promotion.refresh_from_db()
    promoting = promotion.kind == Promotion.Kind.PROMOTE
    live = promotion.live_at is not None or promotion.kind == Promotion.Kind.DISABLE
    newer = retake_lane(promotion) if live else None
    holds = (live or not promoting) and newer is None and not (promoting and _rolls_back(promotion))
    returns = live and promoting and newer is None and not holds
    good = last_good(promotion) if returns else None
    if newer is not None:
        then = f"replaced by promotion {newer.pk}"
    elif holds:
        then = "held for people"
    elif not live:
        then = "nothing had changed"
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
        holds_lane=holds,
        lease="",
        lease_until=None,
        wake_at=None,
    )
    promotion.steps.filter(status=Step.Status.PENDING).update(status=Step.Status.SKIPPED)
    # Whatever was said of it before, it is nothing to return to.
    Deployment.objects.filter(promotion=promotion, watched_at__isnull=False).update(watched_at=None)
    if promoting:
        hold(promotion, reason)
    return roll_back(promotion, by=system, good=good) if returns else None


def _rolls_back(promotion: Promotion) -> bool:
    try:
        return rules_for(promotion.lane).stage.after.on_failure == "roll_back"
    except Refused:  # the policy has gone meanwhile: the safe side is what ran before
        return True


def retake_lane(promotion: Promotion) -> Promotion | None:
    """Give a promotion that had gone live its lane back; a newer one that has not gone live ends, nothing changed.

    Returns the newer promotion when one went live meanwhile: then the lane is not given back. The rows are locked, so
    that going live and losing the lane cannot happen at once.
    """
    others = Promotion.objects.select_for_update(of=("self",)).filter(
        lane=promotion.lane, holds_lane=True, status=Promotion.Status.RUNNING
    )
    waiting = list(others.exclude(pk=promotion.pk).select_related("lane__project", "lane__stage", "request"))
    newer = (
        Promotion.objects.filter(
            lane=promotion.lane, place=promotion.place, pk__gt=promotion.pk, live_at__isnull=False
        )
        .order_by("-pk")
        .first()
    )
    if newer is not None:
        return newer
    for other in waiting:
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
    return None


def hold(promotion: Promotion, reason: str) -> None:
    """Put the request back to open and mark it held: starting it again asks for a reason.

    Where somebody asked for something newer in this lane meanwhile, it is superseded instead, as it would have been
    had it been open then: a lane has one open request.
    """
    request = promotion.request
    # Whoever asks for this lane right now is waited for, or waits and finds this request open.
    Lane.objects.select_for_update(no_key=True).get(pk=promotion.lane_id)
    newer = (
        DeploymentRequest.objects.filter(lane=promotion.lane_id, pk__gt=request.pk)
        .exclude(status__in=(DeploymentRequest.Status.WITHDRAWN, DeploymentRequest.Status.SUPERSEDED))
        .order_by("-pk")
        .first()
    )
    if newer is not None:
        make(
            request,
            REQUEST_MOVES,
            "supersede",
            by=Person.objects.system(),
            facts={"request": request.pk, "by_request": newer.pk},
        )
        return
    make(
        request,
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
    """What of this project completed its watch last in this place, which may be the very bundle of this promotion:
    then it ran well here before it was brought again, and anything older is worse known.

    A place serves every project of its pipeline; a lane is one project's.
    """
    return (
        Deployment.objects.filter(lane=promotion.lane, place=promotion.place, watched_at__isnull=False)
        .exclude(promotion=promotion)
        .select_related("bundle")
        .order_by("-since", "-pk")
        .first()
    )


def _facts(promotion: Promotion) -> dict[str, Any]:
    return {"promotion": promotion.pk, "request": promotion.request_id, "kind": promotion.kind}
