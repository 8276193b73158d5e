"""The demonstration's letters on a page: no mail server is needed to see what would be sent to whom.

There only in the demonstration, whose people are made up: it shows everybody's letters to everybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from portal import rights

A_PAGE = 20


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as it was sent; `path` is the portal's page it names, empty for none."""

    to: str
    subject: str
    at: datetime
    paragraphs: tuple[str, ...]
    path: str


@require_GET
@never_cache
@login_not_required
def page(request: HttpRequest) -> HttpResponse:
    """The letters, newest first."""
    if not settings.DEMO:
        raise rights.absent()
    files = sorted(Path(settings.MAIL_DIR).glob("*.log"), key=lambda file: file.name, reverse=True)
    found = Paginator(files, A_PAGE).get_page(request.GET.get("page"))
    return render(
        request, "portal/demo_mail.html", {"page": found, "letters": _letters(list(found.object_list))}
    )


def _letters(files: Sequence[Path]) -> list[Letter]:
    """One letter a file, as Django's file backend writes them; a file being written is left for the next look."""
    read = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    return [_letter(one) for one in read if one["To"] and one["Date"]]


def _letter(message: EmailMessage) -> Letter:
    # The backend ends each letter with a line of hyphens.
    text = str(message.get_content()).rstrip().rstrip("-").rstrip()
    said = [" ".join(one.split()) for one in text.split("\n\n")]
    address = settings.ADDRESS.rstrip("/") + "/"
    path = next((one.removeprefix(address) for one in said if one.startswith(address)), None)
    return Letter(
        str(message["To"]),
        str(message["Subject"]),
        parsedate_to_datetime(str(message["Date"])).astimezone(timezone.get_current_timezone()),
        tuple(one for one in said if not one.startswith(address)),
        "" if path is None else f"/{path}",
    )
