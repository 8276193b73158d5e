"""Pages of second factors: the second step of signing in, setting factors up, and showing again who one is."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

import segno
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from portal import authentication, factors, passkeys, providers, reauthentication, rights
from portal.actions import accounts
from portal.actions import factors as actions
from portal.authentication import address_of
from portal.doors import PENDING, enter, store_of, without_factor
from portal.errors import Forbidden, Refused
from portal.forms import AppForm, CodeForm, PasskeyForm, ProveForm, WhyForm
from portal.models import Factor, Person, Right, Team
from portal.pages import SHOWN, page_of, person_of, told_by

# How long the second step may take after the first, and how long after signing in factors can be changed.
STEP_TIME = timedelta(minutes=5)
RECENTLY = timedelta(minutes=15)
ASKED = "passkey"  # where in a session stands what a passkey was asked
NEW_APP = "new_app"  # and the secret, sealed, of an app that is being set up

# --- signing in -------------------------------------------------------------------------------------------------------


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def second_factor(request: HttpRequest) -> HttpResponse:
    """The second step of signing in: a code of the app, a passkey, or a recovery code."""
    pending = request.session.get(PENDING) or {}
    person = _pending(pending)
    if person is None:
        request.session.pop(PENDING, None)
        messages.warning(request, _("The second step took too long. Sign in once more."))
        return redirect("login")
    form, passkey = CodeForm(), PasskeyForm()
    status = 200
    if request.method == "POST":
        by_passkey = "answer" in request.POST
        form = CodeForm(None if by_passkey else request.POST)
        passkey = PasskeyForm(request.POST if by_passkey else None)
        asked = passkey if by_passkey else form
        if asked.is_valid():
            try:
                how = (
                    _passkey(request, person, asked.cleaned_data["answer"])
                    if by_passkey
                    else factors.check_code(person, asked.cleaned_data["code"])
                )
            except Refused as refusal:
                asked.add_error(None, refusal.sentence)
                status = refusal.status if refusal.status != 403 else 200
                if refusal.code != "tries_exceeded":
                    authentication.refused(
                        person, method="second factor", code=refusal.code, address=address_of(request)
                    )
            else:
                enter(request, person, pending["method"], factor=how)
                return redirect(inside(request, pending.get("next")))
    kinds = set(person.factors.values_list("kind", flat=True))
    return render(
        request,
        "registration/second_factor.html",
        {
            "form": form,
            "passkey": passkey,
            "options": _ask(request, person) if Factor.Kind.PASSKEY in kinds else None,
        },
        status=status,
    )


def _pending(pending: dict[str, Any]) -> Person | None:
    if not pending or timezone.now() - datetime.fromisoformat(pending["at"]) > STEP_TIME:
        return None
    return Person.objects.filter(pk=pending["person"], is_active=True, kind=Person.Kind.PERSON).first()


def inside(request: HttpRequest, path: Any) -> str:
    """A path of ours, or the first page."""
    if isinstance(path, str) and url_has_allowed_host_and_scheme(
        path, {request.get_host()}, require_https=request.is_secure()
    ):
        return path
    return resolve_url(settings.LOGIN_REDIRECT_URL)


# --- showing again who one is -----------------------------------------------------------------------------------------


@without_factor
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def prove(request: HttpRequest) -> HttpResponse:
    """Show again who one is, for one signature or for a change of the account, and go back."""
    person = person_of(request)
    back = inside(request, request.GET.get("next"))
    ways = reauthentication.ways(person)
    form = ProveForm(None, way=ways[0] if ways and ways[0] != "passkey" else "")
    passkey = PasskeyForm()
    if request.method == "POST":
        by_passkey = "answer" in request.POST
        if by_passkey:
            passkey = PasskeyForm(request.POST)
        else:
            form = ProveForm(request.POST, way=form.way)
        asked = passkey if by_passkey else form
        # Whoever has neither password nor app has no form to send; the page says what they can do.
        if (by_passkey or form.way) and asked.is_valid():
            with told_by(asked):
                try:
                    how = (
                        _passkey(request, person, asked.cleaned_data["answer"], verified=True)
                        if by_passkey
                        else reauthentication.prove(person, form.proof)
                    )
                except Forbidden as refusal:
                    asked.add_error(None, refusal.sentence)
                else:
                    shown(request, how)
                    return redirect(back)
    return render(
        request,
        "portal/prove.html",
        {
            "form": form,
            "passkey": passkey,
            "back": back,
            "providers": ways_elsewhere(person),
            "options": _ask(request, person, verified=True) if "passkey" in ways else None,
        },
    )


def ways_elsewhere(person: Person) -> list[tuple[str, str]]:
    """The providers at which the person can sign in again, each with its name."""
    linked = set(person.identities.values_list("provider", flat=True))
    return [(provider, name) for provider, name in providers.offered() if provider in linked]


def shown(request: HttpRequest, how: str) -> None:
    """Remember for a few minutes that the person showed who they are."""
    request.session[SHOWN] = {"how": how, "at": timezone.now().isoformat()}


def recently(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page for who signed in, or showed who they are, a moment ago: an open screen is no way in for somebody else."""

    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        at = store_of(request).begun_at
        told = request.session.get(SHOWN)
        if told:
            at = max(at, datetime.fromisoformat(told["at"]))
        if timezone.now() - at > RECENTLY:
            page = request.path if request.method == "GET" else reverse("factors")
            return redirect(f"{reverse('prove')}?{urlencode({'next': page})}")
        return view(request, *args, **kwargs)

    return guarded


# --- one's own factors ------------------------------------------------------------------------------------------------


@without_factor
@never_cache
@require_http_methods(["GET"])
def factors_page(request: HttpRequest) -> HttpResponse:
    """What second factors I have, and what my teams require."""
    return _factors(request)


def _factors(request: HttpRequest, codes: list[str] | None = None) -> HttpResponse:
    person = person_of(request)
    return render(
        request,
        "portal/factors.html",
        {
            "factors": person.factors.all(),
            "has_app": person.factors.filter(kind=Factor.Kind.APP).exists(),
            "codes": codes,
            "codes_left": person.recovery_codes.filter(used_at__isnull=True).count(),
            "requiring": factors.requiring(person),
        },
    )


@without_factor
@recently
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def add_app(request: HttpRequest) -> HttpResponse:
    """Set up an authenticator app: read the picture, type the code it shows."""
    person = person_of(request)
    form = AppForm(request.POST or None)
    if NEW_APP not in request.session:
        request.session[NEW_APP] = factors.sealed(factors.new_secret())
    secret = factors.unsealed(request.session[NEW_APP])
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            codes = actions.add_app(
                by=person, secret=secret, keep=store_of(request).hashed, **form.cleaned_data
            )
            del request.session[NEW_APP]
            person.lacks_factor = False
            return _factors(request, codes) if codes else redirect("factors")
    return render(
        request,
        "portal/add_app.html",
        {"form": form, "secret": secret, "picture": _picture(factors.address_for_app(person, secret))},
    )


def _picture(address: str) -> str:
    """A QR code as SVG, drawn here so that nothing leaves the portal."""
    svg = segno.make_qr(address).svg_inline(border=2, omitsize=True, svgclass=None)
    named = f'<svg class="qr" role="img" aria-label="{escape(_("The secret, to be read with a camera"))}" '
    return mark_safe(svg.replace("<svg ", named, 1))  # noqa: S308 - of our own making


@without_factor
@recently
@never_cache
@require_http_methods(["GET", "POST"])
def add_passkey(request: HttpRequest) -> HttpResponse:
    """Make a passkey with this device or a key plugged into it; needs a script, as browsers have it."""
    person = person_of(request)
    form = PasskeyForm(request.POST or None, named=True)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            try:
                made = passkeys.new(
                    request.session.pop(ASKED, None), form.cleaned_data["answer"], place_of(request)
                )
            except Forbidden as refusal:
                form.add_error(None, refusal.sentence)
            else:
                codes = actions.add_passkey(
                    by=person,
                    credential_id=made.id,
                    credential=made.data,
                    counter=made.counter,
                    name=form.cleaned_data["name"],
                    keep=store_of(request).hashed,
                )
                person.lacks_factor = False
                return _factors(request, codes) if codes else redirect("factors")
    options, request.session[ASKED] = passkeys.ask_for_new(person, place_of(request))
    return render(request, "portal/add_passkey.html", {"form": form, "options": options})


@recently
@require_POST
def remove_factor(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove one of my second factors."""
    person = person_of(request)
    factor = Factor.objects.filter(pk=pk, person=person).first()
    if factor is None:
        raise rights.absent()
    actions.remove(by=person, factor=factor)
    messages.success(request, _("“%(name)s” is removed.") % {"name": factor.name})
    return redirect("factors")


@recently
@never_cache
@require_POST
def new_codes(request: HttpRequest) -> HttpResponse:
    """Make recovery codes anew; they are in this answer and nowhere else."""
    return _factors(request, actions.make_codes(by=person_of(request)))


# --- for administrators -----------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def remove_factors_of(request: HttpRequest, login: str) -> HttpResponse:
    """Say what taking somebody's second factors off will do, ask why, and do it."""
    by = person_of(request)
    person = accounts.person_at(by=by, login=login)
    form = WhyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            actions.remove_all(by=by, person=person, why=form.cleaned_data["why"])
            messages.success(request, _("%(name)s has no second factor any more.") % {"name": person.name})
            return redirect("account-of", person.login)
    return render(request, "portal/remove_factors.html", {"person": person, "form": form})


@require_http_methods(["GET"])
def team_rules(request: HttpRequest) -> HttpResponse:
    """Which teams require a second factor, and how many of their members lack one."""
    rights.check_estate(person_of(request), Right.MANAGE)
    member = Person.objects.filter(groups=OuterRef("group"), is_active=True).order_by()
    bare = member.filter(~Exists(Factor.objects.filter(person=OuterRef("pk"))))
    teams = Team.objects.order_by("name", "pk").annotate(people=_count(member), bare=_count(bare))
    return render(request, "portal/team_rules.html", {"page": page_of(request, teams)})


def _count(found: QuerySet[Person]) -> Any:
    """How many, as a column."""
    return Coalesce(Subquery(found.values("groups").annotate(n=Count("pk")).values("n")[:1]), 0)


@require_POST
def require_factor(request: HttpRequest, slug: str) -> HttpResponse:
    """Let a team require a second factor, or not any more."""
    by = person_of(request)
    rights.check_estate(by, Right.MANAGE)
    team = Team.objects.filter(slug=slug).first()
    if team is None:
        raise rights.absent()
    actions.require(by=by, team=team, required=request.POST.get("required") == "yes")
    return redirect("team-rules")


# --- passkeys ---------------------------------------------------------------------------------------------------------


def place_of(request: HttpRequest) -> passkeys.Place:
    """Where the portal is, as a browser says it."""
    return passkeys.Place(request.get_host().rpartition(":")[0] or request.get_host(), _origin(request))


def _origin(request: HttpRequest) -> str:
    return f"{request.scheme}://{request.get_host()}"


def _ask(request: HttpRequest, person: Person, *, verified: bool = False) -> dict[str, Any]:
    options, request.session[ASKED] = passkeys.ask_for_proof(person, place_of(request), verified=verified)
    return options


def _passkey(request: HttpRequest, person: Person, answer: str, *, verified: bool = False) -> str:
    """Check a passkey's answer to what was asked last, once."""
    state = cast("dict[str, Any] | None", request.session.pop(ASKED, None))
    if state is None or (verified and state.get("user_verification") != "required"):
        raise passkeys.refused()
    passkeys.check(person, state, answer, place_of(request))
    return "passkey"
