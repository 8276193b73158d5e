"""Pages of who is in a team: the members, adding one and ending a membership. Changes of rights, so no rules here."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from portal import rights
from portal.actions import edits
from portal.change_pages import asked_for, then
from portal.forms import MemberForm, WhyForm
from portal.models import Grant, Membership, Person, Right, Team
from portal.pages import page_of, person_of, status_of, told_by
from portal.rights_pages import About, about


@require_http_methods(["GET", "POST"])
def members(request: HttpRequest, team: str) -> HttpResponse:
    """Who is in a team and by whose word; one more is added by an administrator."""
    here = about(request, team=team)
    by = person_of(request)
    if request.method == "POST":
        rights.check_estate(by, Right.MANAGE)
    one = _team(here)
    form = MemberForm(request.POST or None, team=one) if here.may else None
    if request.method == "POST" and form is not None and form.is_valid():
        with told_by(form):
            change = edits.put_member(by=by, team=one, person=form.person, why=form.cleaned_data["why"])
            return asked_for(request, change, request.path)
    page = page_of(request, one.members.order_by("name", "login"))
    held = Membership.objects.filter(team=one, person__in=[person.pk for person in page]).order_by("pk")
    told = {
        person.pk: [row.get_source_display() for row in held if row.person_id == person.pk] for person in page
    }
    return render(
        request,
        "portal/team_members.html",
        {
            "here": here,
            "page": page,
            "rows": [(person, ", ".join(told[person.pk])) for person in page],
            "form": form,
            "then": then(only_takes=not _carries(one)) if form is not None else "",
        },
        status=status_of(form),
    )


@require_http_methods(["GET", "POST"])
def end(request: HttpRequest, team: str, login: str) -> HttpResponse:
    """Say what ending a membership does, ask why, and do it."""
    here = about(request, team=team)
    by = person_of(request)
    rights.check_estate(by, Right.MANAGE)
    one = _team(here)
    person = Person.objects.filter(groups=one.group_id, login=login).first()
    if person is None:
        raise rights.absent()
    form = WhyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            change = edits.take_member(by=by, team=one, person=person, why=form.cleaned_data["why"])
            return asked_for(request, change, reverse("team-members", args=[one.slug]))
    told = {"here": here, "person": person, "form": form}
    return render(request, "portal/team_end.html", told, status=status_of(form))


def _team(here: About) -> Team:
    assert here.team is not None
    return here.team


def _carries(team: Team) -> bool:
    """Whether who joins is given anything."""
    return Grant.objects.filter(team=team, revoked_at__isnull=True).exists()
