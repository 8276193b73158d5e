"""manage.py rights check|diff|apply|export: rights as files in a repository."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal import ledger
from portal.actions import edits
from portal.errors import Invalid, Refused
from portal.management.files import DIFFERENCES, ERRORS, files_at, service
from portal.models import Change
from portal.proposed import lines, refusal_of
from portal.rights_files import FileError, Format, Wanted, place_named, scope_of, wanted, with_why, written

FORMS: dict[str, Format] = {".yaml": "yaml", ".yml": "yaml", ".csv": "csv"}


class Command(BaseCommand):
    """Exit status: 0 nothing to do, applied or proposed; 1 differences (diff); 2 errors."""

    help = (
        "check: are the files usable? diff: what would they change? apply: propose it. export: write what is in force."
        " A file states the rights given at one place wholly: what it does not list is revoked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["check", "diff", "apply", "export"])
        parser.add_argument(
            "what", help="a file or a directory; for export: estate, 'project KEY' or 'portfolio slug'"
        )
        parser.add_argument("--as", dest="login", help="apply: the service account that proposes it")
        parser.add_argument("--why", default="", help="apply: the reason of what the files revoke")
        parser.add_argument("--format", choices=["yaml", "csv"], default="yaml", help="export: which")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verb"] == "export":
            try:
                self.stdout.write(
                    written(place_named(options["what"]), options["format"], estate=True), ending=""
                )
            except Invalid as refusal:
                raise CommandError(refusal.sentence, returncode=ERRORS) from refusal
            return
        found = self._read(Path(options["what"]))
        if options["verb"] == "check":
            self.stdout.write(f"{len(found)} places, all usable.")
        elif options["verb"] == "diff":
            if self._told(found):
                raise SystemExit(DIFFERENCES)
        else:
            self._apply(found, options["login"], options["why"].strip() or "Applied from files.")

    def _read(self, path: Path) -> list[Wanted]:
        """What all files state; every mistake of every file is told before this gives up."""
        files = files_at(path, lambda file: _form(file) is not None, ".yaml, .yml or .csv")
        found: list[Wanted] = []
        told: list[str] = []
        stated: dict[str, Path] = {}
        for file in files:
            try:
                places = wanted(file.read_bytes(), _form(file) or "yaml")
            except OSError as error:
                told.append(f"{file}: cannot be read: {error.strerror}.")
                continue
            except FileError as wrong:
                told += [f"{file}:{problem}" for problem in wrong.problems]
                continue
            for one in places:
                other = stated.setdefault(one.place.key, file)
                if other != file:
                    told.append(
                        f"{file}:1:1: {scope_of(one.place)} is stated in {other} too. Keep it in one file."
                    )
                found.append(one)
        if told:
            raise CommandError("\n".join(told), returncode=ERRORS)
        return found

    def _told(self, found: list[Wanted]) -> bool:
        """Say what would change, place by place; whether anything would."""
        for one in found:
            if not one.ops:
                continue
            self.stdout.write(f"{scope_of(one.place)} (what its file does not list is revoked):")
            for line in lines(one.ops):
                self.stdout.write(f"  {line.sentence}")
        differs = any(one.ops for one in found)
        if not differs:
            self.stdout.write("Nothing would change.")
        return differs

    def _apply(self, found: list[Wanted], login: str | None, why: str) -> None:
        by = service(login)
        if not self._told(found):
            return
        made: list[Change] = []
        with ledger.business():  # all of it, or nothing
            for one in found:
                ops = with_why(one, why)
                if not ops:
                    continue
                try:
                    made.append(edits.edit(by=by, ops=ops, why=why, reviewed=True, **one.place.address))
                except Refused as refusal:
                    said = refusal_of(refusal, ops)
                    raise CommandError(f"{scope_of(one.place)}: {said}", returncode=ERRORS) from refusal
        for change in made:
            if change.status == Change.Status.APPLIED:
                self.stdout.write(f"Applied as change {change.pk}.")
            else:
                self.stdout.write(f"Change {change.pk} waits for an administrator to apply it.")


def _form(file: Path) -> Format | None:
    """What a file is by its name, however that is spelled: one that is passed over would revoke nothing, unseen."""
    return FORMS.get(file.suffix.lower())
