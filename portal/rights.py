"""May this person? The one place that answers, default deny.

What is held is portal/held.py's arithmetic, what is seen portal/seen.py's; here it becomes answers and refusals. Not in
charge of who else holds something (portal/holders.py) nor of making the rows (portal/projecting.py).
"""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.errors import Absent, Forbidden
from portal.held import Held, acts, held_by, held_on_estate
from portal.holders import grantors
from portal.models import (
    Grant,
    Lane,
    Person,
    Portfolio,
    Project,
    Right,
)
from portal.models.grant import codename
from portal.reach import Window, overseen
from portal.seen import cut, lanes_with, projects_in, visible_projects

__all__ = [
    "Held",
    "Right",
    "Window",
    "absent",
    "can",
    "check",
    "check_estate",
    "codename",
    "cut",
    "held_by",
    "held_on",
    "lanes_with",
    "manages",
    "on_estate",
    "oversight",
    "projects_in",
    "see",
    "see_portfolio",
    "standing_in_for",
    "visible_portfolios",
    "visible_projects",
]

on_estate = held_on_estate


def absent() -> Absent:
    """What an outsider gets: the same words for what is not there and for what they may not know of."""
    return Absent(
        _("There is nothing here, or you may not see it. Ask an administrator if you should."), code="absent"
    )


def held_on(person: Person, lanes: Iterable[Lane]) -> dict[int, frozenset[str]]:
    """Codenames that count for the person on each lane, by lane id; queries as `held_by`."""
    return {lane_id: held.names for lane_id, held in held_by(person, lanes).items()}


def standing_in_for(person: Person, right: Right, lane: Lane, *, role: str = "") -> UUID | None:
    """Whom the person stands in for when using this right here; None where it is their own, or not held."""
    return held_by(person, [lane])[lane.pk].principal(codename(right, role))


def can(person: Person, right: Right, lane: Lane, *, role: str = "") -> bool:
    """Whether `check` would let it pass; one query, two where the lane's stage was not read yet."""
    return codename(right, role) in held_on(person, [lane])[lane.pk]


def check(person: Person, right: Right, lane: Lane, *, role: str = "") -> None:
    """Raise unless the person holds the right on the lane.

    Absent for an outsider (somebody without any right on the project), Forbidden with the reason and who can grant it
    for a member without this right.
    """
    if can(person, right, lane, role=role):
        return
    see(person, lane.project)
    what = (
        _("sign for %(role)s") % {"role": role.replace("-", " ")} if right == Right.SIGN else str(right.label)
    )
    raise Forbidden(
        _("You need the right to %(right)s on %(project)s in %(stage)s. %(grantors)s can grant it.")
        % {
            "right": what,
            "project": lane.project.name,
            "stage": lane.stage.name,
            "grantors": grantors(lane.project),
        },
        code="right_missing",
        right=codename(right, role),
        project=lane.project.key,
        stage=lane.stage.slug,
    )


def check_estate(person: Person, right: Right) -> None:
    """Raise Forbidden unless the person holds the right on the whole estate."""
    if right.value not in on_estate(person):
        raise Forbidden(
            _("You need the right to %(right)s on the whole estate. %(grantors)s can grant it.")
            % {"right": str(right.label), "grantors": grantors()},
            code="right_missing",
            right=right.value,
        )


def see(person: Person, project: Project) -> None:
    """Raise Absent unless the person may see the project."""
    if not visible_projects(person).filter(pk=project.pk).exists():
        raise absent()


def manages(person: Person, portfolio: Portfolio) -> bool:
    """Whether the person holds `manage` on the portfolio itself, at every stage."""
    return (
        acts(person)
        and person.scope is None
        and Grant.objects.in_force(timezone.now())
        .filter(portfolio=portfolio, right=Right.MANAGE, stage="")
        .filter(Q(person=person) | Q(team__group__in=_groups([person.pk])))
        .exists()
    )


def oversight(person: Person) -> tuple[frozenset[str], frozenset[str]]:
    """What the person holds on the estate, and which of manage and audit on some lane at least; in one query.

    For the frame of a page: what to offer, never whether something may be done.
    """
    if not acts(person) or person.scope is not None:
        return frozenset(), frozenset()
    wanted = {Right.MANAGE.value, Right.AUDIT.value}
    held: set[str] = set()
    somewhere: set[str] = set()
    for what, role, stage, lane in overseen(person, wanted, timezone.now()):
        if lane or stage:
            somewhere.add(what)
        elif what != Right.SIGN or person.kind == Person.Kind.PERSON:
            held.add(codename(Right(what), role))
    return frozenset(held), frozenset((somewhere | held) & wanted)


def visible_portfolios(person: Person) -> QuerySet[Portfolio]:
    """Portfolios that the person manages or audits, or that hold a project they may see."""
    if not acts(person):
        return Portfolio.objects.none()
    if {Right.MANAGE.value, Right.AUDIT.value} & on_estate(person):
        return Portfolio.objects.all()
    granted = Grant.objects.in_force(timezone.now()).filter(
        Q(person=person) | Q(team__group__in=_groups([person.pk])), portfolio__isnull=False
    )
    if person.scope is not None:
        granted = granted.none()
    return Portfolio.objects.filter(
        Q(pk__in=granted.values("portfolio"))
        | Q(
            pk__in=Portfolio.projects.through.objects.filter(project__in=visible_projects(person)).values(
                "portfolio"
            )
        )
    )


def see_portfolio(person: Person, portfolio: Portfolio) -> None:
    """Raise Absent unless the person may see the portfolio."""
    if not visible_portfolios(person).filter(pk=portfolio.pk).exists():
        raise absent()


def _groups(holders: Collection[UUID]) -> QuerySet[Any, Any]:
    return Person.groups.through.objects.filter(person__in=holders).values("group_id")
