"""Has a report's page printed: starts the renderer as a process of its own and takes the PDF from it.

The renderer needs Pango and some hundred megabytes; here is neither, so that every process of the portal stays small
and starts without it. Not in charge of the page nor of the PDF.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from django.utils.translation import gettext as _

from portal.errors import Unavailable

SECONDS = 600
COMMAND: Sequence[str] = (sys.executable, "-m", "governance.report.render")
ROOT = Path(__file__).resolve().parents[2]


class NotPrinted(RuntimeError):
    """The renderer ended without a PDF; the text is the end of what it said."""


def pdf(page: str, pack: bytes, made_at: datetime) -> bytes:
    """The page as a PDF with its pack. Raises Unavailable where Pango is not installed, NotPrinted for all else."""
    asked = {"page": page, "pack": base64.b64encode(pack).decode(), "made_at": made_at.isoformat()}
    try:
        done = subprocess.run(
            COMMAND,
            cwd=ROOT,
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotPrinted(f"Not done after {SECONDS} s.") from error
    if done.returncode == 0 and done.stdout.startswith(b"%PDF-"):
        return done.stdout
    said = done.stderr.decode(errors="replace")
    if "cannot load library" in said:
        raise Unavailable(
            _(
                "Reports need the Pango library, which is not installed here. An administrator installs it with"
                " apt-get install libpangoft2-1.0-0 libharfbuzz-subset0 and asks again."
            ),
            code="pango_missing",
        )
    raise NotPrinted(f"Ended with {done.returncode}: {said[-2000:]}")
