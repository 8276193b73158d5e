"""What somebody can do on a project at a stage, through what, and who else could. Reads only.

The answer is that of portal/rights.py itself; the ways beside it are the grants it comes from. For whoever manages or
audits there.
"""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from portal import rights
from portal.errors import Forbidden
from portal.holders import Holding, grantors, holders_on
from portal.lookups import lanes_of
from portal.matrix import Column, columns_for
from portal.models import Grant, Lane, Person, Project, Right
from portal.projecting import sign_roles
from portal.ways import Way, company, last, told, ways


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether one right is held; through which ways; until when (None: for good); who else holds it.

    Any right lets its holder see the project: `sees_by` says which, where nobody granted seeing itself.
    """

    column: Column
    holds: bool
    ways: tuple[Way, ...]
    until: datetime | None
    others: tuple[Holding, ...]
    sees_by: str = ""

    @property
    def why(self) -> list[str]:
        """A line for each way."""
        return [told(way) for way in self.ways] or ([self.sees_by] if self.sees_by else [])


def may_simulate(person: Person, project: Project) -> bool:
    """Whether the person manages or audits some lane of the project."""
    held = rights.held_on(person, lanes_of(project))
    return any({Right.MANAGE.value, Right.AUDIT.value} & names for names in held.values())


def check_may_simulate(person: Person, project: Project) -> None:
    """Raise Absent for an outsider, Forbidden for a member who neither manages nor audits there."""
    if may_simulate(person, project):
        return
    rights.see(person, project)
    raise Forbidden(
        _("Who can do what is for those who manage or audit %(project)s. %(grantors)s can grant that.")
        % {"project": project.name, "grantors": grantors(project)},
        code="right_missing",
        right=Right.MANAGE.value,
        project=project.key,
    )


def simulated(person: Person, lane: Lane) -> list[Answer]:
    """An answer for each right in use, in a constant number of queries. `lane` with its project and stage."""
    held = rights.held_on(person, [lane])[lane.pk]
    among = company([person])
    grants = list(
        Grant.objects.in_force(timezone.now())
        .reaching(lane.project)
        .select_related("person", "team", "project", "portfolio", "given_by")
        .order_by("pk")
    )
    stage = lane.stage.slug
    found = ways([person], [stage], grants, among)[person.pk, stage]
    columns = columns_for(sign_roles(), grants, estate=False)
    others = holders_on({lane.pk: [column.name for column in columns]})
    sees_by = ""
    if Right.VIEW.value not in held and rights.visible_projects(person).filter(pk=lane.project_id).exists():
        sees_by = _("any other right on the project lets its holder see it")
    return [
        Answer(
            column=column,
            holds=column.name in held or bool(column.right == Right.VIEW and sees_by),
            ways=tuple(found.get(column.name, ())),
            until=last(found[column.name]) if column.name in found else None,
            others=tuple(one for one in others[lane.pk, column.name] if one.person.pk != person.pk),
            sees_by=sees_by if column.right == Right.VIEW else "",
        )
        for column in columns
    ]
