"""Celery's way into governance: fetch, call, done."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from governance.actions import access_reviews, evidence, reports
from governance.models import AccessReview, Collection, Report
from portal.models import Person


@shared_task
def collect_evidence(pk: str) -> None:
    """Work on one collection, and come again while DSS computes for it."""
    again = evidence.collect(by=Person.objects.system(), collection_pk=int(pk))
    if again is not None:
        collect_evidence.apply_async(args=[pk], countdown=again)


@shared_task
def sweep_collections() -> None:
    """Take up collections whose worker went away or whose message was lost."""
    now = timezone.now()
    lost = Q(lease_until__lt=now) | Q(
        lease_until__isnull=True, asked_at__lt=now - timedelta(seconds=max(10.0, settings.SWEEP_SECONDS))
    )
    for pk in Collection.objects.filter(lost, status=Collection.Status.ASKED).values_list("pk", flat=True)[
        :20
    ]:
        collect_evidence.delay(str(pk))


@shared_task
def make_report(pk: str) -> None:
    """Make one report."""
    reports.make(by=Person.objects.system(), report_pk=int(pk))


@shared_task
def sweep_reports() -> None:
    """Take up reports whose worker went away or whose message was lost."""
    now = timezone.now()
    since = now - timedelta(seconds=max(10.0, settings.SWEEP_SECONDS))
    lost = Q(lease_until__lt=now) | Q(lease_until__isnull=True, asked_at__lt=since)
    for pk in Report.objects.filter(lost, status=Report.Status.ASKED).values_list("pk", flat=True)[:20]:
        make_report.delay(str(pk))


@shared_task
def start_access_review() -> None:
    """Start one where it is time."""
    access_reviews.start_if_time(by=Person.objects.system())


@shared_task
def close_access_reviews() -> None:
    """Write down which reviews are over; their effect needs nobody to."""
    for review in AccessReview.objects.filter(status=AccessReview.Status.OPEN, due__lte=timezone.now()):
        access_reviews.close(by=Person.objects.system(), review=review)
