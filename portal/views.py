"""Pages of the portal: signing in, the account, rights, the ledger, health. One action or query each."""

import json
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from portal import ledger, rights, typed
from portal.actions import grants, people
from portal.errors import Forbidden
from portal.forms import GrantForm, LedgerForm, SignInForm, TokenForm, WhyForm
from portal.granted import granted_on, in_force, matrix, own
from portal.lookups import project_for
from portal.models import Checkpoint, Event, Person, Project, Right, Token
from portal.names import names
from portal.pages import PAGE, page_of, person_of, place_of, posted_on, status_of, told_by
from portal.queries import grants_for, looks_over_estate

# --- signing in -------------------------------------------------------------------------------------------------------


@method_decorator(login_not_required, name="dispatch")
class SignIn(LoginView):
    """Signs in with login and password, and writes it down."""

    authentication_form = SignInForm
    template_name = "registration/login.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        """With what a form held over which somebody was signed out."""
        return super().get_context_data(**context, typed=typed.on_its_way(self.request.POST))

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Sign in, then record it: the event stands for a sign-in that happened."""
        answer = super().form_valid(form)
        person = form.get_user()
        assert isinstance(person, Person)
        people.signed_in(by=person)
        typed.keep(self.request, urlsplit(self.get_success_url()).path)
        return answer


@method_decorator(login_not_required, name="dispatch")
class SignOut(LogoutView):
    """Signs out when the form is sent; opened as an address it changes nothing, and leads to the inbox."""

    http_method_names = ["get", "head", "post", "options"]  # noqa: RUF012

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """To the inbox, or from there to the sign-in page."""
        return redirect("home")


@require_GET
@login_not_required
@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """Whether the portal answers and reaches its database: 200 or 503, for whoever watches it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "database not reached"}, status=503)
    return JsonResponse({"status": "ok"})


# --- account ----------------------------------------------------------------------------------------------------------


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """Who I am here, what I may do, and my API tokens.

    A new token is shown in the answer to the form itself: nothing keeps it, so there is no page to redirect to.
    """
    person = person_of(request)
    form = TokenForm(request.POST or None)
    new: dict[str, str] | None = None
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            token, secret = people.make_token(
                by=person, name=form.cleaned_data["name"], days=form.cleaned_data["days"]
            )
            new = {"name": token.name, "secret": secret}
            form = TokenForm()
    typed.give_back(request, form)
    return render(
        request,
        "portal/account.html",
        {
            "form": form,
            "tokens": page_of(request, person.tokens.order_by("-made_at", "-pk")),
            "grants": own(person),
            "new": new,
            "teams": [group.team for group in person.groups.select_related("team") if hasattr(group, "team")],
        },
        status=status_of(form),
    )


@posted_on("account")
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke one of my tokens."""
    token = Token.objects.filter(pk=pk, person=person_of(request)).first()
    if token is None:
        raise rights.absent()
    people.revoke_token(by=person_of(request), token=token)
    messages.success(
        request, _("“%(name)s” is revoked; nothing gets in with it any more.") % {"name": token.name}
    )
    return redirect("account")


# --- rights -----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def project_rights(request: HttpRequest, key: str) -> HttpResponse:
    """Who may do what on a project, through what; granting for whoever manages it."""
    return _rights(request, project_for(person_of(request), key))


@require_http_methods(["GET", "POST"])
def estate_rights(request: HttpRequest) -> HttpResponse:
    """Rights on the whole estate: for those who manage or audit it."""
    person = person_of(request)
    if Right.AUDIT.value not in rights.on_estate(person):
        rights.check_estate(person, Right.MANAGE)
    return _rights(request, None)


def _rights(request: HttpRequest, project: Project | None) -> HttpResponse:
    person = person_of(request)
    may = grants.may_grant(person, project)
    if request.method == "POST":
        grants.check_grantor(person, project)  # the form names everybody here, so nobody else gets one
    form = GrantForm(request.POST or None, project=project) if may else None
    if request.method == "POST" and form is not None and form.is_valid():
        asked = form.cleaned_data
        with told_by(form):
            given = grants.grant(
                by=person,
                person=form.person,
                team=form.team,
                right=Right(asked["right"]),
                role=asked["role"],
                project=project,
                stage=asked["stage"],
                until=asked["until"],
                why=asked["why"],
            )
            messages.success(
                request, _("%(holder)s has this right now.") % {"holder": given.person or given.team}
            )
            return redirect(request.path)
    typed.give_back(request, form)
    held = granted_on(project, among=grants_for(person))
    return render(
        request,
        "portal/rights.html",
        {
            "project": project,
            "matrix": matrix(project, held),
            "page": page_of(request, held),
            "form": form,
            "may": may,
            "over": looks_over_estate(person),
            "grantors": rights.grantors(),
        },
        status=status_of(form),
    )


@require_http_methods(["GET", "POST"])
def revoke_grant(request: HttpRequest, pk: int, key: str | None = None) -> HttpResponse:
    """Say what revoking a right will do, ask why, and do it."""
    person = person_of(request)
    project = project_for(person, key) if key else None
    if project is None:
        rights.check_estate(person, Right.MANAGE)
    grant = in_force().filter(pk=pk, project=project).first()
    if grant is None:
        raise rights.absent()
    if not grants.may_grant(person, project):
        raise Forbidden(
            _("Only who manages rights here can revoke one. Ask %(names)s.") % {"names": rights.grantors()},
            code="right_missing",
        )
    form = WhyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            grants.revoke(by=person, grant=grant, why=form.cleaned_data["why"])
            messages.success(request, _("The right is revoked; it ended at once."))
            return redirect("rights", key) if key else redirect("estate-rights")
    typed.give_back(request, form)
    return render(
        request,
        "portal/revoke.html",
        {"grant": grant, "project": project, "form": form},
        status=status_of(form),
    )


# --- ledger -----------------------------------------------------------------------------------------------------------


@require_GET
def ledger_page(request: HttpRequest) -> HttpResponse:
    """What happened, newest first, for whoever may audit it; pages begin at a number, so each is as quick."""
    person = person_of(request)
    estate, audited = _audited(person)
    form = LedgerForm(
        request.GET or None, projects=[(key, name) for key, name in audited.items()], estate=estate
    )
    wanted = form.cleaned_data if form.is_bound and form.is_valid() else {}
    project: Any = wanted.get("project") or (None if estate else list(audited))
    found = ledger.rows(project=project, subject=wanted.get("subject") or None).order_by("-seq")
    if wanted.get("kind"):
        found = found.filter(kind=wanted["kind"])
    before = place_of(request, "before")
    if before is not None:
        found = found.filter(seq__lt=before)
    rows = list(found[: PAGE + 1])
    entries = ledger.read(rows[:PAGE])
    known = names([entry.actor_id for entry in entries])
    query = request.GET.copy()
    query.pop("before", None)
    return render(
        request,
        "portal/ledger.html",
        {
            "form": form,
            "entries": [(entry, ledger.sentence(entry, known), known(entry.actor_id)) for entry in entries],
            "older": entries[-1].seq if len(rows) > PAGE else None,
            "newer": before is not None,
            "query": query.urlencode(),
            "checkpoint": Checkpoint.objects.first() if estate else None,
            "filtered": any(wanted.values()),
        },
    )


@require_GET
def ledger_entry(request: HttpRequest, seq: int) -> HttpResponse:
    """One event: its sentence, its facts, and the very bytes that were hashed."""
    estate, audited = _audited(person_of(request))
    row = Event.objects.filter(seq=seq).first()
    if row is None or not (estate or row.project in audited):
        raise rights.absent()
    entry = ledger.read([row])[0]
    known = names([entry.actor_id])
    facts = [
        {"label": name.replace("_", " "), "value": _fact(value, erased=name in entry.erased)}
        for name, value in sorted(entry.facts.items())
    ]
    return render(
        request,
        "portal/ledger_entry.html",
        {
            "entry": entry,
            "sentence": ledger.sentence(entry, known),
            "actor": known(entry.actor_id),
            "facts": facts,
            "body": json.dumps(json.loads(bytes(row.body)), indent=2, ensure_ascii=False),
            "checkpoint": Checkpoint.objects.filter(size__gt=seq).last(),
        },
    )


def _audited(person: Person) -> tuple[bool, dict[str, str]]:
    """Whether the person may read all of the ledger, and the projects (name by key) whose events they may read."""
    estate = Right.AUDIT.value in rights.on_estate(person)
    found = Project.objects.filter(pk__in=rights.lanes_with(person, [Right.AUDIT]).values("project"))
    projects = dict(found.values_list("key", "name"))
    if not estate and not projects:
        rights.check_estate(person, Right.AUDIT)
    return estate, projects


def _fact(value: Any, *, erased: bool) -> str:
    if erased:
        return _("erased")
    if value is None or value == "":
        return "–"
    return value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)
