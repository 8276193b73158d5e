"""The page that answers what somebody can do on a project, and through what. No rules."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from portal.forms import AskForm
from portal.models import Person
from portal.pages import person_of
from portal.queries import lane_for
from portal.rights_pages import about
from portal.simulator import check_may_simulate, simulated


@require_GET
def simulate(request: HttpRequest, key: str) -> HttpResponse:
    """What can this person do here, at this stage, through what, and who else could?"""
    here = about(request, key=key)
    project = here.place.project
    assert project is not None
    check_may_simulate(person_of(request), project)
    form = AskForm(request.GET or None, project=project)
    person, lane, answers = None, None, []
    if form.is_bound and form.is_valid():
        person = Person.objects.get(login=form.cleaned_data["person"])
        lane = lane_for(project, form.cleaned_data["stage"])
        answers = simulated(person, lane)
    return render(
        request,
        "portal/rights_who.html",
        {"here": here, "form": form, "person": person, "lane": lane, "answers": answers},
    )
