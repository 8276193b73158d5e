"""How much may be sent: refused by what its length is said to be, before anything is read, and again while it is read.

Not in charge of what a file holds (`governance.uploads`).
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from portal.errors import Invalid

AROUND = 1_000_000  # beside the file itself: the other fields of a form and what frames them


class TooLarge(Invalid):
    """More was sent than is taken."""

    status = 413
    title = "Too large"


def too_large() -> TooLarge:
    """Why a file is not taken; the field is the form's."""
    return TooLarge(
        _(
            "What was sent is larger than %(limit)s MB, which is the most that is taken. Make its pictures smaller, or "
            "split it."
        )
        % {"limit": settings.UPLOAD_BYTES // 1_000_000},
        code="upload_too_large",
        field="file",
    )


class LimitMiddleware:
    """Refuses by Content-Length, first of all: a 2 GB upload ends before its second packet is looked at."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """413 for more than the limit, whatever it is and wherever it goes."""
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            length = 0  # Django reads nothing then
        if length <= settings.UPLOAD_BYTES + AROUND:
            return self.get_response(request)
        refusal = too_large()
        if request.path.startswith(("/api/", "/scim/")):
            body = {
                "type": f"urn:countersign:problem:{refusal.code}",
                "title": refusal.title,
                "status": refusal.status,
                "detail": refusal.sentence,
                "code": refusal.code,
                "field": refusal.field,
            }
            answer: HttpResponse = JsonResponse(body, status=413, content_type="application/problem+json")
        else:
            answer = HttpResponse(refusal.sentence, status=413, content_type="text/plain; charset=utf-8")
        answer["Connection"] = "close"
        return answer


class LimitHandler(FileUploadHandler):
    """Stops reading as soon as the files of a request are larger than what is taken; `was_cut` tells the view."""

    def __init__(self, request: HttpRequest | None = None) -> None:
        super().__init__(request)
        self._read = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Count, and give on."""
        self._read += len(raw_data)
        if self._read > settings.UPLOAD_BYTES:
            self.request.upload_was_cut = True  # type: ignore[union-attr]
            raise StopUpload(connection_reset=True)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """The handlers after this one keep the file."""
        return


def was_cut(request: Any) -> bool:
    """Whether a file of this request was too large, and is not there therefore."""
    return bool(getattr(getattr(request, "_request", request), "upload_was_cut", False))
