"""Pages of the portal: the account, the ledger, health. One action or query each."""

import json
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from portal import ledger, rights, typed
from portal.actions import accounts, people
from portal.forms import LedgerForm, TokenForm
from portal.granted import own
from portal.models import Checkpoint, Event, Person, Project, Right, Token
from portal.names import names
from portal.pages import PAGE, page_of, person_of, place_of, posted_on, status_of, told_by
from portal.roster import absences, made_token

# --- health ----------------------------------------------------------------------------------------------------------


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
    form = TokenForm(request.POST or None, by=person)
    new: dict[str, str] | None = None
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            new = made_token(person, person, form)
            form = TokenForm(by=person)
    typed.give_back(request, form)
    return render(
        request,
        "portal/account.html",
        {
            "form": form,
            "tokens": page_of(
                request, person.tokens.prefetch_related("projects").order_by("-made_at", "-pk")
            ),
            "grants": own(person),
            "absences": absences(person),
            "new": new,
            "sessions": accounts.live_sessions(person),
            "here": getattr(request.session, "hashed", ""),
            "has_password": person.has_usable_password(),
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
    known = names(ledger.people_in(entries))
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
    known = names(ledger.people_in([entry]))
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
