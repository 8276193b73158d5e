"""Checks the whole ledger and says in one line whether it holds."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal.verification import verify


class Command(BaseCommand):
    help = "Check every event, disclosure and checkpoint of the ledger. Exits 1 and names the first that is broken."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object instead of a sentence")

    def handle(self, *args: Any, **options: Any) -> None:
        found = verify()
        if options["json"]:
            self.stdout.write(json.dumps({"holds": found.holds, **asdict(found)}))
        else:
            (self.stdout if found.holds else self.stderr).write(found.sentence)
        if not found.holds:
            sys.exit(1)
