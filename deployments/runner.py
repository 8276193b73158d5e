"""The engine: `advance` runs one step of one promotion, whichever process calls it and whatever died before.

The database is the truth. A lease, taken by compare-and-set, says who works on a promotion; who is silent for longer
than the lease loses it. No transaction is open while DSS is asked.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from deployments import attempts, waits
from deployments.models import Promotion, Step
from deployments.steps import STEPS
from deployments.steps.outcome import Answer, NotYet, StepFailed, Wait, Work
from portal import lease, ledger
from portal.dss.connect import is_passing
from portal.dss.errors import DssError
from portal.errors import Refused
from portal.event_kinds import EventKind
from portal.models import Node
from portal.prepared import prepared

log = logging.getLogger(__name__)

# Times in a row that DSS (or our database) may be away or broken in one look at a step, or that a worker may die in it:
# about a minute in all before anything live changed, ten minutes after that, where giving up costs more than waiting.
PASSING_ERRORS = 8
PASSING_ERRORS_LIVE = 25
OTHER_ERRORS = 3  # times in a row that our own code may break there
FIRST_PAUSE = 0.5  # seconds; doubled each time
LONGEST_PAUSE = 30.0
LONGEST_TEXT = 2000  # characters of a reason


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn came to: go on `at` an instant (now, or after a wait), or nothing more to do here."""

    at: datetime | None = None
    started: int | None = None

    @property
    def goes_on(self) -> bool:
        return self.at is not None and self.at <= timezone.now()


OVER = Turn()


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease: its token, how long it is good, and whether it was taken from somebody whose own had run out."""

    token: str
    until: datetime
    taken_over: bool = False


def advance(promotion_id: int) -> Turn:
    """Run one step of a promotion.

    1. Claim it; a lease that is still good belongs to somebody else.
    2. Take the first step that is not done and mark it started, before it runs.
    3. Run it, outside any transaction, while a thread keeps the lease.
    4. Keep what it answered, in one transaction that only the lease's holder can make.
    """
    claim = _claim(promotion_id)
    if claim is None:
        return OVER
    promotion = _load(promotion_id)
    steps = _steps(promotion=promotion_id)
    for one in steps:
        one.promotion = promotion
    step = next((one for one in steps if one.status in (Step.Status.PENDING, Step.Status.STARTED)), None)
    if step is None:  # killed between the last step and the end
        return _finish(promotion, claim.token)
    now = timezone.now()
    if step.status == Step.Status.PENDING:
        Step.objects.filter(pk=step.pk).update(status=Step.Status.STARTED, started_at=now)
        step.status, step.started_at = Step.Status.STARTED, now
    elif claim.taken_over:  # whoever had it did not come back: this look is a repeat
        step.attempts += 1
        Step.objects.filter(pk=step.pk).update(attempts=step.attempts)
        if step.attempts >= _patience(promotion):
            return _broken(promotion, claim.token, step, "its worker died each time")
    outputs = {one.name: one.output for one in steps if one.status == Step.Status.DONE}
    ours = Promotion.objects.filter(pk=promotion.pk, lease=claim.token)
    try:
        with lease.renewed(ours, claim.until) as held:
            answer = STEPS[step.name](Work(promotion, step, outputs, now, held))
    except lease.Lost:  # stopped, or somebody else works on it
        return OVER
    except StepFailed as refusal:
        failure = refusal
    except DssError as error:
        if is_passing(error) and step.attempts + 1 < _patience(promotion):
            return _again(promotion, claim.token, step, error.sentence)
        failure = _as_failure(error, step)
    except Refused as error:
        failure = _as_failure(error, step)
    except (OperationalError, InterfaceError) as error:  # our database
        if step.attempts + 1 < _patience(promotion):
            return _again(promotion, claim.token, step, type(error).__name__)
        return _broken(promotion, claim.token, step, type(error).__name__)
    except Exception as error:
        return _broke(promotion, claim.token, step, error)
    else:
        return _kept(promotion, claim.token, step, lambda: _keep(promotion, claim.token, step, answer))
    return _kept(promotion, claim.token, step, lambda: _failed(promotion, claim.token, step, failure))


def _kept(promotion: Promotion, token: str, step: Step, keep: Callable[[], Turn]) -> Turn:
    """Keep what a step came to. What cannot be kept is our own breaking, known at once: the lease is given back, not
    left to run out with the promotion nobody's and the lane closed meanwhile."""
    noted = step.output
    try:
        return keep()
    except (OperationalError, InterfaceError):  # our database: it would not take that either
        raise
    except NotYet as later:
        step.output, step.ended_at, wait = noted, None, later.wait
        return _kept(promotion, token, step, lambda: _keep(promotion, token, step, wait))
    except StepFailed as error:  # what was asked in that very transaction said no, so nothing of it is kept
        step.output, step.ended_at = noted, None
        refusal = error
    except Exception as error:
        step.output, step.ended_at = noted, None  # what could not be kept is not what the step came to
        return _broke(promotion, token, step, error)
    return _kept(promotion, token, step, lambda: _failed(promotion, token, step, refusal))


def _broke(promotion: Promotion, token: str, step: Step, error: Exception) -> Turn:
    log.error("step %s of promotion %s broke", step.name, promotion.pk, exc_info=error)
    if step.attempts + 1 < OTHER_ERRORS:
        return _again(promotion, token, step, type(error).__name__)
    return _broken(promotion, token, step, type(error).__name__)


def _as_failure(error: DssError | Refused, step: Step) -> StepFailed:
    return StepFailed(error.sentence, code=error.code, output=step.output)


def _patience(promotion: Promotion) -> int:
    cautious = promotion.live_at is None and promotion.kind == Promotion.Kind.PROMOTE
    return PASSING_ERRORS if cautious else PASSING_ERRORS_LIVE


@prepared
def _promotions(promotion: Any) -> QuerySet[Promotion]:
    rows = Promotion.objects.select_related("lane__project", "lane__stage", "bundle", "place")
    return rows.filter(pk=promotion)


@prepared
def _nodes(nodes: Any) -> QuerySet[Node]:
    return Node.objects.filter(pk__in=nodes)


@prepared
def _steps(promotion: Any) -> QuerySet[Step]:
    return Step.objects.filter(promotion=promotion)


def _load(promotion_id: int) -> Promotion:
    """The promotion with what every step reads of it, in two queries: PostgreSQL plans one over all these tables
    for longer than everything else of a look takes. Its request is for the few steps that ask for it."""
    (promotion,) = _promotions(promotion=promotion_id)
    project, place = promotion.lane.project, promotion.place
    wanted = {project.node_id, place.deployer_id, place.automation_id}
    nodes = {node.pk: node for node in _nodes(nodes=wanted)}
    project.node = nodes[project.node_id]
    place.deployer, place.automation = nodes[place.deployer_id], nodes[place.automation_id]
    promotion.bundle.project = project
    return promotion


def _claim(promotion_id: int) -> Claim | None:
    now = timezone.now()
    claim = Claim(secrets.token_hex(16), now + timedelta(seconds=settings.LEASE_SECONDS))
    due = Promotion.objects.filter(
        Q(wake_at__isnull=True) | Q(wake_at__lte=now + waits.SLACK),
        pk=promotion_id,
        status=Promotion.Status.RUNNING,
    )
    if due.filter(lease_until__isnull=True).update(lease=claim.token, lease_until=claim.until):
        return claim
    if due.filter(lease_until__lt=now).update(lease=claim.token, lease_until=claim.until):
        return replace(claim, taken_over=True)
    return None


def _release(promotion: Promotion, token: str, wake_at: datetime | None) -> bool:
    """Give the lease back, first in each transaction: False when it was lost, and then nothing is kept."""
    return bool(
        Promotion.objects.filter(pk=promotion.pk, lease=token, status=Promotion.Status.RUNNING).update(
            lease="", lease_until=None, wake_at=wake_at
        )
    )


def _keep(promotion: Promotion, token: str, step: Step, answer: Answer) -> Turn:
    now = timezone.now()
    if isinstance(answer, Wait):
        at = now + timedelta(seconds=answer.seconds) if answer.seconds > 0 else None
        with ledger.business():
            if not _release(promotion, token, at):
                return OVER
            # The look came to an answer, so the count of those that did not begins anew.
            Step.objects.filter(pk=step.pk).update(output=answer.note or step.output, attempts=0, problem="")
            if answer.also is not None:
                answer.also()
        return Turn(at or now)
    with ledger.business():
        if not _release(promotion, token, None):
            return OVER
        if answer.also is not None:
            answer.also()
        _step_over(step, Step.Status.DONE, answer.output)
        ledger.record(
            EventKind.STEP_DONE,
            by=None,
            subject=promotion.subject,
            project=promotion.lane.project.key,
            **_facts(step),
        )
        if not promotion.steps.filter(position__gt=step.position).exists():
            attempts.succeed(promotion)
            return OVER
    return Turn(now)


def _finish(promotion: Promotion, token: str) -> Turn:
    with ledger.business():
        if _release(promotion, token, None):
            attempts.succeed(promotion)
    return OVER


def _broken(promotion: Promotion, token: str, step: Step, what: str) -> Turn:
    reason = f"Countersign itself broke in this step ({what}); its log says where."
    refusal = StepFailed(reason, code="broken", output=step.output)
    return _failed(promotion, token, step, refusal, verb="error")


def _failed(promotion: Promotion, token: str, step: Step, refusal: StepFailed, verb: str = "fail") -> Turn:
    reason = str(refusal.sentence)
    if len(reason) > LONGEST_TEXT:
        reason = reason[: LONGEST_TEXT - 1] + "…"
    with ledger.business():
        if not _release(promotion, token, None):
            return OVER
        if refusal.also is not None:
            refusal.also()
        _step_over(step, Step.Status.FAILED, refusal.output, problem=reason)
        ledger.record(
            EventKind.STEP_FAILED,
            by=None,
            subject=promotion.subject,
            project=promotion.lane.project.key,
            code=refusal.code,
            reason=reason,
            **_facts(step),
        )
        rollback = attempts.fail(promotion, verb=verb, code=refusal.code, reason=reason)
    return Turn(started=rollback.pk if rollback else None)


def _again(promotion: Promotion, token: str, step: Step, problem: str) -> Turn:
    """Something passing went wrong: look again after a pause that doubles up to the longest."""
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(step.attempts, 20))
    at = timezone.now() + timedelta(seconds=pause)
    with ledger.business():
        if not _release(promotion, token, at):
            return OVER
        Step.objects.filter(pk=step.pk).update(attempts=F("attempts") + 1, problem=problem)
    return Turn(at)


def _step_over(step: Step, status: str, output: dict[str, Any], problem: str = "") -> None:
    step.ended_at = timezone.now()
    step.output = output
    Step.objects.filter(pk=step.pk).update(
        status=status, ended_at=step.ended_at, output=output, problem=problem
    )


def _facts(step: Step) -> dict[str, Any]:
    return {
        "promotion": step.promotion_id,
        "request": step.promotion.request_id,
        "step": step.name,
        "index": step.position,
        "started_at": step.started_at and step.started_at.isoformat(),
        "ended_at": step.ended_at and step.ended_at.isoformat(),
        "attempts": step.attempts + 1,
        "output": step.output,
    }
