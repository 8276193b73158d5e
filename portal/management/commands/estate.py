"""manage.py estate check|diff|apply: keeps nodes, pipelines, stages and places in a file, and so in Git."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal import estate_file
from portal.actions import landscape
from portal.errors import Refused
from portal.management.files import DIFFERENCES, ERRORS, service
from portal.models import Change


class Command(BaseCommand):
    """Exit codes: 0 the estate is (or was brought) as the file says, 1 it differs, 2 the file or the act is refused."""

    help = "Check a document of the estate, show what it would change, or bring the estate to it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb, what in (
            ("check", "say whether the document can be used"),
            ("diff", "show what applying it would change"),
            ("apply", "bring the estate to it"),
        ):
            one = verbs.add_parser(verb, help=what)
            one.add_argument("file", type=Path)
            if verb == "apply":
                one.add_argument(
                    "--as", dest="login", required=True, help="the service account that proposes it"
                )
                one.add_argument("--why", required=True)
        verbs.add_parser("export", help="write the estate as a document")

    def handle(self, *args: Any, **options: Any) -> None:
        verb = options["verb"]
        if verb == "export":
            self.stdout.write(estate_file.written(estate_file.current()), ending="")
            return
        document = _read(options["file"])
        try:
            landscape.check_teams(document)
        except Refused as refusal:
            raise CommandError(f"{options['file']}: {refusal.sentence}", returncode=ERRORS) from refusal
        found = estate_file.differences(estate_file.current(), document)
        if verb == "check":
            self.stdout.write("The document can be used.")
            return
        if not found:
            self.stdout.write("The estate is like this already.")
            return
        for line in found:
            self.stdout.write(line)
        if verb == "diff":
            raise SystemExit(DIFFERENCES)
        by = service(options["login"])
        try:
            change = landscape.bring(by=by, document=document, why=options["why"], reviewed=True)
        except Refused as refusal:
            raise CommandError(refusal.sentence, returncode=ERRORS) from refusal
        if change.status == Change.Status.APPLIED:
            self.stdout.write("Applied.")
        else:
            self.stdout.write(f"Change {change.pk} waits for a second administrator.")


def _read(path: Path) -> estate_file.Document:
    try:
        return estate_file.read(path.read_bytes())
    except OSError as error:
        raise CommandError(
            f"{path}: {error.strerror}. Name a file that can be read.", returncode=ERRORS
        ) from error
    except estate_file.EstateError as error:
        told = "\n".join(
            f"{path}:{one.line}:{one.column}: {one.message} {one.remedy}" for one in error.problems
        )
        raise CommandError(told, returncode=ERRORS) from error
