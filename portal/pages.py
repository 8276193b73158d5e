"""What every page shares: navigation, the reader's time zone, refusals as pages, signing in again. No rules.

Not in charge of the API's answers: portal/api is.
"""

import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.urls import Resolver404, get_script_prefix, resolve, reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from portal import rights, typed
from portal.dss.errors import DssError
from portal.errors import Refused, Stale, Unavailable
from portal.forms import SignInForm
from portal.models import Person, Project, Right
from portal.reauthentication import FRESH, Code, Password, Proof, Shown, ways

PAGE = 50
DIGITS = 18  # as many as always fit a column

Answer = Callable[[HttpRequest], HttpResponse]
View = Callable[..., HttpResponse]


# --- for views --------------------------------------------------------------------------------------------------------


# Where in a session stands how and when the person showed again who they are.
SHOWN = "shown"


def take_shown(request: HttpRequest) -> Shown | None:
    """That the person showed who they are a moment ago, for one act: it is forgotten here."""
    told = request.session.pop(SHOWN, None)
    return Shown(told["how"], datetime.fromisoformat(told["at"])) if told else None


def is_shown(request: HttpRequest) -> bool:
    """Whether `take_shown` would do."""
    told = request.session.get(SHOWN)
    return told is not None and timezone.now() - datetime.fromisoformat(told["at"]) <= FRESH


def way_of(request: HttpRequest) -> str:
    """By what a form asks who signs: "password", "code", or empty where that was shown, or is to be shown elsewhere."""
    known = [] if is_shown(request) else ways(person_of(request))
    return next((way for way in known if way in ("password", "code")), "")


def proof_of(request: HttpRequest, said: Mapping[str, Any]) -> Proof:
    """What shows that it is still the same person, of a form that asks by `way_of`."""
    if "password" in said:
        return Password(said["password"])
    if "code" in said:
        return Code(said["code"])
    return take_shown(request) or Password("")


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


def status_of(form: BaseForm | None) -> int:
    """The status of a page that shows this form: 400 where something in it needs another look."""
    return 400 if form is not None and form.errors else 200


def posted_on(page: str, see: Callable[..., object] | None = None) -> Callable[[View], View]:
    """A view that takes a form which stands on another page; whoever opens its address is led to that page.

    `see` finds what the address names, so that nobody is led to what they may not see, and `page` is named by the same
    arguments; without it the page needs none.
    """

    def made(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, **where: Any) -> HttpResponse:
            if request.method == "POST":
                return view(request, **where)
            if request.method not in ("GET", "HEAD"):
                return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
            if see is not None:
                see(person_of(request), *where.values())
            return redirect(_page_of_form(where))

        def _page_of_form(where: dict[str, Any]) -> str:
            return reverse(page, args=[*where.values()] if see is not None else [])

        answer.page_of_form = _page_of_form  # type: ignore[attr-defined]
        return answer

    return made


def page_of(request: HttpRequest, found: "QuerySet[Any, Any]", size: int = PAGE) -> Page[Any]:
    """The page of a list that the address asks for; anything odd gives the nearest there is."""
    return Paginator(found, size).get_page(request.GET.get("page"))


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a long list by key, and the keys beyond which the list goes on; empty where it does not."""

    rows: list[Project]
    before: str
    after: str


def stretch_of(request: HttpRequest, read: "Callable[[rights.Window], QuerySet[Project]]") -> Stretch:
    """The part of a list of projects that the address asks for, by `after` or `before` a key; nothing is counted.

    An address beyond the list's end, as after a revocation, gives its first part.
    """
    before, after = (request.GET.get(name, "")[:100] for name in ("before", "after"))
    window = rights.Window(PAGE + 1, before or after, backwards=bool(before))
    rows = list(read(window)[: window.limit])
    if window.edge and not rows:
        window = rights.Window(PAGE + 1)
        rows = list(read(window)[: window.limit])
    more, rows = len(rows) > PAGE, rows[:PAGE]
    if window.backwards:
        rows.reverse()
    earlier, later = (more, True) if window.backwards else (bool(window.edge), more)
    return Stretch(rows, rows[0].key if rows and earlier else "", rows[-1].key if rows and later else "")


# First what others also claim to be.
_BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "Safari", "curl", "python-requests")
_NAMES = {"Edg": "Edge", "OPR": "Opera"}
_SYSTEMS = ("Windows", "Android", "iPhone", "iPad", "Mac OS", "Linux")


def browser_of(request: HttpRequest) -> str:
    """What a request says it comes from, coarsely: "Firefox, Linux". Anybody can say anything."""
    told = request.headers.get("User-Agent", "")
    found = [next((one for one in some if one in told), "") for some in (_BROWSERS, _SYSTEMS)]
    return ", ".join(_NAMES.get(one, one) for one in found if one)


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
    """`nav` (entries with label, url, current, count, and where to ask for it), `version` and `demo` for the frame."""
    return {
        "nav": SimpleLazyObject(lambda: _entries(request)),
        "version": settings.VERSION,
        "demo": settings.DEMO,
    }


def _entries(request: HttpRequest) -> list[dict[str, Any]]:
    person = getattr(request, "user", None)
    if not isinstance(person, Person):
        return []
    held, somewhere = oversight(request)
    shown = [(_("Inbox"), "inbox"), (_("Projects"), "projects")]
    if Right.MANAGE.value in held or Right.AUDIT.value in held:
        shown += [(_("Portfolios"), "portfolios"), (_("Estate"), "estate"), (_("Policies"), "policies")]
        shown += [(_("Rights"), "estate-rights")]
    if Right.MANAGE.value in held:
        shown.append((_("People"), "people"))
    if somewhere:
        shown.append((_("Changes"), "changes"))
    if Right.AUDIT.value in somewhere:
        shown.append((_("Ledger"), "ledger"))
    return [
        {
            "label": label,
            "url": reverse(name),
            "current": request.path == "/"
            if name == "inbox" and request.path == "/"
            else request.path.startswith(reverse(name)),
            "count": _count(request, name, person),
            "ask_count": _ask_count(request, name),
        }
        for label, name in shown
    ]


def oversight(request: HttpRequest) -> tuple[frozenset[str], frozenset[str]]:
    """`rights.oversight` of the reader, asked once a request: for what to offer on the page."""
    if _OVERSIGHT not in request.META:
        request.META[_OVERSIGHT] = rights.oversight(person_of(request))
    found: tuple[frozenset[str], frozenset[str]] = request.META[_OVERSIGHT]
    return found


def counts(request: HttpRequest, **known: str) -> None:
    """Tell the navigation a count that this page worked out anyway, by the name of its entry."""
    request.META.setdefault(_COUNTS, {}).update(known)


_COUNTS = "countersign.counts"
_OVERSIGHT = "countersign.oversight"


def _count(request: HttpRequest, name: str, person: Person) -> str:
    if name in request.META.get(_COUNTS, {}):
        return str(request.META[_COUNTS][name])
    path = settings.NAV_COUNTS.get(name)
    return str(import_string(path)(person)) if path else ""


def _ask_count(request: HttpRequest, name: str) -> str:
    """The address that answers with the count, where the page does not know it."""
    later = settings.NAV_COUNTS_LATER.get(name)
    # Who has to set up a second factor first is led there from every other address: this page would never stay.
    shut = name in request.META.get(_COUNTS, {}) or getattr(request.user, "lacks_factor", False)
    return reverse(later) if later and not shut else ""


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
    """Every page asks for a sign-in, and, of whose team requires it, for a second factor before anything else.

    Whoever was signed out over a form is told so, and comes back to its page.
    """

    def process_view(self, request: HttpRequest, view_func: Any, *args: Any) -> HttpResponseBase | None:
        """On to the view, or to where the way to it begins. The API refuses by itself."""
        answer = super().process_view(request, view_func, *args)
        if answer is None and getattr(view_func, "login_required", True):
            lacks = getattr(request.user, "lacks_factor", False)
            if lacks and not getattr(view_func, "without_factor", False):
                address = reverse("factors")
                if is_fragment(request):
                    return HttpResponse(headers={"HX-Redirect": address})
                return HttpResponseRedirect(address)
        return answer

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponse:  # type: ignore[override]
        """To the sign-in page, with the way back; a form sent is answered by it, and keeps what was typed."""
        if request.method in ("GET", "HEAD") and not is_fragment(request):
            return super().handle_no_permission(request, view_func)
        back = _page_before(request) or "/"
        if is_fragment(request):
            address = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': back})}"
            return HttpResponse(headers={"HX-Redirect": address})
        held = typed.of_form(request.POST)
        messages.warning(
            request,
            _(
                "You were signed out meanwhile, so nothing was saved. Sign in, and you come back to the page with what"
                " you typed, except for passwords; then send it again."
            )
            if held
            else _(
                "You were signed out meanwhile, so nothing was saved. Sign in, and you come back to the page; then do"
                " it once more."
            ),
        )
        answer = render(
            request,
            "registration/login.html",
            {"form": SignInForm(request), "next": back, "typed": held},
            status=403,
        )
        add_never_cache_headers(answer)
        return answer


class RefusalMiddleware:
    """Shows a refusal as a page, or, where a form was sent, as a message on the page it was sent from."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Nothing to do unless a view refuses, or takes another method than the one it was asked by."""
        answer = self.get_response(request)
        return _another_way(request, answer) if isinstance(answer, HttpResponseNotAllowed) else answer

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Refusals and DSS's errors as pages; anything else is a mistake of ours and goes on."""
        if isinstance(error, DssError):
            error = Unavailable(error.sentence, code="dss", node=error.node)
        if not isinstance(error, Refused):
            return None
        before = _came_from(request)
        elsewhere = before and urlsplit(before).path != request.path  # the form's own page may refuse again
        if request.method == "POST" and elsewhere and error.status != 404 and not is_fragment(request):
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
    if request.method != "POST" and urlsplit(before).path == request.path:
        before = ""  # it would refuse again
    return render(request, "portal/refusal.html", {"refusal": refusal, "back": before}, status=refusal.status)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The one page for what is not there and for what the reader may not know of."""
    return render(request, "404.html", {"refusal": rights.absent()}, status=404)


def _another_way(request: HttpRequest, answer: HttpResponseNotAllowed) -> HttpResponse:
    """The page for an address that cannot be used in the way it was; what it allows stands in the header as before."""
    refusal = Refused(
        _(
            "This address cannot be used in this way, so nothing was changed. Go back and use the page's own buttons."
        ),
        code="method_not_allowed",
    )
    refusal.status, refusal.title = answer.status_code, _("Not possible here")
    page = refused(request, refusal)
    page.headers["Allow"] = answer.headers["Allow"]
    return page


def stale_page(request: HttpRequest, reason: str = "") -> HttpResponse:
    """What a form gets whose page is no longer good for sending (its CSRF token does not fit)."""
    refusal = Refused(
        _(
            "The page you sent was opened before you last signed in, or your browser refuses cookies. Nothing was"
            " saved. Your browser's Back shows what you typed, to copy it; then open the page again and repeat."
        ),
        code="page_stale",
    )
    refusal.status = 403
    back = _page_before(request) or "/"
    return render(
        request, "portal/refusal.html", {"refusal": refusal, "back": back, "again": True}, status=403
    )


def _page_before(request: HttpRequest) -> str:
    """The page to go back to: the one this came from or, where a browser does not say, the one its form stands on."""
    return _came_from(request) or (_page_at(request.path) if request.method == "POST" else "")


def _came_from(request: HttpRequest) -> str:
    """The page this came from, when it is one of ours; otherwise an empty text."""
    told = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    if not told or not url_has_allowed_host_and_scheme(
        told, {request.get_host()}, require_https=request.is_secure()
    ):
        return ""
    parts = urlsplit(told)
    page = _page_at(parts.path)
    return f"{page}?{parts.query}" if page == parts.path and parts.query else page


def _page_at(path: str) -> str:
    """The path as a page that can be opened: itself, or the one with its form where it only takes that; else empty."""
    try:
        found = resolve("/" + path.removeprefix(get_script_prefix()))
    except Resolver404:
        return ""
    page_of_form = getattr(found.func, "page_of_form", None)
    if page_of_form is not None:
        return str(page_of_form(found.kwargs))
    view = getattr(found.func, "view_class", None)
    return path if view is None or "get" in view.http_method_names else ""
