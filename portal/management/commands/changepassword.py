"""manage.py changepassword: refused, because a password stands behind signatures. Stands before Django's own."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Says why, and what to run instead, whatever it is given."""

    help = "Refused: nobody sets the password that somebody else signs with."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Leave out the options of Django's own: the sentence is the answer to all of them."""
        super().run_from_argv(argv[:2])

    def handle(self, *args: Any, **options: Any) -> None:
        raise CommandError(
            "A password stands behind signatures, so nobody sets one for somebody else. Where no administrator can"
            " sign in any more, make another with manage.py create_admin --login … --name …."
        )
