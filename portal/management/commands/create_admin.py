"""manage.py create_admin: makes an administrator (manage on the estate). The password comes from a prompt or stdin."""

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.actions import grants, people
from portal.errors import Refused
from portal.models import Person


class Command(BaseCommand):
    """Makes an administrator; running it again for the same login changes nothing, its password neither."""

    help = (
        "Make an administrator: a person who may manage the whole estate. "
        "The password is asked for, or read from stdin."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--login", required=True)
        parser.add_argument("--name", required=True)
        parser.add_argument("--zone", default="UTC", help="time zone, such as Europe/Paris")
        parser.add_argument(
            "--superuser", action="store_true", help="also open the Django admin to them, which only shows"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        system = Person.objects.system()
        asked = sys.stdin.isatty()
        password = getpass.getpass("Password: ") if asked else sys.stdin.readline().rstrip("\r\n")
        try:
            admin = people.make_admin(
                by=system,
                login=options["login"],
                name=options["name"],
                password=password,
                zone=options["zone"],
                superuser=options["superuser"],
            )
            grants.first_grant(by=system, person=admin)
        except Refused as refusal:
            raise CommandError(refusal.sentence) from refusal
        self.stdout.write(f"{admin.name} ({admin.login}) is an administrator.")
        if options["superuser"]:
            self.stdout.write(
                "They are a superuser too: the Django admin opens to them, to look and no more."
            )
