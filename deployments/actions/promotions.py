"""Starts, stops and lets go of promotions. Only here does one begin, and only through the gate."""

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from deployments import attempts
from deployments.judging import (
    Judged,
    judge_now,
    principal_of,
    record_verdict,
    why_not_asked,
    why_not_promoter,
)
from deployments.models import PROMOTION_MOVES, REQUEST_MOVES, DeploymentRequest, Promotion, Step
from governance.gate import Verdict
from governance.sentences import sentence
from portal import ledger, rights
from portal.errors import Forbidden, Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.models import Person, Right
from portal.moving import make
from portal.names import names


def promote(*, by: Person, request: DeploymentRequest, why: str = "") -> Promotion:
    """Start a promotion, if the gate is open now.

    Raises Refused with every missing requirement in words; that refusal is in the ledger too. A held request asks
    for a reason. Whoever signed for this request, and is counted, cannot start it; their signature stands.
    """
    rights.check(by, Right.PROMOTE, request.lane)
    if request.status != DeploymentRequest.Status.OPEN:
        raise Stale(
            _("Request %(number)s is %(status)s; it cannot be started again.")
            % {"number": request.pk, "status": request.get_status_display()},
            code="request_not_open",
        )
    if request.held and not why.strip():
        raise Invalid(
            _(
                "This request is held because its last promotion did not succeed. Say why it may be started again."
            ),
            code="why_missing",
            field="why",
        )
    reason = why_not_asked(request)
    if reason:
        refuse(by=by, request=request, action="promote", code="requester_lost_right", reason=reason)
    judged = judge_now(request)
    principal = principal_of(by, Right.PROMOTE, request.lane)
    reason = why_not_promoter(by, judged, principal.pk if principal else None)
    if reason:
        refuse(by=by, request=request, action="promote", code="promoter_signed", reason=reason)
    if not judged.verdict.met:
        record_verdict(request, judged, moment="promote", by=by)
        raise Refused(gate_closed(judged.verdict), code="gate_closed", request=request.pk)
    return _start(request, judged, by=by, verb="promote", why=why.strip(), principal=principal)


def start_by_itself(*, by: Person, request: DeploymentRequest, judged: Judged) -> Promotion:
    """Start what the policy lets start by itself; `judged` says that everything is met. `by` is the system: no person's
    right is used.

    Raises Refused where it is held or not open any more, whoever asked may not ask any more, or the lane is taken.
    """
    if not judged.case.by_itself or not judged.verdict.met:
        raise ValueError("this does not start by itself")
    reason = why_not_asked(request)
    if reason:
        raise Forbidden(reason, code="requester_lost_right")
    # In the record, so in one language.
    why = (
        f"Policy {judged.case.policy.name}, version {judged.case.policy.version}, starts it by itself:"
        " everything it asks is met."
    )
    with ledger.business():
        # As it is now: it may have run, and been held, since it was read.
        now = DeploymentRequest.objects.select_for_update(of=("self",)).get(pk=request.pk)
        if now.held:
            raise Stale(_("This request is held, so a person starts it again."), code="request_held")
        return _start(request, judged, by=by, verb="start", why=why)


def _start(
    request: DeploymentRequest,
    judged: Judged,
    *,
    by: Person,
    verb: str,
    why: str,
    principal: Person | None = None,
) -> Promotion:
    with ledger.business():
        make(
            request,
            REQUEST_MOVES,
            verb,
            by=by,
            held="",
            facts={
                "request": request.pk,
                "promotion": None,
                "why": why,
                "on_behalf_of": principal and str(principal.pk),
            },
        )
        place = request.lane.stage.places.select_related("deployer", "automation").order_by("slug").first()
        if place is None:
            raise Refused(
                _("%(stage)s has no place to run.") % {"stage": request.lane.stage.name}, code="place_missing"
            )
        record_verdict(request, judged, moment="promote", by=by)
        return attempts.begin(
            request=request,
            kind=Promotion.Kind.PROMOTE,
            bundle=request.bundle,
            place=place,
            by=by,
            on_behalf_of=principal,
        )


def gate_closed(verdict: Verdict) -> str:
    """All that is missing, in one text."""
    known = names([p for finding in verdict.findings for p in finding.unblock])
    missing = [
        str(sentence(f.code, f.params, known)) for f in verdict.findings if f.state not in ("met", "waived")
    ]
    return _("Not yet: %(missing)s") % {"missing": " ".join(missing)}


def refuse(*, by: Person, request: DeploymentRequest, action: str, code: str, reason: str) -> None:
    """Write a refusal worth auditing into the ledger, and raise it as Forbidden."""
    with ledger.business():
        ledger.record(
            EventKind.ACCESS_REFUSED,
            by=by,
            project=request.lane.project.key,
            subject=request.subject,
            action=action,
            code=code,
            reason=reason,
        )
    raise Forbidden(reason, code=code)


def stop(*, by: Person, promotion: Promotion, why: str, keep: bool = False) -> Promotion | None:
    """Stop a running promotion. After its live change: roll back, or keep what runs and hold the lane.

    Returns the rollback, if one began.
    """
    rights.check(by, Right.PROMOTE, promotion.lane)
    if not why.strip():
        raise Invalid(_("Say why the promotion is stopped."), code="why_missing", field="why")
    if promotion.kind != Promotion.Kind.PROMOTE:
        raise Refused(_("A rollback is not stopped; it ends by itself."), code="rollback_not_stopped")
    _check_running(promotion)
    principal = principal_of(by, Right.PROMOTE, promotion.lane)
    with ledger.business():
        promotion = (
            Promotion.objects.select_for_update(of=("self",))
            .select_related("lane__project", "lane__stage", "request", "place")
            .get(pk=promotion.pk)
        )
        _check_running(promotion)
        live = promotion.live_at is not None
        newer = attempts.retake_lane(promotion) if live else None
        if newer is not None:
            raise Stale(
                _("Promotion %(number)s has replaced this one. Stop that one instead.")
                % {"number": newer.pk},
                code="replaced",
            )
        good = attempts.last_good(promotion) if live and not keep else None
        if not live:
            then = "nothing had changed"
        elif keep:
            then = "kept, lane held"
        else:
            then = f"rolling back to {good.bundle.bundle_id}" if good else "disabling the deployment"
        make(
            promotion,
            PROMOTION_MOVES,
            "stop",
            by=by,
            ended_at=timezone.now(),
            reason=why.strip(),
            holds_lane=live and keep,
            lease="",
            lease_until=None,
            wake_at=None,
            facts={
                "promotion": promotion.pk,
                "request": promotion.request_id,
                "kind": promotion.kind,
                "why": why.strip(),
                "then": then,
                "on_behalf_of": principal and str(principal.pk),
            },
        )
        promotion.steps.filter(status__in=(Step.Status.PENDING, Step.Status.STARTED)).update(
            status=Step.Status.SKIPPED, ended_at=F("ended_at")
        )
        attempts.hold(promotion, why.strip())
        if live and not keep:
            return attempts.roll_back(promotion, by=by, good=good)
        return None


def _check_running(promotion: Promotion) -> None:
    if promotion.is_over:
        raise Stale(
            _(
                "Promotion %(number)s is over (%(status)s), so there is nothing to stop. Its request says how it ended."
            )
            % {"number": promotion.pk, "status": promotion.get_status_display()},
            code="promotion_over",
            status=promotion.status,
        )


def release_lane(*, by: Person, promotion: Promotion, why: str) -> None:
    """Let go of a lane that a promotion which is over still holds."""
    rights.check(by, Right.PROMOTE, promotion.lane)
    if not why.strip():
        raise Invalid(_("Say why the lane may be used again."), code="why_missing", field="why")
    principal = principal_of(by, Right.PROMOTE, promotion.lane)
    with ledger.business():
        if (
            not Promotion.objects.filter(pk=promotion.pk, holds_lane=True)
            .exclude(status=Promotion.Status.RUNNING)
            .update(holds_lane=False)
        ):
            raise Stale(_("This promotion does not hold the lane any more."), code="lane_free")
        ledger.record(
            EventKind.LANE_RELEASED,
            by=by,
            project=promotion.lane.project.key,
            subject=promotion.subject,
            stage=promotion.lane.stage.slug,
            promotion=promotion.pk,
            why=why.strip(),
            on_behalf_of=principal and str(principal.pk),
        )
