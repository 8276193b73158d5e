"""May this person? The one place that answers, default deny.

What is held is portal/held.py's arithmetic; here it becomes answers and refusals. Not in charge of who else holds
something (portal/holders.py) nor of making the rows (portal/projecting.py).
"""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.errors import Absent, Forbidden
from portal.held import Held, acts, held_by, held_on_estate, principals
from portal.holders import grantors
from portal.models import (
    Grant,
    Lane,
    LaneGroupObjectPermission,
    LaneUserObjectPermission,
    Person,
    Portfolio,
    Project,
    Right,
)
from portal.models.grant import DELEGABLE, SIGN_PREFIX, codename, in_force

__all__ = [
    "Held",
    "Right",
    "absent",
    "can",
    "check",
    "check_estate",
    "codename",
    "held_by",
    "held_on",
    "lanes_with",
    "manages",
    "on_estate",
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
    """Whether `check` would let it pass; two queries."""
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


def visible_projects(person: Person) -> QuerySet[Project]:
    """Projects the person has any right on; an estate right is one on every project that has its stage."""
    found = _reached(person, None)
    if found is None:
        return Project.objects.none()
    rows, stages = found
    projects = Project.objects.all()
    if "" not in stages:
        ids = rows[0].values("project_id").union(*(some.values("project_id") for some in rows[1:]))
        if stages:
            ids = ids.union(Lane.objects.filter(stage__slug__in=stages).values("project_id"))
        projects = projects.filter(pk__in=ids)
    only = _only(person)
    return projects if only is None else projects.filter(pk__in=only)


def lanes_with(person: Person, wanted: Collection[Right]) -> QuerySet[Lane]:
    """The lanes on which the person holds one of these rights; signing in any role counts as the right to sign."""
    if person.scope is not None:
        wanted = [right for right in wanted if right == Right.VIEW or right.value in person.scope.rights]
    found = _reached(person, frozenset(wanted))
    if found is None:
        return Lane.objects.none()
    rows, stages = found
    lanes = Lane.objects.all()
    if "" not in stages:
        reached = Q(stage__slug__in=stages)
        for some in rows:
            reached |= Q(pk__in=some.values("content_object_id"))
        lanes = lanes.filter(reached)
    only = _only(person)
    return lanes if only is None else lanes.filter(project__in=only)


def _reached(person: Person, wanted: frozenset[Right] | None) -> tuple[list[QuerySet[Any]], set[str]] | None:
    """Rows on lanes (own and lent, of people and teams) and stages of estate grants; None: nothing at all.

    `wanted` None is any right. Two queries now; the rows are read by whoever uses them.
    """
    if not acts(person) or (wanted is not None and not wanted):
        return None
    now = timezone.now()
    parties: list[tuple[list[UUID], frozenset[Right] | None]] = [([person.pk], wanted)]
    if whom := principals([person], now)[person.pk]:
        parties.append((list(whom), DELEGABLE if wanted is None else DELEGABLE & wanted))
    rows: list[QuerySet[Any]] = []
    reach = Q(pk__in=())
    for holders, some in parties:
        named, granted = _named(person, some)
        rows += [
            LaneUserObjectPermission.objects.filter(in_force(now), named, user__in=holders),
            LaneGroupObjectPermission.objects.filter(in_force(now), named, group__in=_groups(holders)),
        ]
        reach |= granted & (Q(person__in=holders) | Q(team__group__in=_groups(holders)))
    stages = set(
        Grant.objects.in_force(now).on_estate().filter(reach).values_list("stage", flat=True).distinct()
    )
    return rows, stages


def _named(person: Person, wanted: frozenset[Right] | None) -> tuple[Q, Q]:
    """The conditions on rows of lanes and on grants for these rights, as far as they count for the person."""
    signs = person.kind == Person.Kind.PERSON
    if wanted is None:
        if signs:
            return Q(), Q()
        return ~Q(permission__codename__startswith=SIGN_PREFIX), ~Q(right=Right.SIGN)
    values = [right.value for right in wanted if signs or right != Right.SIGN]
    named = Q(permission__codename__in=values)
    if Right.SIGN.value in values:
        named |= Q(permission__codename__startswith=SIGN_PREFIX)
    return named, Q(right__in=values)


def _groups(holders: Collection[UUID]) -> QuerySet[Any, Any]:
    return Person.groups.through.objects.filter(person__in=holders).values("group_id")


def _only(person: Person) -> frozenset[int] | None:
    return None if person.scope is None else person.scope.projects
