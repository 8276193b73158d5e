"""The engine: `advance` runs one step of one promotion, whichever process calls it and whatever died before.

The database is the truth. A lease, taken by compare-and-set, says who works on a promotion; who is silent for longer
than the lease loses it. No transaction is open while DSS is asked.
"""

import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from deployments import attempts
from deployments.models import Promotion, Step
from deployments.steps import STEPS
from deployments.steps.outcome import Answer, Done, StepFailed, Wait, Work
from portal import ledger
from portal.dss.connect import is_passing
from portal.dss.errors import DssError
from portal.errors import Refused
from portal.event_kinds import EventKind

log = logging.getLogger(__name__)

PASSING_ERRORS = (
    8  # times DSS may be away or broken in one step, with growing pauses (about two minutes in all)
)
OTHER_ERRORS = 3  # times our own code may break in one step


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn came to: go on `at` an instant (now, or after a wait), or nothing more to do here."""

    at: datetime | None = None
    started: int | None = None

    @property
    def goes_on(self) -> bool:
        return self.at is not None and self.at <= timezone.now()


OVER = Turn()


def advance(promotion_id: int) -> Turn:
    """Run one step of a promotion.

    1. Claim it; a lease that is still good belongs to somebody else.
    2. Take the first step that is not done and mark it started, before it runs.
    3. Run it, outside any transaction.
    4. Keep what it answered, in one transaction that only the lease's holder can make.
    """
    lease = _claim(promotion_id)
    if lease is None:
        return OVER
    promotion = _load(promotion_id)
    steps = list(promotion.steps.all())
    step = next((one for one in steps if one.status in (Step.Status.PENDING, Step.Status.STARTED)), None)
    if step is None:  # killed between the last step and the end
        return _finish(promotion, lease)
    now = timezone.now()
    if step.status == Step.Status.PENDING:
        Step.objects.filter(pk=step.pk).update(status=Step.Status.STARTED, started_at=now)
        step.status, step.started_at = Step.Status.STARTED, now
    outputs = {one.name: one.output for one in steps if one.status == Step.Status.DONE}
    try:
        answer = STEPS[step.name](Work(promotion, step, outputs, now))
    except StepFailed as refusal:
        return _failed(
            promotion,
            lease,
            step,
            verb="fail",
            code=refusal.code,
            reason=refusal.sentence,
            output=refusal.output,
        )
    except DssError as error:
        if is_passing(error) and step.attempts + 1 < PASSING_ERRORS:
            return _again(promotion, lease, step, error.sentence)
        return _failed(
            promotion, lease, step, verb="fail", code=error.code, reason=error.sentence, output=step.output
        )
    except Refused as refusal:
        return _failed(
            promotion,
            lease,
            step,
            verb="fail",
            code=refusal.code,
            reason=refusal.sentence,
            output=step.output,
        )
    except Exception as error:
        log.exception("step %s of promotion %s broke", step.name, promotion.pk)
        if step.attempts + 1 < OTHER_ERRORS:
            return _again(promotion, lease, step, type(error).__name__)
        reason = f"Countersign itself broke in this step ({type(error).__name__}); its log says where."
        return _failed(promotion, lease, step, verb="error", code="broken", reason=reason, output=step.output)
    return _keep(promotion, lease, step, answer)


def _load(promotion_id: int) -> Promotion:
    return Promotion.objects.select_related(
        "lane__project__node",
        "lane__stage",
        "bundle",
        "request__requested_by",
        "place__deployer",
        "place__automation",
        "request__bundle__author",
        "request__lane__project",
        "request__lane__stage",
    ).get(pk=promotion_id)


def _claim(promotion_id: int) -> str | None:
    now = timezone.now()
    lease = secrets.token_hex(16)
    claimed = Promotion.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lt=now),
        Q(wake_at__isnull=True) | Q(wake_at__lte=now + timedelta(milliseconds=5)),
        pk=promotion_id,
        status=Promotion.Status.RUNNING,
    ).update(lease=lease, lease_until=now + timedelta(seconds=settings.LEASE_SECONDS))
    return lease if claimed else None


def _release(promotion: Promotion, lease: str, wake_at: datetime | None) -> bool:
    """Give the lease back, first in each transaction: False when it was lost, and then nothing is kept."""
    return bool(
        Promotion.objects.filter(pk=promotion.pk, lease=lease, status=Promotion.Status.RUNNING).update(
            lease="", lease_until=None, wake_at=wake_at
        )
    )


def _keep(promotion: Promotion, lease: str, step: Step, answer: Answer) -> Turn:
    now = timezone.now()
    if isinstance(answer, Wait):
        at = now + timedelta(seconds=answer.seconds) if answer.seconds > 0 else None
        with ledger.business():
            if not _release(promotion, lease, at):
                return OVER
            Step.objects.filter(pk=step.pk).update(output=answer.note or step.output)
        return Turn(at or now)
    with ledger.business():
        if not _release(promotion, lease, None):
            return OVER
        _step_over(promotion, step, Step.Status.DONE, answer.output)
        ledger.record(
            EventKind.STEP_DONE,
            by=None,
            subject=promotion.subject,
            project=promotion.lane.project.key,
            **_facts(step, answer),
        )
        if step.position == len(promotion.steps.all()) - 1:
            attempts.succeed(promotion)
            return OVER
    return Turn(now)


def _finish(promotion: Promotion, lease: str) -> Turn:
    with ledger.business():
        if _release(promotion, lease, None):
            attempts.succeed(promotion)
    return OVER


def _failed(
    promotion: Promotion, lease: str, step: Step, *, verb: str, code: str, reason: str, output: dict[str, Any]
) -> Turn:
    with ledger.business():
        if not _release(promotion, lease, None):
            return OVER
        _step_over(promotion, step, Step.Status.FAILED, output, problem=reason)
        ledger.record(
            EventKind.STEP_FAILED,
            by=None,
            subject=promotion.subject,
            project=promotion.lane.project.key,
            code=code,
            reason=reason,
            **_facts(step, Done(output)),
        )
        rollback = attempts.fail(promotion, verb=verb, code=code, reason=reason)
    return Turn(started=rollback.pk if rollback else None)


def _again(promotion: Promotion, lease: str, step: Step, problem: str) -> Turn:
    """Something passing went wrong: look again after a pause that doubles, 0.5 s at first and 30 s at most."""
    at = timezone.now() + timedelta(seconds=min(30.0, 0.5 * 2**step.attempts))
    with ledger.business():
        if not _release(promotion, lease, at):
            return OVER
        Step.objects.filter(pk=step.pk).update(attempts=F("attempts") + 1, problem=problem)
    return Turn(at)


def _step_over(
    promotion: Promotion, step: Step, status: str, output: dict[str, Any], problem: str = ""
) -> None:
    step.ended_at = timezone.now()
    step.output = output
    Step.objects.filter(pk=step.pk).update(
        status=status, ended_at=step.ended_at, output=output, problem=problem
    )


def _facts(step: Step, answer: Done) -> dict[str, Any]:
    return {
        "promotion": step.promotion_id,
        "request": step.promotion.request_id,
        "step": step.name,
        "index": step.position,
        "started_at": step.started_at and step.started_at.isoformat(),
        "ended_at": step.ended_at and step.ended_at.isoformat(),
        "attempts": step.attempts + 1,
        "output": answer.output,
    }
