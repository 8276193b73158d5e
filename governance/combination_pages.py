"""Pages of toxic combinations: of one project in full, of all projects as a list. No rules."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from governance.actions import reports
from governance.combination_words import RULES
from governance.combinations_found import explained, found_in
from governance.queries import reports_about
from portal.lookups import project_for
from portal.models import Person, Project
from portal.pages import person_of, posted_on, stretch_of
from portal.queries import check_looks_over_estate
from portal.rights import cut
from portal.rights_pages import about
from portal.simulator import check_may_simulate


@require_GET
def of_project(request: HttpRequest, key: str) -> HttpResponse:
    """Who could take this project through a stage alone or with one colleague, through what, and what ends it."""
    here = about(request, key=key)
    project = here.place.project
    assert project is not None
    person = person_of(request)
    check_may_simulate(person, project)
    (found,) = found_in([project])
    return render(
        request,
        "governance/combinations.html",
        {
            "here": here,
            "found": found,
            "told": explained(found),
            "rules": RULES.values(),
            "reports": reports_about(person, f"combinations:{project.key}")[:3],
        },
    )


@require_GET
def of_estate(request: HttpRequest) -> HttpResponse:
    """A line for each project: how many could act alone, how many pairs, how many risky rights."""
    person = person_of(request)
    check_looks_over_estate(person)
    here = about(request)
    stretch = stretch_of(request, lambda window: cut(Project.objects.all(), window))
    return render(
        request,
        "governance/combinations_everywhere.html",
        {
            "here": here,
            "stretch": stretch,
            "rows": found_in(stretch.rows),
            "reports": reports_about(person, f"combinations:{reports.ESTATE}")[:3],
            "lead": _(
                "Worked out just now from the rights that are held, each stage by its policy in force."
            ),
        },
    )


def _see(person: Person, key: str) -> Project:
    project = project_for(person, key)
    check_may_simulate(person, project)
    return project


@posted_on("combinations", _see)
def report_of_project(request: HttpRequest, key: str) -> HttpResponse:
    """Ask for the report on one project."""
    person = person_of(request)
    project = _see(person, key)
    made = reports.ask_report(by=person, project=project, about=f"combinations:{project.key}")
    return redirect("report", made.pk)


@posted_on("estate-combinations", check_looks_over_estate)
def report_of_estate(request: HttpRequest) -> HttpResponse:
    """Ask for the report on every project."""
    made = reports.ask_report(by=person_of(request), about=f"combinations:{reports.ESTATE}")
    return redirect("report", made.pk)
