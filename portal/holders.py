"""Who holds something: the people to ask, to remind and to name in a refusal. Reads only.

Whether one person may is portal/rights.py's.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.held import held_by_each
from portal.models import (
    Delegation,
    Grant,
    Lane,
    LaneGroupObjectPermission,
    LaneUserObjectPermission,
    Person,
    Portfolio,
    Project,
)
from portal.models.delegation import running
from portal.models.grant import DELEGABLE, SIGN_PREFIX, in_force, later
from portal.prepared import prepared
from portal.reach import managers


@dataclass(frozen=True, slots=True)
class Holding:
    """A person who holds something, until when (None: for good), and whom they stand in for (None: it is theirs)."""

    person: Person
    until: datetime | None
    instead_of: UUID | None = None


def holders(lane: Lane, name: str) -> list[Person]:
    """Active people who hold a codename on a lane now: directly, through a team, on the estate or standing in; by name.

    Service accounts are not among them: these are the people who can be asked.
    """
    return [holding.person for holding in holders_on({lane.pk: [name]})[lane.pk, name]]


def holders_on(
    wanted: Mapping[int, Collection[str]], stages: Mapping[int, str] | None = None
) -> dict[tuple[int, str], list[Holding]]:
    """As `holders`, for codenames by lane id: (lane id, codename) -> people by name, in six queries however many.

    One more for those who stand in for somebody, and two to read and weigh what these hold; one more where the caller
    does not say the slugs of the lanes' stages.
    """
    now = timezone.now()
    every = {name for names in wanted.values() for name in names}
    slugs = dict(_slugs(lanes=wanted)) if stages is None else stages
    people: dict[tuple[int, str], dict[UUID, datetime | None]] = {
        (lane, name): {} for lane, names in wanted.items() for name in names
    }
    teams: dict[tuple[int, str], dict[int, datetime | None]] = {key: {} for key in people}
    for user, lane, name, until in _of_people(lanes=wanted, names=every, now=now):
        later(people.get((lane, name), {}), user, until)
    for group, lane, name, until in _of_groups(lanes=wanted, names=every, now=now):
        later(teams.get((lane, name), {}), group, until)
    named: dict[str, list[int]] = defaultdict(list)
    for lane, name in people:
        named[name].append(lane)
    for grant in _of_estate(now=now):
        name = grant.codename
        for lane in named[name]:
            if grant.stage in ("", slugs.get(lane)):
                if grant.person_id is not None:
                    later(people[lane, name], grant.person_id, grant.until)
                elif grant.team is not None:
                    later(teams[lane, name], grant.team.group_id, grant.until)
    members: dict[int, set[UUID]] = defaultdict(set)
    groups = {group for held in teams.values() for group in held}
    for person_id, group in _members(groups=groups):
        members[group].add(person_id)
    for key, held in teams.items():
        for group, until in held.items():
            for person_id in members[group]:
                later(people[key], person_id, until)
    lenders = _stand_ins(people, now)
    ids = {person_id for held in people.values() for person_id in held}
    placed = {person.pk: (number, person) for number, person in enumerate(_able(people=ids))}
    return {
        key: [
            Holding(person, held[person.pk], lenders.get((*key, person.pk)))
            for _number, person in sorted(placed[one] for one in held if one in placed)
        ]
        for key, held in people.items()
    }


def _stand_ins(
    people: dict[tuple[int, str], dict[UUID, datetime | None]], now: datetime
) -> dict[tuple[int, str, UUID], UUID]:
    """Add those who stand in for somebody who holds what may be lent, for as long as both last.

    Returns for whom each does: (lane id, codename, delegate's id) -> principal's id.
    """
    lenders: dict[tuple[int, str, UUID], UUID] = {}
    lendable = {
        key: dict(held)
        for key, held in people.items()
        if key[1].startswith(SIGN_PREFIX) or key[1] in DELEGABLE
    }
    away = {person for held in lendable.values() for person in held}
    found = _running(people=away, now=now)
    if not found:
        return lenders
    lanes = list(Lane.objects.filter(pk__in={lane for lane, _name in lendable}).select_related("stage"))
    counts = held_by_each({one.delegate.pk: one.delegate for one in found}.values(), lanes)
    for one in found:
        for (lane, name), held in lendable.items():
            if one.person_id in held and one.person_id in counts[one.delegate_id, lane].lent.get(name, ()):
                until = held[one.person_id]
                later(
                    people[lane, name],
                    one.delegate_id,
                    one.until if until is None else min(until, one.until),
                )
                mine = (lane, name, one.delegate_id)
                lenders[mine] = min(one.person_id, lenders.get(mine, one.person_id))
    return lenders


# --- what is read ---


@prepared
def _slugs(lanes: Any) -> QuerySet[Any, tuple[int, str]]:
    return Lane.objects.filter(pk__in=lanes).values_list("pk", "stage__slug")


@prepared
def _of_people(lanes: Any, names: Any, now: Any) -> QuerySet[Any, tuple[UUID, int, str, datetime | None]]:
    there = Q(content_object__in=lanes, permission__codename__in=names)
    return LaneUserObjectPermission.objects.filter(in_force(now), there).values_list(
        "user_id", "content_object_id", "permission__codename", "until"
    )


@prepared
def _of_groups(lanes: Any, names: Any, now: Any) -> QuerySet[Any, tuple[int, int, str, datetime | None]]:
    there = Q(content_object__in=lanes, permission__codename__in=names)
    return LaneGroupObjectPermission.objects.filter(in_force(now), there).values_list(
        "group_id", "content_object_id", "permission__codename", "until"
    )


@prepared
def _of_estate(now: Any) -> QuerySet[Grant]:
    return Grant.objects.in_force(now).on_estate().select_related("team")


@prepared
def _members(groups: Any) -> QuerySet[Any, tuple[UUID, int]]:
    return Person.groups.through.objects.filter(group__in=groups).values_list("person_id", "group_id")


@prepared
def _able(people: Any) -> QuerySet[Person]:
    return Person.objects.filter(pk__in=people, is_active=True, kind=Person.Kind.PERSON).order_by("name")


@prepared
def _running(people: Any, now: Any) -> QuerySet[Delegation]:
    return Delegation.objects.filter(
        running(now),
        person__in=people,
        person__is_active=True,
        person__kind=Person.Kind.PERSON,
        delegate__is_active=True,
        delegate__kind=Person.Kind.PERSON,
    ).select_related("delegate")


# --- whom to ask ---


def grantors(
    project: Project | None = None, portfolio: Portfolio | None = None, *, but: Person | None = None
) -> str:
    """Names of the people who can grant on a project, a portfolio, or on the whole estate, for refusals; one query."""
    people = managers(
        None if project is None else project.pk,
        None if portfolio is None else portfolio.pk,
        timezone.now(),
    )
    names = sorted(name for pk, name in people if but is None or pk != but.pk)
    return _(" or ").join(names) if names else _("An administrator")
