"""Turns a report's HTML page into a tagged PDF/A-3a with its pack attached.

The only module that loads WeasyPrint, which needs Pango and some hundred megabytes. It therefore runs as a process of
its own, which ends with the report: `python -m governance.report.render` reads an order from standard input and writes
the PDF to standard output. Knows no Django and no database, and fetches nothing: fonts are the portal's own files.
"""

import base64
import hashlib
import json
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from weasyprint import HTML, Attachment
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

FONTS = Path(__file__).resolve().parents[2] / "portal" / "static" / "portal" / "fonts"
SCHEME = "vendored:"
PACK_NAME = "countersign-pack.json"
_TITLED = re.compile(r"<title>([^<]*)</title><desc>([^<]*)</desc>")


class Vendored(URLFetcher):  # type: ignore[misc]
    """Answers `vendored:<file>` with a font of the portal and refuses everything else, network and files alike."""

    def fetch(self, url: str, headers: Any = None) -> Any:
        name = url.removeprefix(SCHEME)
        if not url.startswith(SCHEME) or name not in {path.name for path in FONTS.glob("*.woff2")}:
            raise FatalURLFetchingError(f"A report fetches nothing, but asked for {url[:200]}.")
        return URLFetcherResponse(url, (FONTS / name).read_bytes(), {"Content-Type": "font/woff2"})


def pdf(page: str, pack: bytes, made_at: datetime) -> bytes:
    """The page as PDF/A-3a, the pack attached as its data; `made_at` dates the attachment.

    The document's identifier follows from page and pack. Raises FatalURLFetchingError for a page that asks for anything
    but the vendored fonts.
    """
    attachment = Attachment(
        string=pack,
        name=PACK_NAME,
        description="The events of this report with their inclusion proofs, and the contents they name (JSON).",
        created=made_at,
        modified=made_at,
        relationship="Data",
    )
    # The text alternative of a drawing is what its title holds, and there all that it shows has to be said.
    document = HTML(string=_TITLED.sub(r"<title>\1. \2</title>", page), url_fetcher=Vendored())
    made = document.write_pdf(
        pdf_variant="pdf/a-3a",
        pdf_tags=True,
        pdf_identifier=hashlib.sha256(page.encode() + pack).digest()[:16],
        attachments=[attachment],
        finisher=_associated_once,
    )
    return bytes(made)


def _associated_once(_document: Any, made: Any) -> None:
    """WeasyPrint names each attachment twice among the document's associated files; a reader would list it twice."""
    files = made.catalog["AF"]
    files[:] = dict.fromkeys(files)


def main() -> None:
    """Read one order, write one PDF."""
    asked = json.loads(sys.stdin.buffer.read())
    made = pdf(asked["page"], base64.b64decode(asked["pack"]), datetime.fromisoformat(asked["made_at"]))
    sys.stdout.buffer.write(made)


if __name__ == "__main__":
    main()
