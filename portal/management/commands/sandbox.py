"""`manage.py sandbox`: run the sandbox DSS alone, so that any DSS client can be pointed at it."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal.dss.sandbox.serve import add_arguments, serve


class Command(BaseCommand):
    """Plays a Design node, a Deployer and two Automation nodes on one port."""

    help = "Run the sandbox DSS: a small estate of nodes for trying and testing."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """The same arguments as `python -m portal.dss.sandbox`."""
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until told to stop."""
        serve(argparse.Namespace(**options))
