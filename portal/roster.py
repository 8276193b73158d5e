"""Pages of people: who is here, and one person with what acts for them. For administrators of the estate.

Not in charge of one's own account page (portal/views.py) nor of any rule.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal import rights
from portal.actions import delegations, leaving, owners, people, projects
from portal.change_pages import then
from portal.forms import (
    AwayForm,
    FromDssForm,
    HandOverForm,
    LeaveForm,
    OwnerForm,
    PeopleForm,
    PersonChangeForm,
    PersonForm,
    TokenForm,
)
from portal.granted import own
from portal.lookups import project_for
from portal.models import Change, Delegation, Person, Right, Team, Token
from portal.pages import page_of, person_of, status_of, told_by
from portal.queries import delegations_for, proposed

RECENT = 20


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
        request,
        "portal/people.html",
        {"page": page, "form": form, "filtered": any(wanted.values())},
        status=status_of(form),
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
            added = people.add_person(by=by, **form.cleaned_data)
            messages.success(
                request,
                _("%(name)s is added. With a code, given here, they choose their own password.")
                % {"name": added.name}
                if added.kind == Person.Kind.PERSON
                else _("%(name)s is added.") % {"name": added.name},
            )
            return redirect("person", added.pk)
    return render(request, "portal/person_add.html", {"form": form}, status=status_of(form))


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
            "absences": absences(one),
        },
        status=status_of(form),
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


@require_http_methods(["GET", "POST"])
def away(request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
    """Say when I am away and who stands in, or, as an administrator, when somebody else is."""
    by = person_of(request)
    one = by if pk is None else somebody(by, pk)
    form = AwayForm(request.POST or None, person=one)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            asked = form.cleaned_data
            if one.pk != by.pk:
                change = delegations.delegate_for(by=by, person=one, **asked)
                if change.status != Change.Status.APPLIED:
                    messages.success(request, proposed(change))
                    return redirect("change", change.pk)
            else:
                delegations.delegate(by=by, **asked)
            messages.success(
                request,
                _("%(delegate)s stands in for %(name)s.") % {"delegate": asked["delegate"], "name": one},
            )
            return redirect("account") if pk is None else redirect("person", pk)
    told = "" if one.pk == by.pk else then()
    return render(
        request,
        "portal/away.html",
        {"one": one, "self": pk is None, "form": form, "then": told},
        status=status_of(form),
    )


@require_POST
def end_delegation(request: HttpRequest, number: int, pk: UUID | None = None) -> HttpResponse:
    """End a delegation early: mine, one in which I stand in, or, as an administrator, anybody's."""
    by = person_of(request)
    found = delegations_for(by)
    if pk is not None:
        found = found.filter(Q(person=somebody(by, pk)) | Q(delegate=pk))
    delegation = found.filter(pk=number).first()
    if delegation is None:
        raise rights.absent()
    delegations.end(by=by, delegation=delegation)
    messages.success(
        request,
        _("%(delegate)s does not stand in for %(name)s any more; what was done meanwhile stands.")
        % {"delegate": delegation.delegate, "name": delegation.person},
    )
    return redirect("account") if pk is None else redirect("person", pk)


@require_http_methods(["GET", "POST"])
def change_person(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Change how somebody is called and reached."""
    by = person_of(request)
    one = somebody(by, pk)
    was = {"name": one.name, "email": one.email, "zone": one.zone}
    form = PersonChangeForm(request.POST or None, initial=was)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            people.change_person(by=by, person=one, **form.cleaned_data)
            messages.success(request, _("%(name)s is changed.") % {"name": one.name})
            return redirect("person", pk)
    return render(request, "portal/person_change.html", {"one": one, "form": form}, status=status_of(form))


@require_http_methods(["GET", "POST"])
def leave(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show what somebody holds, ask who takes it over, and disable the account."""
    by = person_of(request)
    one = somebody(by, pk)
    if not one.is_active:
        return redirect("person", pk)
    duties = leaving.held_by(one)
    form = LeaveForm(request.POST or None, duties=duties)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            leaving.leave(
                by=by,
                person=one,
                why=form.cleaned_data["why"],
                heir=form.cleaned_data["heir"],
                heirs=dict(form.heirs),
            )
            messages.success(
                request,
                _("%(name)s left: the account is disabled, and nothing acts for it any more.")
                % {"name": one},
            )
            return redirect("person", pk)
    return render(
        request,
        "portal/person_leave.html",
        {"one": one, "form": form, "duties": duties, "people": _able().exclude(pk=pk)},
        status=status_of(form),
    )


def _able() -> QuerySet[Person]:
    return Person.objects.filter(is_active=True, kind=Person.Kind.PERSON).order_by("name")


def absences(person: Person) -> list[Delegation]:
    """Who stands in for a person and for whom they do, now, later and most recently."""
    found = Delegation.objects.filter(Q(person=person) | Q(delegate=person))
    return list(found.select_related("person", "delegate").order_by("-until", "-pk")[:RECENT])


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


# --- owners of a project ----------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def project_owners(request: HttpRequest, key: str) -> HttpResponse:
    """Who owns a project; one more is added by an owner or an administrator."""
    by = person_of(request)
    project = project_for(by, key)
    may = projects.may_own(by, project)
    form = OwnerForm(request.POST or None)
    if request.method == "POST":
        projects.check_owner(by, project)  # before anybody is looked up by login
        if form.is_valid():
            with told_by(form):
                projects.add_owner(
                    by=by, project=project, person=form.cleaned_data["owner"], why=form.cleaned_data["why"]
                )
                messages.success(
                    request, _("%(name)s is an owner now.") % {"name": form.cleaned_data["owner"]}
                )
                return redirect("owners", key)
    return render(
        request,
        "portal/owners.html",
        {
            "project": project,
            "owners": project.owners.order_by("name"),
            "may": may,
            "may_import": Right.MANAGE.value in rights.on_estate(by),
            "form": form if may else None,
        },
        status=status_of(form),
    )


@require_http_methods(["GET", "POST"])
def hand_over(request: HttpRequest, key: str, pk: UUID) -> HttpResponse:
    """Hand an ownership over to somebody else, or, where there are other owners, give it up."""
    by = person_of(request)
    project = project_for(by, key)
    one = project.owners.filter(pk=pk).first()
    if one is None:
        raise rights.absent()
    projects.check_owner(by, project)
    form = HandOverForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        heir, why = form.cleaned_data["heir"], form.cleaned_data["why"]
        with told_by(form):
            if heir is None:
                projects.remove_owner(by=by, project=project, person=one, why=why)
                messages.success(request, _("%(name)s is no owner any more.") % {"name": one})
            else:
                projects.hand_over(by=by, project=project, person=one, heir=heir, why=why)
                messages.success(request, _("%(heir)s owns it now.") % {"heir": heir})
            return redirect("owners", key)
    return render(
        request,
        "portal/hand_over.html",
        {"project": project, "one": one, "form": form},
        status=status_of(form),
    )


@require_http_methods(["GET", "POST"])
def owners_from_dss(request: HttpRequest, key: str) -> HttpResponse:
    """Owner, users and groups as DSS has them, and who they may be here; what is confirmed is kept and asked for."""
    by = person_of(request)
    project = project_for(by, key)
    found = owners.look(by=by, project=project)
    form = FromDssForm(request.POST or None, found=found)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            made = owners.confirm(by=by, project=project, choices=form.choices, why=form.cleaned_data["why"])
            messages.success(request, _told(made))
            return redirect("owners", key)
    return render(
        request,
        "portal/owners_dss.html",
        {"project": project, "form": form, "rows": form.rows(), "people": _able()},
        status=status_of(form),
    )


def _told(made: owners.Confirmed) -> str:
    if made.change is None:
        return _("Kept. No right was missing, so none is asked for.")
    if made.change.status == Change.Status.APPLIED:
        return _("Kept, and the rights are granted (change %(number)s).") % {"number": made.change.pk}
    return _("Kept. The rights wait for another administrator to apply change %(number)s.") % {
        "number": made.change.pk
    }
