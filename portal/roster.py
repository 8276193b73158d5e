"""Pages of people: who is here, and one person with what acts for them. For administrators of the estate.

Not in charge of one's own account page (portal/views.py) nor of any rule.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal import rights
from portal.actions import people
from portal.forms import PeopleForm, PersonForm, TokenForm
from portal.granted import own
from portal.models import Person, Right, Team, Token
from portal.pages import page_of, person_of, told_by


@require_GET
def everybody(request: HttpRequest) -> HttpResponse:
    """Everybody by name, with what they are and whether their account is enabled."""
    rights.check_estate(person_of(request), Right.MANAGE)
    form = PeopleForm(request.GET or None)
    wanted: dict[str, Any] = form.cleaned_data if form.is_valid() else {}
    found = Person.objects.exclude(kind=Person.Kind.SYSTEM).order_by("name", "login")
    if wanted.get("q"):
        text = wanted["q"].strip()
        found = found.filter(Q(name__icontains=text) | Q(login__icontains=text) | Q(email__icontains=text))
    if wanted.get("kind"):
        found = found.filter(kind=wanted["kind"])
    if wanted.get("state"):
        found = found.filter(is_active=wanted["state"] == "enabled")
    page = page_of(request, found)
    return render(
        request, "portal/people.html", {"page": page, "form": form, "filtered": any(wanted.values())}
    )


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def add_person(request: HttpRequest) -> HttpResponse:
    """Add a person or a service account."""
    by = person_of(request)
    rights.check_estate(by, Right.MANAGE)
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            added = people.add_person(
                by=by, **{**form.cleaned_data, "password": form.cleaned_data["password"] or None}
            )
            messages.success(request, _("%(name)s is added.") % {"name": added.name})
            return redirect("person", added.pk)
    return render(request, "portal/person_add.html", {"form": form})


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def person(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One account: what it may do, and its tokens; a service account's are made here.

    A new token is shown in the answer to the form itself: nothing keeps it, so there is no page to redirect to.
    """
    by = person_of(request)
    one = somebody(by, pk)
    form = TokenForm(request.POST or None, by=by) if one.kind == Person.Kind.SERVICE else None
    new: dict[str, str] | None = None
    if request.method == "POST":
        form = form or TokenForm(request.POST, by=by)  # the action says why nobody else makes them
        if form.is_valid():
            with told_by(form):
                new = made_token(by, one, form)
                form = TokenForm(by=by)
    return render(
        request,
        "portal/person.html",
        {
            "one": one,
            "form": form if one.is_active else None,
            "new": new,
            "tokens": one.tokens.prefetch_related("projects"),
            "grants": own(one),
            "teams": Team.objects.filter(group__in=one.groups.all()),
        },
    )


@require_POST
def revoke_token(request: HttpRequest, pk: UUID, number: int) -> HttpResponse:
    """Revoke a token of somebody."""
    by = person_of(request)
    token = Token.objects.filter(pk=number, person=somebody(by, pk)).first()
    if token is None:
        raise rights.absent()
    people.revoke_token(by=by, token=token)
    messages.success(
        request, _("“%(name)s” is revoked; nothing gets in with it any more.") % {"name": token.name}
    )
    return redirect("person", pk)


def made_token(by: Person, one: Person, form: TokenForm) -> dict[str, str]:
    """Make the token that a valid form asks for: its name and its secret."""
    asked = form.cleaned_data
    token, secret = people.make_token(
        by=by,
        person=one,
        name=asked["name"],
        days=asked["days"],
        carrying=asked["rights"],
        projects=asked["projects"],
    )
    return {"name": token.name, "secret": secret}


def somebody(by: Person, pk: UUID) -> Person:
    """An account, for administrators of the estate; raises Forbidden for others, Absent for nobody."""
    rights.check_estate(by, Right.MANAGE)
    found = Person.objects.filter(pk=pk).exclude(kind=Person.Kind.SYSTEM).first()
    if found is None:
        raise rights.absent()
    return found
