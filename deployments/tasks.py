"""Celery's way into deployments: it carries an id, the database is the truth."""

import logging
import time

from celery import shared_task
from django.utils import timezone

from deployments import asking, runner, starting, waits

log = logging.getLogger(__name__)


@shared_task
def advance_promotion(pk: str) -> None:
    """Work a promotion off until it waits or is over."""
    turn = runner.advance(int(pk))
    while turn.goes_on:
        turn = runner.advance(int(pk))
    if turn.at is not None:
        waits.schedule(turn.at, _send_poll)


@shared_task
def start_ready(project: str) -> None:
    """Something happened in a project that may have been the last thing a request of it waited for."""
    starting.start_ready(project)


@shared_task
def sweep_ready() -> None:
    """Start what only time made ready, and what was lost with a message."""
    starting.start_ready()


@shared_task
def look_after(project: str) -> None:
    """Something happened in a project: whom to ask to sign, and which signatures count no more."""
    asking.look_after(project)


@shared_task
def look_after_all(_subject: str = "") -> None:
    """Something happened that any request may depend on: the same for all of them."""
    asking.due_now()
    sweep_looks()


@shared_task
def sweep_looks() -> None:
    """The same for what only time brought, and for what was lost with a message."""
    while asking.look_after() == asking.AT_A_TIME:
        pass


@shared_task
def poll(ticket: int) -> None:
    """Look at the waits that are due, for a second at most, then come back when the next one is due.

    A node that does not answer holds up this poll alone: where others wait too, another poll is sent ahead.
    """
    due = waits.take(ticket)
    if due is None:
        return
    try:
        if waits.others_than(due[:1]):
            waits.schedule(timezone.now() + waits.AHEAD, _send_poll)
        end = time.monotonic() + waits.ROUND_SECONDS
        for pk in due:
            try:
                turn = runner.advance(pk)
            except Exception:  # its lease runs out, and the sweep takes it up
                log.exception("promotion %s could not be looked at", pk)
                continue
            if turn.goes_on:
                advance_promotion.delay(str(pk))
            if time.monotonic() > end:
                break
    finally:
        at = waits.next_due()
        if at is not None:
            waits.schedule(at, _send_poll)


@shared_task
def sweep() -> None:
    """Take up what was lost with a worker or a message."""
    for pk in waits.orphans():
        advance_promotion.delay(str(pk))
    if waits.is_late():
        waits.reset()
        at = waits.next_due()
        if at is not None:
            waits.schedule(at, _send_poll)


def _send_poll(ticket: int, seconds: float) -> None:
    poll.apply_async(args=[ticket], countdown=seconds if seconds > 0 else None)
