"""`manage.py make_report 7 --by nora --out report.pdf`: the audit report of a request, as a file."""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from governance.actions import reports
from governance.models import Report
from portal import content, ledger
from portal.errors import Refused
from portal.event_kinds import EventKind
from portal.models import Person, Project


class Command(BaseCommand):
    """Asks as a person, makes the report here unless a worker is quicker, and writes the PDF."""

    help = "Make the audit report of a request and write it to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("request", type=int, help="the number of the request")
        parser.add_argument(
            "--by", required=True, metavar="LOGIN", help="who asks; must be able to see the project"
        )
        parser.add_argument("--out", required=True, type=Path, metavar="PATH", help="where to write the PDF")
        parser.add_argument(
            "--seconds", type=float, default=120.0, help="how long to wait for a worker that took it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = options["out"].absolute().parent
        if not folder.is_dir():
            raise CommandError(
                f"{options['out']} cannot be written: there is no folder {folder}. Make it, or name another."
            )
        try:
            report = self._made(options["request"], options["by"], options["seconds"])
            body = content.get(str(report.content_id))
        except Refused as refusal:
            raise CommandError(refusal.sentence) from refusal
        try:
            options["out"].write_bytes(body)
        except OSError as error:
            raise CommandError(
                f"The report is made, but cannot be written to {options['out']}: {error.strerror}."
            ) from error
        self.stdout.write(f"{options['out']}  ({len(body):,} bytes, SHA-256 {report.content_id})")

    def _made(self, request: int, login: str, seconds: float) -> Report:
        about = f"request:{request}"
        person = Person.objects.filter(login=login.lower()).first()
        submitted = ledger.rows(subject=about, kinds=[EventKind.REQUEST_SUBMITTED]).first()
        if person is None or submitted is None:
            raise CommandError(
                f"There is no person “{login}”." if person is None else f"There is no request {request}."
            )
        report = reports.ask_report(
            by=person, project=Project.objects.get(key=submitted.project), about=about
        )
        until = time.monotonic() + seconds
        while report.status == Report.Status.ASKED:
            reports.make(by=Person.objects.system(), report_pk=report.pk)
            report.refresh_from_db()
            if report.status == Report.Status.ASKED:  # a worker has it
                if time.monotonic() > until:
                    raise CommandError(
                        f"The report of request {request} is not ready after {seconds:g} s; look at the worker's log."
                    )
                time.sleep(0.2)
        if report.status == Report.Status.FAILED:
            raise CommandError(report.problem)
        return report
