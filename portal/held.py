"""What people hold on lanes: their own rows there, those of their teams, and grants on the estate.

Each also of whoever they stand in for. The arithmetic of portal/rights.py and portal/holders.py: default is nothing,
and `is_superuser` is never looked at.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import BigIntegerField, F, Value, prefetch_related_objects
from django.db.models.functions import Cast
from django.utils import timezone

from portal.models import (
    Delegation,
    Grant,
    Lane,
    LaneGroupObjectPermission,
    LaneUserObjectPermission,
    Person,
    Right,
)
from portal.models.delegation import running
from portal.models.grant import DELEGABLE, SIGN_PREFIX, codename, in_force


@dataclass(frozen=True, slots=True)
class Held:
    """Codenames that count for a person on one lane: their `own`, and `lent` ones with the ids of those who lend them.

    Somebody who stands in never holds two sign roles at once: a lent role counts only where no other role is held.
    """

    own: frozenset[str] = frozenset()
    lent: Mapping[str, Collection[UUID]] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        return self.own | self.lent.keys()

    def principal(self, name: str) -> UUID | None:
        """Who lends this codename; None where it is one's own, or not held."""
        return None if name in self.own else min(self.lent.get(name, ()), default=None)


def held_by(person: Person, lanes: Iterable[Lane]) -> dict[int, Held]:
    """What counts for the person on each lane, by lane id, in two queries (three where stages were not read yet)."""
    lanes = list(lanes)
    found = held_by_each([person], lanes)
    return {lane.pk: found[person.pk, lane.pk] for lane in lanes}


def held_by_each(people: Collection[Person], lanes: Sequence[Lane]) -> dict[tuple[UUID, int], Held]:
    """As `held_by`, of several people: (person id, lane id) -> what counts; as many queries, however many people."""
    now = timezone.now()
    acting = [person for person in people if acts(person)]
    stands_for = principals(acting, now)
    holders = {person.pk for person in acting}.union(*stands_for.values())
    rows: dict[tuple[UUID, int | None], list[_Row]] = defaultdict(list)
    for row in _rows(holders, now, [lane.pk for lane in lanes]) if acting else ():
        rows[row.holder, row.lane].append(row)
    if any(row.stage for some in rows.values() for row in some):
        prefetch_related_objects(lanes, "stage")
    found = {(person.pk, lane.pk): Held() for person in people for lane in lanes}
    for person in acting:
        for lane in lanes:
            reaching = [
                row
                for holder in (person.pk, *stands_for[person.pk])
                for row in (*rows[holder, lane.pk], *rows[holder, None])
                if not row.stage or row.stage == lane.stage.slug
            ]
            found[person.pk, lane.pk] = _weighed(person, reaching, lane.project_id)
    return found


def held_on_estate(person: Person, *, stage: str | None = None) -> frozenset[str]:
    """Codenames the person holds on the estate in their own right; grants for one stage count only for that stage."""
    if not acts(person) or (person.scope is not None and person.scope.projects is not None):
        return frozenset()
    rows = _rows([person.pk], timezone.now(), ())
    return _weighed(person, [row for row in rows if not row.stage or row.stage == stage], None).own


def principals(people: Iterable[Person], now: datetime) -> dict[UUID, frozenset[UUID]]:
    """Whom each of these stands in for at an instant, in one query.

    Somebody disabled lends nothing, what was lent is not lent on, and a service account stands in for nobody.
    """
    found: dict[UUID, set[UUID]] = {person.pk: set() for person in people}
    able = [person.pk for person in people if person.kind == Person.Kind.PERSON]
    if able:
        rows = Delegation.objects.filter(
            running(now), delegate__in=able, person__is_active=True, person__kind=Person.Kind.PERSON
        )
        for delegate, person in rows.values_list("delegate_id", "person_id"):
            found[delegate].add(person)
    return {person: frozenset(whom) for person, whom in found.items()}


def acts(person: Person) -> bool:
    """Whether the account can hold anything at all."""
    return person.is_active and not person.is_system


@dataclass(frozen=True, slots=True)
class _Row:
    """One thing held: by whom, on which lane (None: on the estate, `stage` narrowing it)."""

    holder: UUID
    lane: int | None
    name: str
    stage: str


def _rows(holders: Collection[UUID], now: datetime, lanes: Collection[int]) -> list[_Row]:
    """What these people hold on the estate and on these lanes, in one query."""
    none = Cast(Value(None), BigIntegerField())
    blank = Value("")
    live = Grant.objects.in_force(now).on_estate()
    union = (
        live.filter(person__in=holders).order_by().values_list("person_id", none, "right", "role", "stage")
    )
    others = [
        live.filter(team__group__user__in=holders).values_list(
            "team__group__user", none, "right", "role", "stage"
        )
    ]
    if lanes:
        own = LaneUserObjectPermission.objects.filter(
            in_force(now), user__in=holders, content_object__in=lanes
        )
        teams = LaneGroupObjectPermission.objects.filter(
            in_force(now), group__user__in=holders, content_object__in=lanes
        )
        name = F("permission__codename")
        others += [
            own.values_list("user_id", "content_object_id", name, blank, blank),
            teams.values_list("group__user", "content_object_id", name, blank, blank),
        ]
    found = union.union(*(some.order_by() for some in others), all=True)
    # Rows on lanes say the codename itself; grants the right and the role.
    return [
        _Row(holder, lane, codename(Right(what), role) if lane is None else what, stage)
        for holder, lane, what, role, stage in found
    ]


def _weighed(person: Person, rows: Iterable[_Row], project: int | None) -> Held:
    """What counts of what is held: by the kind of account, by what may be lent, by the token's scope."""
    scope = person.scope
    if scope is not None and scope.projects is not None and project not in scope.projects:
        return Held()
    own: set[str] = set()
    lent: dict[str, set[UUID]] = defaultdict(set)
    for row in rows:
        signs = row.name.startswith(SIGN_PREFIX)
        if signs and person.kind != Person.Kind.PERSON:
            continue  # a service account never signs, whatever its teams hold
        if row.holder == person.pk:
            own.add(row.name)
        elif signs or row.name in DELEGABLE:
            lent[row.name].add(row.holder)
    for name in own:
        lent.pop(name, None)
    roles = {name for name in (*own, *lent) if name.startswith(SIGN_PREFIX)}
    if len(roles) > 1:
        lent = defaultdict(set, {name: whom for name, whom in lent.items() if name not in roles})
    if scope is not None:
        seen = bool(own or lent)
        own = {name for name in own if name in scope.rights}
        lent = defaultdict(set, {name: whom for name, whom in lent.items() if name in scope.rights})
        if seen:
            own.add(Right.VIEW.value)
    return Held(frozenset(own), dict(lent))
