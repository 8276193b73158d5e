"""manage.py demo: starts everything, plays the story through the REST API, then keeps serving."""

import shutil
import signal
import sys
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.demo.cast import CAST, PASSWORD
from portal.demo.client import DemoFailed
from portal.demo.processes import Demo, NotStarted
from portal.demo.story import begin_in, play


class Command(BaseCommand):
    """A governed deployment from an empty machine to the PDF that proves it."""

    help = "Play the story of a governed deployment against a sandbox DSS, then keep serving until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="play the story, print where the report is, and end"
        )
        parser.add_argument(
            "--fresh", action="store_true", help="start over: forget what an earlier demo left"
        )
        parser.add_argument(
            "--port", type=int, help="where the portal listens (default: 8000, or another free one)"
        )
        parser.add_argument("--data-dir", type=Path, default=Path(settings.BASE_DIR) / "var" / "demo")
        parser.add_argument(
            "--pace",
            type=float,
            default=1.0,
            help="how slow the sandbox DSS works (1: below a second a task)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        data_dir: Path = options["data_dir"].resolve()
        for number in (
            signal.SIGTERM,
            signal.SIGINT,
        ):  # a background shell may have told us to ignore the second
            signal.signal(number, _interrupt)
        try:
            if options["fresh"]:
                _forget(data_dir)
            begin_in(data_dir)
            with Demo(data_dir, options["port"], pace=options["pace"]) as demo:
                report = play(demo, self.stdout.write)
                self.stdout.write(f"\nThe portal: {demo.url}\nPassword of everybody: {PASSWORD}")
                for player in CAST:
                    self.stdout.write(f"  {player.login:<6} {player.name:<16} {player.part}")
                if not options["once"]:
                    self.stdout.write("Ctrl-C ends it; the next ./dev demo goes on from here.")
                    self.stdout.flush()
                    threading.Event().wait()
                self.stdout.write(f"REPORT {report}")
        except KeyboardInterrupt:
            self.stdout.write("Ended.")
            sys.exit(0 if not options["once"] else 130)
        except (NotStarted, DemoFailed) as error:
            raise CommandError(str(error)) from error


def _forget(data_dir: Path) -> None:
    """Remove an earlier demo, and only that: a folder that is no demo's stays."""
    if not data_dir.exists():
        return
    if any(data_dir.iterdir()) and not (data_dir / "lock").exists():
        raise NotStarted(
            f"{data_dir} holds something that is not a demo; it was left alone. Name another --data-dir."
        )
    with Demo.claimed(data_dir):
        shutil.rmtree(data_dir)


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
