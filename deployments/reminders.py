"""When whoever was asked and does not answer is reminded, and when whoever manages the project is told of it.

Arithmetic on what was asked. Not in charge of whom to ask (`deployments.asking`, `deployments.asking_waivers`) nor of
telling them (`deployments.actions`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from deployments.models import Ask

MOST_REMINDERS = 3


@dataclass(frozen=True, slots=True)
class Due:
    """What is due of one thing that people were asked: whom to remind, whether to escalate; and when more will be."""

    remind: list[Ask]
    escalate: bool
    soon: list[datetime]


def due(asks: Sequence[Ask], now: datetime) -> Due:
    """What is due of these, of whom everybody was told; at least one."""
    remind, escalate = (
        timedelta(seconds=settings.REMIND_SECONDS),
        timedelta(seconds=settings.ESCALATE_SECONDS),
    )
    late = [one for one in asks if one.reminders < MOST_REMINDERS and _told_last(one) + remind <= now]
    waits = min(one.begun_at for one in asks)
    told = any(one.escalated_at for one in asks)
    escalates = bool(escalate) and not told and waits + escalate <= now
    soon = [
        at + remind
        for one in asks
        if remind and one.reminders + (one in late) < MOST_REMINDERS
        for at in [now if one in late else _told_last(one)]
    ]
    soon += [waits + escalate] if escalate and not told and not escalates else []
    return Due(late if remind else [], escalates, soon)


def _told_last(ask: Ask) -> datetime:
    return ask.reminded_at or ask.begun_at
