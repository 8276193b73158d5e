"""Celery's way into the portal: fetch, call, done."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from portal import checkpoints, telling, throttle
from portal.actions import bundles
from portal.models import Bundle, Person
from portal.sessions import SessionStore


@shared_task
def register_bundle(pk: str) -> None:
    """Export or pick, hash and keep one bundle."""
    bundles.register(by=Person.objects.system(), bundle_pk=int(pk))


@shared_task
def sweep_bundles() -> None:
    """Take up bundles whose worker went away or whose message was lost."""
    now = timezone.now()
    waiting = Q(lease_until__lt=now) | Q(
        lease_until__isnull=True, asked_at__lt=now - timedelta(seconds=settings.SWEEP_SECONDS)
    )
    for pk in Bundle.objects.filter(waiting, status=Bundle.Status.ASKED).values_list("pk", flat=True)[:20]:
        register_bundle.delay(str(pk))


@shared_task
def cut_checkpoint() -> None:
    """Sign the tree if it has grown."""
    checkpoints.cut_if_grown()


@shared_task
def forget_ended() -> None:
    """Delete sessions and counts of failed tries that have ended, and what people were told long ago."""
    SessionStore.clear_expired()
    throttle.forget_old()
    telling.forget_old()


@shared_task
def send_mail(_subject: str = "") -> None:
    """Send what people were told by e-mail, as far as it is due; whatever woke it."""
    telling.send_due()
