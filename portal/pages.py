"""What every page shares: navigation, the reader's time zone, refusals as pages, signing in again. No rules.

Not in charge of the API's answers: portal/api is.
"""

import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from portal import rights
from portal.dss.errors import DssError
from portal.errors import Refused, Stale, Unavailable
from portal.models import Person, Right

PAGE = 50
DIGITS = 18  # as many as always fit a column

Answer = Callable[[HttpRequest], HttpResponse]


# --- for views --------------------------------------------------------------------------------------------------------


def person_of(request: HttpRequest) -> Person:
    """Who is signed in; every page but the few open ones has somebody."""
    assert isinstance(request.user, Person)
    return request.user


@contextmanager
def told_by(form: BaseForm) -> Iterator[None]:
    """Put a refusal that names a field of the form, or that says the input is unusable, on the form."""
    try:
        yield
    except Refused as refusal:
        if isinstance(refusal, Stale):
            raise  # nothing typed into the form would help
        if refusal.field in form.fields:
            form.add_error(refusal.field, refusal.sentence)
        elif refusal.status == 400:
            form.add_error(None, refusal.sentence)
        else:
            raise


def page_of(request: HttpRequest, found: "QuerySet[Any, Any]", size: int = PAGE) -> Page[Any]:
    """The page of a list that the address asks for; anything odd gives the nearest there is."""
    return Paginator(found, size).get_page(request.GET.get("page"))


def place_of(request: HttpRequest, name: str) -> int | None:
    """The number that the address says a list begins at; anything odd says nothing."""
    text = request.GET.get(name, "")
    # Other digits are digits too, and some of them no numbers.
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else None


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of a page."""
    return bool(getattr(request, "htmx", False))


def renewed() -> HttpResponse:
    """Tell htmx that what it watched has ended: the whole page is to be read again."""
    return HttpResponse(headers={"HX-Refresh": "true"})


# --- navigation -------------------------------------------------------------------------------------------------------


def navigation(request: HttpRequest) -> dict[str, Any]:
    """`nav` (entries with label, url, current, count), `version` and `demo` for the frame of a page."""
    return {
        "nav": SimpleLazyObject(lambda: _entries(request)),
        "version": settings.VERSION,
        "demo": settings.DEMO,
    }


def _entries(request: HttpRequest) -> list[dict[str, Any]]:
    person = getattr(request, "user", None)
    if not isinstance(person, Person):
        return []
    held = rights.on_estate(person)
    shown = [(_("Inbox"), "inbox"), (_("Projects"), "projects")]
    if Right.MANAGE.value in held or Right.AUDIT.value in held:
        shown.append((_("Rights"), "estate-rights"))
    if Right.AUDIT.value in held or rights.lanes_with(person, [Right.AUDIT]).exists():
        shown.append((_("Ledger"), "ledger"))
    return [
        {
            "label": label,
            "url": reverse(name),
            "current": request.path == "/"
            if name == "inbox" and request.path == "/"
            else request.path.startswith(reverse(name)),
            "count": _count(request, name, person),
        }
        for label, name in shown
    ]


def counts(request: HttpRequest, **known: str) -> None:
    """Tell the navigation a count that this page worked out anyway, by the name of its entry."""
    request.META.setdefault(_COUNTS, {}).update(known)


_COUNTS = "countersign.counts"


def _count(request: HttpRequest, name: str, person: Person) -> str:
    if name in request.META.get(_COUNTS, {}):
        return str(request.META[_COUNTS][name])
    path = settings.NAV_COUNTS.get(name)
    return str(import_string(path)(person)) if path else ""


# --- middleware -------------------------------------------------------------------------------------------------------


class PersonZoneMiddleware:
    """Shows times in the reader's own zone."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Activate the zone for this request only."""
        zone = getattr(request.user, "zone", None)
        if not zone:
            return self.get_response(request)
        with timezone.override(zoneinfo.ZoneInfo(zone)):
            return self.get_response(request)


class SignInMiddleware(LoginRequiredMiddleware):
    """Every page asks for a sign-in. Whoever was signed out over a form is told so, and comes back to its page."""

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponse:  # type: ignore[override]
        """To the sign-in page, with the way back."""
        if request.method in ("GET", "HEAD") and not is_fragment(request):
            return super().handle_no_permission(request, view_func)
        back = _page_before(request) or "/"
        if request.method not in ("GET", "HEAD"):
            messages.warning(
                request,
                _(
                    "You were signed out meanwhile, so nothing was saved. Sign in and do it once more;"
                    " nothing else was lost."
                ),
            )
        address = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': back})}"
        if is_fragment(request):
            return HttpResponse(headers={"HX-Redirect": address})
        return HttpResponseRedirect(address)


class RefusalMiddleware:
    """Shows a refusal as a page, or, where a form was sent, as a message on the page it was sent from."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Nothing to do unless a view refuses."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Refusals and DSS's errors as pages; anything else is a mistake of ours and goes on."""
        if isinstance(error, DssError):
            error = Unavailable(error.sentence, code="dss", node=error.node)
        if not isinstance(error, Refused):
            return None
        before = _page_before(request)
        if request.method == "POST" and before and error.status != 404 and not is_fragment(request):
            messages.error(request, error.sentence)
            return redirect(before)
        return refused(request, error)


def refused(request: HttpRequest, refusal: Refused) -> HttpResponse:
    """The page of a refusal with its status; what is absent looks like any address that leads nowhere."""
    if is_fragment(request):
        return render(request, "portal/_refusal.html", {"refusal": refusal}, status=refusal.status)
    if refusal.status == 404:
        return not_found(request)
    before = _page_before(request)
    return render(request, "portal/refusal.html", {"refusal": refusal, "back": before}, status=refusal.status)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The one page for what is not there and for what the reader may not know of."""
    return render(request, "404.html", {"refusal": rights.absent()}, status=404)


def stale_page(request: HttpRequest, reason: str = "") -> HttpResponse:
    """What a form gets whose page is no longer good for sending (its CSRF token does not fit)."""
    refusal = Refused(
        _(
            "The page you sent was opened before you last signed in, or your browser refuses cookies. Nothing was"
            " saved. Open it again and repeat."
        ),
        code="page_stale",
    )
    refusal.status = 403
    back = _page_before(request) or "/"
    return render(
        request, "portal/refusal.html", {"refusal": refusal, "back": back, "again": True}, status=403
    )


def _page_before(request: HttpRequest) -> str:
    """The path of the page this came from, when it is one of ours; otherwise an empty text."""
    told = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    if not told or not url_has_allowed_host_and_scheme(
        told, {request.get_host()}, require_https=request.is_secure()
    ):
        return ""
    parts = urlsplit(told)
    if parts.path == request.path and request.method == "POST" and request.resolver_match is not None:
        return ""  # a form that posts to its own address: the page itself may refuse again
    return parts.path + (f"?{parts.query}" if parts.query else "")
