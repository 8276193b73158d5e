"""Finds what an address names, or refuses it: absent for whoever may not know that it is there.

Fetching and being allowed to see are one call, so that no view can forget the second.
"""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from portal import rights
from portal.errors import Invalid
from portal.models import Bundle, Lane, Person, Portfolio, Project
from portal.models.person import spelled
from portal.prepared import prepared


def project_for(person: Person, key: str) -> Project:
    """The project of this key with its node and pipeline; raises Absent where the person may not see it."""
    # Asked apart, so that of what differs from person to person only a question without columns is put into SQL anew.
    if rights.visible_projects(person).filter(key=key).exists():
        for project in _projects(key=key):
            return project
    raise rights.absent()


@prepared
def _projects(key: Any) -> QuerySet[Project]:
    return Project.objects.select_related("node", "pipeline").filter(key=key)


def portfolio_for(person: Person, slug: str) -> Portfolio:
    """The portfolio of this slug; raises Absent where the person may not see it."""
    portfolio = rights.visible_portfolios(person).filter(slug=slug).first()
    if portfolio is None:
        raise rights.absent()
    return portfolio


def bundle_for(person: Person, key: str, bundle_id: str) -> Bundle:
    """The bundle of this id with its project and author; raises Absent where the person may not see it."""
    project = project_for(person, key)
    for bundle in _bundles(project=project.pk, bundle_id=bundle_id):
        bundle.project = project
        return bundle
    raise rights.absent()


@prepared
def _bundles(project: Any, bundle_id: Any) -> QuerySet[Bundle]:
    rows = Bundle.objects.select_related("author", "asked_by", "manifest").defer("manifest__body")
    return rows.filter(project=project, bundle_id=bundle_id)


def lanes_of(project: Project) -> list[Lane]:
    """The lanes of a project in the pipeline's order, each with its stage and this project."""
    lanes = list(Lane.objects.filter(project=project).select_related("stage").order_by("stage__position"))
    for lane in lanes:
        lane.project = project
    return lanes


def service_named(login: str) -> Person:
    """The active service account of a login, for commands that apply files: nobody at a shell speaks as a person.

    Raises Invalid where there is none.
    """
    found = Person.objects.filter(login=spelled(login), kind=Person.Kind.SERVICE, is_active=True).first()
    if found is None:
        raise Invalid(
            _(
                "“%(login)s” is no active service account. Add one, and let an administrator give it the right to"
                " manage."
            )
            % {"login": login},
            code="service_unknown",
            field="as",
        )
    return found
