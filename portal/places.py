"""Places: where a right can be granted (the estate, a portfolio, a project), with the grants that reach each.

Reads only. What a reader may know of a place is decided by whoever asks for its grants.
"""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from portal.models import Grant, Portfolio, Project, Stage

ESTATE = "estate"


@dataclass(frozen=True, slots=True)
class Place:
    """A project or a portfolio; neither is the whole estate."""

    project: Project | None = None
    portfolio: Portfolio | None = None

    @property
    def key(self) -> str:
        """`estate`, `portfolio:<slug>` or `project:<key>`: how forms and files name it."""
        if self.project is not None:
            return f"project:{self.project.key}"
        return f"portfolio:{self.portfolio.slug}" if self.portfolio is not None else ESTATE

    @property
    def name(self) -> str:
        """As people read it."""
        if self.project is not None:
            return self.project.name
        if self.portfolio is not None:
            return _("portfolio %(name)s") % {"name": self.portfolio.name}
        return _("the whole estate")

    @property
    def is_estate(self) -> bool:
        return self.project is None and self.portfolio is None

    @property
    def own(self) -> Q:
        """The grants given right here."""
        return Q(project=self.project, portfolio=self.portfolio)

    @property
    def inherited(self) -> Q:
        """The grants given further up that are handed down to here; those on the estate are `EVERYWHERE`."""
        if self.project is None:
            return Q(pk__in=())
        return Q(
            portfolio__in=Portfolio.projects.through.objects.filter(project=self.project.pk).values(
                "portfolio"
            )
        )

    @property
    def address(self) -> dict[str, Any]:
        """The place as keyword arguments of actions."""
        return {"project": self.project, "portfolio": self.portfolio}


EVERYWHERE = Q(project__isnull=True, portfolio__isnull=True)


def stages_of(project: Project | None) -> list[tuple[str, str]]:
    """Slug and name of the stages a grant may name: of one project's pipeline, else of any, in the pipelines' order."""
    found = Stage.objects.all()
    if project is not None:
        found = found.filter(pipeline=project.pipeline_id)
    names: dict[str, str] = {}
    for slug, name in found.order_by("position", "slug").values_list("slug", "name"):
        names.setdefault(slug, name)
    return list(names.items())


def place_of(grant: Grant) -> Place:
    """Where a grant was given."""
    return Place(grant.project, grant.portfolio)
