"""Bytes to be saved: sent so that no browser shows or runs them."""

from collections.abc import Iterable

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView


class AsItIs(DefaultContentNegotiation):
    """Whatever the reader accepts, there is one form of the bytes."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The first there is; the view does not use it."""
        first = next(iter(renderers))
        return first, str(first.media_type)


class Download(APIView):
    """A view that answers with bytes."""

    content_negotiation_class = AsItIs


def sent(body: bytes, media_type: str, name: str) -> HttpResponse:
    """These bytes as a file of this name."""
    answer = HttpResponse(body, content_type=media_type)
    answer["Content-Disposition"] = str(content_disposition_header(True, name))
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["Cache-Control"] = "private, no-store"
    return answer
