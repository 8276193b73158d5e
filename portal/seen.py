"""Which projects and lanes somebody reaches: the lists of portal/rights.py, whole or a window at a time.

A project is seen by whoever holds anything on one of its lanes, or is lent something there; an estate right is one on
every project that has its stage, unless it is about the estate alone. Whether what is held counts at a lane is
portal/held.py's.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import add
from typing import Any

from django.db import connection
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.utils import timezone

from portal.held import acts
from portal.models import (
    Lane,
    LaneGroupObjectPermission,
    LaneUserObjectPermission,
    Person,
    Project,
    Right,
)
from portal.models.grant import DELEGABLE, ESTATE_ONLY, SIGN_PREFIX, codename, in_force
from portal.reach import Listing, Party, Window, keys_at_once, keys_in, parties


def visible_projects(person: Person) -> QuerySet[Project]:
    """Projects the person has any right on; an estate right is one on every project that has its stage."""
    if not acts(person):
        return Project.objects.none()
    reach = _reach(person)
    projects = Project.objects.all()
    if "" not in reach.stages():
        ids: list[QuerySet[Any, Any]] = [rows.values("project_id") for rows in reach.rows()]
        if stages := reach.stages():
            ids.append(Lane.objects.filter(stage__slug__in=stages).order_by().values("project_id"))
        projects = projects.filter(pk__in=_together(ids))
    only = _only(person)
    return projects if only is None else projects.filter(pk__in=only)


def projects_in(person: Person, window: Window) -> QuerySet[Project]:
    """The visible projects by key in a window, whose cost is that of the window alone; three queries now, at most.

    Whoever reads it cuts it at the window's limit. Backwards where the window is.
    """
    keys = keys_in_window(person, window)
    if keys is None:
        only = _only(person)
        return cut(Project.objects.all() if only is None else Project.objects.filter(pk__in=only), window)
    # By their names, not by a subquery: among joins a database may take that for much and read every project.
    return Project.objects.filter(key__in=keys).order_by("-key" if window.backwards else "key")


def keys_in_window(person: Person, window: Window) -> list[str] | None:
    """The keys of the visible projects in a window; None where that is every project, or every one of the token's."""
    if not acts(person):
        return []
    signs = person.kind == Person.Kind.PERSON
    listing = Listing(window, signs, _only(person), timezone.now())
    if connection.vendor == "postgresql":
        estate, lent, keys = keys_at_once(person, listing)
        own = {stage for right, stage in estate if _reaches(right, signs=signs)}
        if "" in own:
            return None
        if not own and not lent:
            return keys
    reach = _reach(person)
    stages = reach.stages()
    return None if "" in stages else keys_in(listing, reach.own, reach.lent, stages)


def cut(projects: QuerySet[Project], window: Window) -> QuerySet[Project]:
    """These projects from where the window starts, in its order."""
    if window.edge:
        beyond = Q(key__lt=window.edge) if window.backwards else Q(key__gt=window.edge)
        projects = projects.filter(beyond)
    return projects.order_by("-key" if window.backwards else "key")


def lanes_with(person: Person, wanted: Collection[Right]) -> QuerySet[Lane]:
    """The lanes on which one of these rights counts for the person; signing in any role counts as the right to sign."""
    scope = person.scope
    if scope is not None:
        wanted = {right for right in wanted if right == Right.VIEW or right.value in scope.rights}
        wanted.discard(Right.SIGN)
    if not acts(person) or not wanted:
        return Lane.objects.none()
    reach = _reach(person)
    lent = DELEGABLE.intersection(wanted)
    ids = _lanes(reach.own_rows(wanted), reach.own_stages(wanted))
    ids += _lanes(reach.lent_rows(lent - {Right.SIGN}), reach.lent_stages(lent - {Right.SIGN}))
    if Right.SIGN in lent and reach.lent.people:
        ids.append(_lent_signing(reach))
    lanes = Lane.objects.filter(pk__in=_together(ids))
    only = _only(person)
    return lanes if only is None else lanes.filter(project__in=only)


@dataclass(frozen=True, slots=True)
class _Reach:
    """What a person reaches now, as a party of their own and through those they stand in for.

    `wanted` None is any right; of what is lent only what may be lent is ever there.
    """

    own: Party
    lent: Party
    signs: bool
    now: datetime

    def rows(self) -> list[QuerySet[Any]]:
        """Every row on lanes, of people and of groups."""
        return self.own_rows(None) + self.lent_rows(DELEGABLE)

    def stages(self) -> set[str]:
        """Every stage of an estate right; the empty one is all of them."""
        return self.own_stages(None) | self.lent_stages(DELEGABLE)

    def own_rows(self, wanted: Collection[Right] | None) -> list[QuerySet[Any]]:
        named = Q() if wanted is None else _named(wanted)
        if not self.signs:
            named &= ~Q(permission__codename__startswith=SIGN_PREFIX)
        return _rows(self.own, named, self.now)

    def lent_rows(self, wanted: Collection[Right]) -> list[QuerySet[Any]]:
        return _rows(self.lent, _named(wanted), self.now) if self.lent.people and wanted else []

    def own_stages(self, wanted: Collection[Right] | None) -> set[str]:
        return {
            stage
            for right, _role, stage in self.own.estate
            if (wanted is None or right in wanted) and _reaches(right, signs=self.signs)
        }

    def lent_stages(self, wanted: Collection[Right]) -> set[str]:
        return {stage for right, _role, stage in self.lent.estate if right in wanted}


def _reaches(right: str, *, signs: bool) -> bool:
    """Whether an estate right is one on projects, for who signs or does not."""
    return right not in ESTATE_ONLY and (signs or right != Right.SIGN)


def _reach(person: Person) -> _Reach:
    now = timezone.now()
    own, lent = parties(person, now)
    return _Reach(own, lent, person.kind == Person.Kind.PERSON, now)


def _lent_signing(reach: _Reach) -> QuerySet[Any, Any]:
    """Lanes where a lent right to sign counts: those where no other role is held, be it their own or lent too."""
    sign = {Right.SIGN}
    there = _lanes(reach.lent_rows(sign), reach.lent_stages(sign))
    rows = reach.own_rows(sign) + reach.lent_rows(sign)
    stages: dict[str, set[str]] = {
        name: set()
        for some in rows
        for name in some.values_list("permission__codename", flat=True).distinct()
    }
    for right, role, stage in reach.own.estate | reach.lent.estate:
        if right == Right.SIGN:
            stages.setdefault(codename(Right.SIGN, role), set()).add(stage)
    if len(stages) < 2:
        return _together(there)
    held = [
        Case(
            When(
                pk__in=_together(_lanes([some.filter(permission__codename=name) for some in rows], slugs)),
                then=Value(1),
            ),
            default=Value(0),
            output_field=IntegerField(),
        )
        for name, slugs in sorted(stages.items())
    ]
    roles = Lane.objects.annotate(roles=reduce(add, held))
    return roles.filter(roles=1, pk__in=_together(there)).order_by().values("pk")


def _lanes(rows: Collection[QuerySet[Any]], stages: Collection[str]) -> list[QuerySet[Any, Any]]:
    """The ids of lanes of these rows and of these stages."""
    found: list[QuerySet[Any, Any]] = [some.values("content_object_id") for some in rows]
    if stages:
        lanes = Lane.objects.order_by()
        found.append((lanes if "" in stages else lanes.filter(stage__slug__in=stages)).values("pk"))
    return found


def _together(ids: list[QuerySet[Any, Any]]) -> QuerySet[Any, Any]:
    """All these ids; a plain union, into which a database can carry what else is asked of a row."""
    if not ids:
        return Lane.objects.none().order_by().values("pk")
    return ids[0].union(*ids[1:], all=True) if len(ids) > 1 else ids[0]


def _rows(party: Party, named: Q, now: datetime) -> list[QuerySet[Any]]:
    """The rows on lanes of a party's people, and of its groups."""
    found: list[QuerySet[Any]] = [
        LaneUserObjectPermission.objects.filter(in_force(now), named, user__in=party.people)
    ]
    if party.groups:
        found.append(LaneGroupObjectPermission.objects.filter(in_force(now), named, group__in=party.groups))
    return found


def _named(wanted: Collection[Right]) -> Q:
    """The condition on rows of lanes for these rights."""
    named = Q(permission__codename__in=[right.value for right in wanted])
    return named | Q(permission__codename__startswith=SIGN_PREFIX) if Right.SIGN in wanted else named


def _only(person: Person) -> frozenset[int] | None:
    return None if person.scope is None else person.scope.projects
