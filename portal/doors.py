"""Pages of getting in and of the account's safety: signing in and out, passwords, sessions, and accounts for admins."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from portal import authentication, factors, providers, typed
from portal.actions import accounts
from portal.authentication import address_of
from portal.errors import Refused
from portal.forms import PasswordForm, ResetForm, SignInForm, WhyForm
from portal.models import Person
from portal.pages import browser_of, person_of, status_of, told_by
from portal.sessions import SessionStore

PENDING = "pending"  # where in a session stands who came through the first of two steps

_View = TypeVar("_View", bound=Callable[..., Any])


def without_factor(view: _View) -> _View:
    """A page that is open also to who has to set up a second factor first."""
    view.without_factor = True  # type: ignore[attr-defined]
    return view


# --- in and out -------------------------------------------------------------------------------------------------------


def store_of(request: HttpRequest) -> SessionStore:
    """The session of a request, as our own engine keeps it."""
    assert isinstance(request.session, SessionStore)
    return request.session


def come_in(request: HttpRequest, person: Person, method: str, onward: str) -> HttpResponse:
    """Let somebody in who passed the first step: at once, or by way of their second factor."""
    page = urlsplit(onward).path
    if not factors.has_one(person):
        enter(request, person, method)
        typed.keep(request, page)
        return HttpResponseRedirect(onward)
    request.session.flush()
    request.session[PENDING] = {
        "person": str(person.pk),
        "method": method,
        "next": onward,
        "at": timezone.now().isoformat(),
    }
    typed.keep(request, page)
    return redirect("second-factor")


def enter(request: HttpRequest, person: Person, method: str, *, factor: str = "") -> None:
    """Sign somebody in whose identity is established: the one way in, whichever door they came by."""
    request.session.pop(PENDING, None)
    login(request, person, backend=settings.AUTHENTICATION_BACKENDS[0])
    try:
        accounts.begin(
            by=person,
            store=store_of(request),
            method=method,
            factor=factor,
            address=address_of(request),
            browser=browser_of(request),
        )
    except Refused:
        logout(request)
        raise


@method_decorator(login_not_required, name="dispatch")
class SignIn(LoginView):
    """Signs in with login and password."""

    http_method_names = ["get", "head", "post", "options"]  # noqa: RUF012 - as Django declares it
    authentication_form = SignInForm
    template_name = "registration/login.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        """With the providers by which people sign in, and what a form held over which somebody was signed out."""
        return super().get_context_data(
            **context, providers=providers.offered(), typed=typed.on_its_way(self.request.POST)
        )

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Sign in and go on."""
        person = form.get_user()
        assert isinstance(person, Person)
        return come_in(self.request, person, "password", self.get_success_url())

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """The form again; 429 where it is too early to try."""
        answer = super().form_invalid(form)
        if form.has_error("__all__", "tries_exceeded"):
            answer.status_code = 429
        return answer


@method_decorator(login_not_required, name="dispatch")
class SignOut(LogoutView):
    """Signs out when the form is sent, and writes it down; opened as an address it changes nothing."""

    http_method_names = ["get", "head", "post", "options"]  # noqa: RUF012 - as Django declares it

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """To the inbox, or from there to the sign-in page."""
        return redirect("home")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Sign out. Whoever is not signed in goes the same way."""
        if isinstance(request.user, Person):
            accounts.signed_out(by=request.user)
        return super().post(request, *args, **kwargs)


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def set_password(request: HttpRequest) -> HttpResponse:
    """Set a password with a code from an administrator: after a forgotten one, or the first."""
    form = ResetForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        try:
            with told_by(form):
                reset = authentication.by_reset_code(
                    asked["login"], asked["code"], address=address_of(request)
                )
                accounts.use_reset(by=reset.person, reset=reset, new=asked["new"])
                messages.success(request, _("Your password is set. Sign in with it."))
                return redirect("login")
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
            status = refusal.status
    return render(request, "registration/set_password.html", {"form": form}, status=status)


# --- one's own --------------------------------------------------------------------------------------------------------


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def change_password(request: HttpRequest) -> HttpResponse:
    """Change one's own password; every other session ends."""
    person = person_of(request)
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        with told_by(form):
            accounts.change_password(
                by=person, current=asked["current"], new=asked["new"], keep=store_of(request).hashed
            )
            update_session_auth_hash(request, person)
            messages.success(request, _("Your password is changed. Everywhere else you are signed out."))
            return redirect("account")
    return render(request, "portal/password.html", {"form": form}, status=status_of(form))


@require_POST
def end_session(request: HttpRequest, pk: int) -> HttpResponse:
    """End one of my sessions."""
    accounts.end_session(by=person_of(request), session=pk)
    messages.success(request, _("That session has ended."))
    return redirect("account")


@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """End all my sessions but this one."""
    ended = accounts.end_sessions(by=person_of(request), keep=store_of(request).hashed)
    messages.success(
        request,
        ngettext("%(count)d other session has ended.", "%(count)d other sessions have ended.", ended)
        % {"count": ended},
    )
    return redirect("account")


# --- accounts, for administrators -------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET"])
def account_of(request: HttpRequest, login: str) -> HttpResponse:
    """How one person gets in, and what an administrator can do about it."""
    return _account(request, accounts.person_at(by=person_of(request), login=login))


@never_cache
@require_POST
def reset_password(request: HttpRequest, login: str) -> HttpResponse:
    """Give somebody a code to set a new password; it is in this answer and nowhere else."""
    by = person_of(request)
    person = accounts.person_at(by=by, login=login)
    reset, code = accounts.give_reset(by=by, person=person)
    person.refresh_from_db()
    return _account(request, person, reset=reset, code=code)


@require_POST
def end_sessions_of(request: HttpRequest, login: str) -> HttpResponse:
    """Sign somebody out everywhere."""
    by = person_of(request)
    person = accounts.person_at(by=by, login=login)
    accounts.end_sessions(by=by, person=person)
    messages.success(request, _("%(name)s is signed out everywhere.") % {"name": person.name})
    return redirect("account-of", person.login)


@require_http_methods(["GET", "POST"])
def disable_account(request: HttpRequest, login: str) -> HttpResponse:
    """Say what disabling (or enabling) an account will do, ask why, and do it."""
    by = person_of(request)
    person = accounts.person_at(by=by, login=login)
    form = WhyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        act = accounts.disable if person.is_active else accounts.enable
        with told_by(form):
            act(by=by, person=person, why=form.cleaned_data["why"])
            done = (
                _("%(name)s is enabled again.")
                if person.is_active
                else _("%(name)s is disabled and out at once.")
            )
            messages.success(request, done % {"name": person.name})
            return redirect("account-of", person.login)
    return render(request, "portal/disable.html", {"person": person, "form": form}, status=status_of(form))


def _account(request: HttpRequest, person: Person, **more: Any) -> HttpResponse:
    return render(
        request,
        "portal/account_of.html",
        {
            "person": person,
            "myself": person.pk == person_of(request).pk,
            "sessions": accounts.live_sessions(person),
            "has_password": person.has_usable_password(),
            "factors": person.factors.all(),
            "identities": person.identities.all(),
            "tokens": person.tokens.filter(revoked_at__isnull=True).count(),
            **more,
        },
    )
