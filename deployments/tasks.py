"""Celery's way into deployments: it carries an id, the database is the truth."""

from celery import shared_task

from deployments import runner, waits


@shared_task
def advance_promotion(pk: str) -> None:
    """Work a promotion off until it waits or is over."""
    turn = runner.advance(int(pk))
    while turn.goes_on:
        turn = runner.advance(int(pk))
    if turn.at is not None:
        waits.schedule(turn.at, _send_poll)


@shared_task
def poll(ticket: int) -> None:
    """Look at every wait that is due, then come back when the next one is."""
    due = waits.take(ticket)
    if due is None:
        return
    try:
        for pk in due:
            turn = runner.advance(pk)
            if turn.goes_on:
                advance_promotion.delay(str(pk))
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
