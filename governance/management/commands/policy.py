"""manage.py policy check|diff|apply|replay: policies as files in a repository."""

from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance.actions import policies
from governance.past import judged_under
from governance.policy import PolicyDocument, PolicyError, parse
from governance.policy_words import differences
from governance.queries import newest_version, parsed
from governance.replay import replay
from governance.replay_words import summary, told
from governance.standing import moved_by
from portal import ledger
from portal.errors import Refused
from portal.management.files import DIFFERENCES, ERRORS, files_at, service
from portal.models import Change


@dataclass(frozen=True, slots=True)
class _Stated:
    """What one file states."""

    file: Path
    source: str
    document: PolicyDocument

    @property
    def changes(self) -> list[str]:
        """What it would change of the policy in force, in words."""
        newest = newest_version(self.document.name)
        if newest is not None and newest.digest == self.document.digest:
            return []
        return differences(None if newest is None else parsed(newest.source), self.document)


class Command(BaseCommand):
    """Exit status: 0 nothing to do, applied or proposed; 1 differences (diff), other outcomes (replay); 2 errors."""

    help = (
        "check: can the files be used? diff: what would they change? replay: which judgements would have ended"
        " otherwise? apply: propose them. Each file is one policy; a policy without a file stays as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["check", "diff", "apply", "replay"])
        parser.add_argument("what", help="a file or a directory")
        parser.add_argument("--as", dest="login", help="apply: the service account that proposes it")
        parser.add_argument("--why", default="", help="apply: the reason, for whoever decides")
        parser.add_argument(
            "--newest",
            type=int,
            metavar="N",
            help="replay: only so many judgements of each policy, the newest",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = self._read(Path(options["what"]))
        if options["verb"] == "check":
            self.stdout.write(f"{len(found)} policies, all usable.")
        elif options["verb"] == "diff":
            if self._told(found):
                raise SystemExit(DIFFERENCES)
        elif options["verb"] == "replay":
            self._replay(found, options["newest"])
        else:
            self._apply(found, options["login"], options["why"].strip())

    def _read(self, path: Path) -> list[_Stated]:
        """What all files state; every mistake of every file is told before this gives up."""
        found: list[_Stated] = []
        wrong: list[str] = []
        files = files_at(path, lambda file: file.suffix.lower() in (".yaml", ".yml"), ".yaml or .yml")
        for file in files:
            try:
                source = file.read_bytes().decode()
                one = _Stated(file, source, parse(source))
            except OSError as error:
                wrong.append(f"{file}: cannot be read: {error.strerror}.")
            except UnicodeDecodeError as error:
                wrong.append(f"{file}: is not UTF-8 at byte {error.start}. Save it as UTF-8.")
            except PolicyError as error:
                wrong += [f"{file}:{p.line}:{p.column}: {p.message} {p.remedy}" for p in error.problems]
            else:
                twin = next((two for two in found if two.document.name == one.document.name), None)
                if twin is not None:
                    wrong.append(
                        f"{file}:1:1: The policy {one.document.name} is stated in {twin.file} too."
                        " Keep it in one file."
                    )
                found.append(one)
        if wrong:
            raise CommandError("\n".join(wrong), returncode=ERRORS)
        return found

    def _told(self, found: list[_Stated]) -> list[_Stated]:
        """Say what would change, policy by policy; those of which anything would."""
        differing = []
        for one in found:
            changes = one.changes
            if changes:
                differing.append(one)
                self.stdout.write(f"{one.document.name}:")
                for line in changes:
                    self.stdout.write(f"  {line}")
                moved, in_all = moved_by(one.document)
                for project in moved:
                    self.stdout.write(f"  {project.sentence}")
                if in_all > len(moved):
                    self.stdout.write(f"  And {in_all - len(moved)} more projects.")
        if not differing:
            self.stdout.write("Nothing would change.")
        return differing

    def _replay(self, found: list[_Stated], newest: int | None) -> None:
        if newest is not None and newest < 1:
            raise CommandError("--newest: give a number from 1.", returncode=ERRORS)
        flipped = False
        for one in found:
            try:
                replayed = replay(one.document, judged_under(one.document.name, newest))
            except Refused as refusal:
                raise CommandError(f"{one.document.name}: {refusal.sentence}", returncode=ERRORS) from refusal
            self.stdout.write(f"{one.document.name}: {summary(replayed)}")
            for line in told(replayed):
                self.stdout.write(f"  {line.sentence}")
            flipped = flipped or bool(replayed.flips)
        if flipped:
            raise SystemExit(DIFFERENCES)

    def _apply(self, found: list[_Stated], login: str | None, why: str) -> None:
        by = service(login)
        differing = self._told(found)
        if not differing:
            return
        if not why:
            raise CommandError("Say why: --why, for whoever decides.", returncode=ERRORS)
        made: list[tuple[_Stated, Change]] = []
        with ledger.business():  # all of it, or nothing
            for one in differing:
                try:
                    made.append((one, policies.propose(by=by, source=one.source, why=why, reviewed=True)))
                except Refused as refusal:
                    raise CommandError(
                        f"{one.document.name}: {refusal.sentence}", returncode=ERRORS
                    ) from refusal
        for one, change in made:
            if change.status == Change.Status.APPLIED:
                self.stdout.write(f"{one.document.name}: published.")
            else:
                self.stdout.write(
                    f"{one.document.name}: change {change.pk} waits for an administrator to apply it."
                )
