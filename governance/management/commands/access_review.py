"""manage.py access_review start|list|close: starts a review, tells how far reviews are, writes down which are over."""

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from governance import reviews
from governance.actions import access_reviews
from governance.models import AccessReview
from portal.errors import Refused
from portal.lookups import service_named
from portal.models import Person, Portfolio, Project


class Command(BaseCommand):
    """Each verb says what it did; a refusal ends it with its sentence."""

    help = "Start an access review, tell how far reviews are, or close those that are over."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        start = verbs.add_parser("start", help="ask about every right in force")
        where = start.add_mutually_exclusive_group()
        where.add_argument("--project", metavar="KEY", help="on one project")
        where.add_argument("--portfolio", metavar="SLUG", help="on a portfolio and its projects")
        start.add_argument(
            "--due", help="a date or a time with a zone, such as 2027-03-31; default: in three weeks"
        )
        start.add_argument("--why", required=True)
        start.add_argument(
            "--as",
            dest="login",
            required=True,
            help="a service account with manage on the estate",
        )
        verbs.add_parser("list", help="tell how far each review is")
        verbs.add_parser("close", help="write down which reviews are over, as beat does every minute")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['verb']}")(options)
        except Refused as refusal:
            raise CommandError(refusal.sentence) from refusal

    def _start(self, options: dict[str, Any]) -> None:
        project = portfolio = None
        if options["project"]:
            project = Project.objects.filter(key=options["project"]).first()
            if project is None:
                raise CommandError(f"There is no project “{options['project']}”.")
        if options["portfolio"]:
            portfolio = Portfolio.objects.filter(slug=options["portfolio"]).first()
            if portfolio is None:
                raise CommandError(f"There is no portfolio “{options['portfolio']}”.")
        review = access_reviews.start(
            by=service_named(options["login"]),
            due=_due(options["due"]),
            why=options["why"],
            project=project,
            portfolio=portfolio,
        )
        asked = reviews.progress_of([review])[review.pk].asked
        due = f"{review.due:%Y-%m-%d %H:%M} UTC"
        self.stdout.write(
            f"Access review {review.pk} of {review.scope} has started: {asked} rights, due {due}."
        )

    def _list(self, options: dict[str, Any]) -> None:
        found = list(AccessReview.objects.select_related("project", "portfolio"))
        progress = reviews.progress_of(found)
        for one in found:
            far = progress[one.pk]
            self.stdout.write(
                f"{one.pk}\t{one.status}\t{one.scope}\tdue {one.due:%Y-%m-%d %H:%M} UTC\t{far.asked} asked,"
                f" {far.waiting} waiting, {far.confirmed} confirmed, {far.revoked} revoked, {far.lapsed} not confirmed"
            )

    def _close(self, options: dict[str, Any]) -> None:
        over = AccessReview.objects.filter(status=AccessReview.Status.OPEN, due__lte=timezone.now())
        for review in over:
            if access_reviews.close(by=Person.objects.system(), review=review):
                self.stdout.write(f"Access review {review.pk} is closed.")


def _due(text: str | None) -> datetime:
    if text is None:
        return timezone.now() + timedelta(days=21)
    try:
        at = parse_datetime(text)
        day = parse_date(text)
    except ValueError:
        at = day = None
    if day is not None and (at is None or len(text) == 10):
        # The whole of that day, in UTC.
        return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=timezone.get_default_timezone())
    if at is None or timezone.is_naive(at):
        raise CommandError(f"“{text}” is no date such as 2027-03-31 and no time with a zone.")
    return at
