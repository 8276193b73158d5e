"""Keeps from every view what no database can look for; page and API each answer in their own form.

Not in charge of the bodies that the API reads: its fields refuse it by name.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from portal.errors import Invalid
from portal.pages import Answer, refused

NUL = "\0"


class ReadableMiddleware:
    """Refuses an address or a form with a NUL, which PostgreSQL takes in no text. A cookie with one is none of ours."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Forget such cookies, before a session is looked for by one."""
        for name in [name for name, value in request.COOKIES.items() if NUL in value]:
            del request.COOKIES[name]
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """The refusal, where there is one; addresses that lead nowhere do not come here, and nothing looks for them."""
        api = issubclass(getattr(view, "cls", object), APIView)
        sent = (request.GET,) if api else (request.GET, request.POST)
        if not any(NUL in text for text in (request.path_info, *_texts(sent))):
            return None
        return Unreadable.as_view()(request) if api else refused(request, _unreadable())


@extend_schema(exclude=True)
class Unreadable(APIView):
    """Answers in place of the view of the API that the address means: as a problem, and to whoever may ask at all."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise _unreadable()


def _texts(sent: Iterable[QueryDict]) -> Iterator[str]:
    for some in sent:
        for name, values in some.lists():
            yield name
            yield from values


def _unreadable() -> Invalid:
    return Invalid(
        _("What was sent holds a character that no text here can hold (NUL). Take it out and try again."),
        code="nul_sent",
    )
