"""What people hold on lanes: their own rows there, those of their teams, and grants on the estate.

Each also of whoever they stand in for. The arithmetic of portal/rights.py and portal/holders.py: default is nothing,
and `is_superuser` is never looked at.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.utils import timezone

from portal.models import Lane, Person, Right
from portal.models.grant import DELEGABLE, ESTATE_ONLY, SIGN_PREFIX
from portal.reach import Row, rows_of


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
    """What counts for the person on each lane, by lane id, in one query (two where stages were not read yet)."""
    lanes = list(lanes)
    found = held_by_each([person], lanes)
    return {lane.pk: found[person.pk, lane.pk] for lane in lanes}


def held_by_each(people: Collection[Person], lanes: Sequence[Lane]) -> dict[tuple[UUID, int], Held]:
    """As `held_by`, of several people: (person id, lane id) -> what counts; as many queries, however many people."""
    acting = [person for person in people if acts(person)]
    rows: dict[tuple[UUID, int | None], list[Row]] = defaultdict(list)
    for row in rows_of(acting, [lane.pk for lane in lanes], timezone.now()):
        rows[row.person, row.lane].append(row)
    if any(row.stage for some in rows.values() for row in some):
        prefetch_related_objects(lanes, "stage")
    found = {(person.pk, lane.pk): Held() for person in people for lane in lanes}
    for person in acting:
        estate = [row for row in rows[person.pk, None] if row.name not in ESTATE_ONLY]
        for lane in lanes:
            reaching = [row for row in estate if not row.stage or row.stage == lane.stage.slug]
            reaching += rows[person.pk, lane.pk]
            found[person.pk, lane.pk] = _weighed(person, reaching, lane.project_id)
    return found


def held_on_estate(person: Person, *, stage: str | None = None) -> frozenset[str]:
    """Codenames the person holds on the estate in their own right; grants for one stage count only for that stage."""
    if not acts(person) or (person.scope is not None and person.scope.projects is not None):
        return frozenset()
    rows = rows_of([person], (), timezone.now())
    return _weighed(person, [row for row in rows if not row.stage or row.stage == stage], None).own


def acts(person: Person) -> bool:
    """Whether the account can hold anything at all."""
    return person.is_active and not person.is_system


def _weighed(person: Person, rows: Iterable[Row], project: int | None) -> Held:
    """What counts of what is held: by the kind of account, by what may be lent, by the token's scope."""
    scope = person.scope
    if scope is not None and scope.projects is not None and project not in scope.projects:
        return Held()
    own: set[str] = set()
    lent: dict[str, set[UUID]] = {}
    for row in rows:
        signs = row.name.startswith(SIGN_PREFIX)
        if signs and person.kind != Person.Kind.PERSON:
            continue  # a service account never signs, whatever its teams hold
        if row.holder == person.pk:
            own.add(row.name)
        elif signs or row.name in DELEGABLE:
            lent.setdefault(row.name, set()).add(row.holder)
    for name in own:
        lent.pop(name, None)
    roles = {name for name in (*own, *lent) if name.startswith(SIGN_PREFIX)}
    if len(roles) > 1:
        lent = {name: whom for name, whom in lent.items() if name not in roles}
    if scope is not None:
        # A token never signs, and adds nothing: it keeps what it names and the right to see.
        kept = (scope.rights | {Right.VIEW.value}) - roles
        own &= kept
        lent = {name: whom for name, whom in lent.items() if name in kept}
    return Held(frozenset(own), lent)
