"""Who looks at waits and when: one poller, which re-schedules itself, so that no worker slot is held by a wait.

A poll message carries a ticket; only the newest ticket counts, so messages that were lost or doubled do no harm. The
sweep starts the poller again when its message was lost.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Min, Q, QuerySet
from django.utils import timezone

from deployments.models import Poller, Promotion

SLACK = timedelta(milliseconds=5)
AHEAD = timedelta(seconds=1)  # a poll sent ahead of one that may hang
ROUND_SECONDS = 1.0  # of one poll; what is left over is the next one's
Send = Callable[[int, float], None]  # ticket, seconds from now


def schedule(at: datetime, send: Send) -> None:
    """See to it that a poll comes at `at` or earlier."""
    Poller.objects.get_or_create(pk=1)
    sooner = Poller.objects.filter(Q(due_at__isnull=True) | Q(due_at__gt=at + SLACK), pk=1)
    if sooner.update(due_at=at, ticket=F("ticket") + 1):
        ticket = Poller.objects.values_list("ticket", flat=True).get(pk=1)
        send(ticket, max(0.0, (at - timezone.now()).total_seconds()))


def take(ticket: int) -> list[int] | None:
    """The promotions that are due, for the poll with this ticket; None when the ticket does not count any more."""
    if not Poller.objects.filter(pk=1, ticket=ticket).update(ticket=F("ticket") + 1, due_at=None):
        return None
    return list(
        _waiting()
        .filter(wake_at__lte=timezone.now() + SLACK)
        .order_by("wake_at")
        .values_list("pk", flat=True)
    )


def others_than(looked_at: Sequence[int]) -> bool:
    """Whether anything waits besides these promotions."""
    return _waiting().exclude(pk__in=looked_at).exists()


def next_due() -> datetime | None:
    """When the next wait is to be looked at."""
    at: datetime | None = _waiting().aggregate(at=Min("wake_at"))["at"]
    return at


def orphans() -> list[int]:
    """Running promotions that nobody works on and nobody will wake: their message or their worker was lost."""
    now = timezone.now()
    late = now - timedelta(seconds=max(2.0, settings.SWEEP_SECONDS))
    return list(
        Promotion.objects.filter(status=Promotion.Status.RUNNING)
        .filter(
            Q(lease_until__lt=now)
            | Q(lease_until__isnull=True, wake_at__isnull=True)
            | Q(lease_until__isnull=True, wake_at__lt=late)
        )
        .values_list("pk", flat=True)
    )


def is_late() -> bool:
    """Whether the poller missed its time although something waits."""
    row = Poller.objects.filter(pk=1).first()
    due = next_due()
    if due is None:
        return False
    late = timezone.now() - timedelta(seconds=2)
    return row is None or row.due_at is None or row.due_at < late


def reset() -> None:
    """Forget when the next poll was due, so that the next schedule() sends one."""
    Poller.objects.filter(pk=1).update(due_at=None)


def _waiting() -> QuerySet[Promotion]:
    return Promotion.objects.filter(
        status=Promotion.Status.RUNNING, wake_at__isnull=False, lease_until__isnull=True
    )
