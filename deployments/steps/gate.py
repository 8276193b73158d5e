"""Steps that ask: may this still happen?"""

from datetime import timedelta

from django.utils.translation import gettext as _

from deployments.judging import (
    Judged,
    digests,
    judge_now,
    missing_titles,
    record_verdict,
    signature_counts,
    why_not_asked,
)
from deployments.models import Deployment, DeploymentRequest
from deployments.steps.outcome import Answer, Done, NotYet, StepFailed, Wait, Work
from governance.gate import parse_instant
from portal import ledger, rights
from portal.errors import Refused
from portal.let_in import could_be
from portal.models import Lane, Right

# While only the window is closed the rest is judged again this often: what lapses meanwhile ends the wait.
LOOK_AGAIN = timedelta(seconds=60)


def pass_gate(work: Work) -> Answer:
    """Judge the gate at the start and freeze what was judged."""
    request = work.request
    judged = judge_now(request)
    return _until_window(judged) or _answer(request, "start", judged)


def pass_gate_again(work: Work) -> Answer:
    """Judge the gate once more, right before anything live changes. Whoever started it must still be allowed to: by
    their right, and by having no signature that counts, which they may have given since; what started by itself, by
    the policy."""
    return _before_live(work, work.request)


def hold_gate_open(work: Work) -> None:
    """The same in the transaction that begins the live change: nothing is committed between this look and that change.

    Raises StepFailed, or NotYet where the window closed meanwhile. Nothing is written down where it is open: the look
    before, a moment ago, was.
    """
    ledger.be_next()
    request = work.request
    # As it is now: this look at the step was begun before, and a project may have come into another tier since.
    request.lane = Lane.objects.select_related("project", "stage").get(pk=request.lane_id)
    request.bundle.project = request.lane.project
    try:
        answer = _before_live(work, request)
    except StepFailed:
        raise
    except Refused as error:  # no policy speaks of this any more
        raise StepFailed(error.sentence, code=error.code) from error
    if isinstance(answer, Wait):
        raise NotYet(answer)


def _before_live(work: Work, request: DeploymentRequest) -> Answer:
    promotion, lane = work.promotion, request.lane
    starter = promotion.started_by
    if not starter.is_system and not rights.can(starter, Right.PROMOTE, lane):
        raise StepFailed(
            _(
                "Whoever started this promotion no longer has the right to. Somebody who has it can start it again."
            ),
            code="starter_lost_right",
        )
    lost = why_not_asked(request)
    if lost:
        raise StepFailed(lost, code="requester_lost_right")
    judged = judge_now(request)
    if starter.is_system and not judged.case.by_itself:
        raise StepFailed(
            _(
                "This started by itself, and the policy does not let that be any more."
                " Somebody with the right to promote can start it again."
            ),
            code="automation_ended",
        )
    (others,) = could_be([(starter, promotion.started_at)], Right.PROMOTE)
    acting = {str(pk) for pk in (promotion.started_by_id, promotion.on_behalf_of_id) if pk}
    signed = signature_counts(acting, judged, others) is not None
    return (None if signed else _until_window(judged)) or _answer(
        request, "before_live", judged, signed_by_starter=signed
    )


def _until_window(judged: Judged) -> Wait | None:
    """A wait where nothing but the time of day is missing: what is ready at 15:59 need not be started by hand again."""
    missing = judged.verdict.missing
    if not missing or any(one.kind != "window" or one.holds_until is None for one in missing):
        return None
    opens = max(str(one.holds_until) for one in missing)
    left = parse_instant(opens) - parse_instant(judged.case.at)
    return Wait(max(0.01, min(left, LOOK_AGAIN).total_seconds()), {"opens": opens})


def _answer(
    request: DeploymentRequest, moment: str, judged: Judged, *, signed_by_starter: bool = False
) -> Answer:
    frozen = digests(judged)

    def record() -> None:
        record_verdict(request, judged, moment=moment)

    if not judged.verdict.met:
        raise StepFailed(
            _("The gate is not open any more. Not met: %(missing)s.")
            % {"missing": missing_titles(judged.verdict, judged.case)},
            code="gate_closed",
            output=frozen,
            also=record,
        )
    if signed_by_starter:
        raise StepFailed(
            _(
                "Whoever started this promotion has signed for the bundle since, and nobody starts what they signed. "
                "The signature stands; somebody else with the right to promote can start it again."
            ),
            code="promoter_signed",
            output=frozen,
            also=record,
        )
    return Done(frozen, also=record)


def pass_rollback_gate(work: Work) -> Answer:
    """The gate of a rollback: this bundle ran here and completed its watch. No fresh evidence is asked for."""
    ran = Deployment.objects.filter(
        watched_at__isnull=False,
        lane=work.promotion.lane,
        place=work.promotion.place,
        bundle=work.promotion.bundle,
    ).first()
    if ran is None:
        raise StepFailed(
            _("Bundle %(bundle)s never completed its watch here, so nothing says it is safe to return to.")
            % {"bundle": work.promotion.bundle.bundle_id},
            code="rollback_unproven",
        )
    return Done({"ran_since": ran.since.isoformat(), "promotion": ran.promotion_id})
