"""manage.py createsuperuser: refused, in favour of create_admin, which the ledger keeps. Stands before Django's own."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Says what to run instead, whatever it is given."""

    help = "Refused: administrators are made with create_admin."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Leave out the options of Django's own: the sentence is the answer to all of them."""
        super().run_from_argv(argv[:2])

    def handle(self, *args: Any, **options: Any) -> None:
        raise CommandError(
            "Nobody is made outside the ledger. Use manage.py create_admin --login … --name …, with --superuser for"
            " somebody who may also look into the Django admin."
        )
