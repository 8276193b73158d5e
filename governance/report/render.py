"""Turns a composed report into HTML and into a tagged PDF/A-3a with its pack attached.

The only module that loads WeasyPrint, which needs Pango; it is therefore imported by name, where a PDF is made, and
never by pages. Nothing is fetched: fonts come from the portal's own files. Not in charge of what the report says.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string
from weasyprint import HTML, Attachment
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from governance.report.values import AuditReport

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


def html(report: AuditReport) -> str:
    """The report as one HTML page with its styles inside; the same values give the same text."""
    return render_to_string("report/report.html", {"report": report})


def pdf(report: AuditReport, pack: bytes) -> bytes:
    """The report as PDF/A-3a, the pack attached as its data.

    The document's identifier follows from its text and pack. Raises weasyprint's errors for a template that asks for
    anything but the vendored fonts.
    """
    page = html(report)
    attachment = Attachment(
        string=pack,
        name=PACK_NAME,
        description="The events of this report with their inclusion proofs, and the contents they name (JSON).",
        created=report.made_at,
        modified=report.made_at,
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
