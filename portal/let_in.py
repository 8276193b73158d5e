"""Who lately gave a person a new way to sign in, and so could have come as them: what was done since may be theirs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from portal import ledger
from portal.event_kinds import EventKind
from portal.makers import lived, tokens_behind, tokens_of
from portal.models import Event, Identity, Person, Right
from portal.models.identity import Source
from portal.prepared import prepared

# By these somebody gets in who did not before; whoever gave one to somebody else could come as them.
WAYS_IN = (EventKind.PASSWORD_RESET, EventKind.FACTOR_REMOVED, EventKind.IDENTITY_LINKED)
# For how long a new way in may be in the hands of whoever gave it.
APART = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class LetIn:
    """Who gave somebody a way in; `again` are those among them who gave it to an account that had been used before.

    `until` is when the first of it ends.
    """

    by: frozenset[UUID] = frozenset()
    again: frozenset[UUID] = frozenset()
    until: datetime | None = None


NOBODY = LetIn()
# Somebody who lets in who lets in: so many steps are followed.
STEPS = 5


@dataclass(frozen=True, slots=True)
class _Way:
    """A way in that somebody was given: when, by whom, and whether it was the account's first."""

    at: datetime
    by: UUID
    first: bool


def let_in(acts: Sequence[tuple[UUID, datetime]]) -> list[LetIn]:
    """For each of these people and when they acted: who gave them a way in within APART before that.

    Whoever let in who let them in, before they did, could have done so as well, and so on; of a service account also
    who made its token. One query; where there are any, three more and one for each further step.
    """
    if not acts:
        return []
    given: dict[UUID, list[_Way]] = {}
    people, since = {person for person, _at in acts}, min(at for _person, at in acts) - STEPS * APART
    for _step in range(STEPS):
        people -= given.keys()
        found = _given(people, since) if people else {}
        given |= {person: found.get(person, []) for person in people}
        people = {way.by for ways in found.values() for way in ways}
        if not people:
            break
    return [_told(person, acted, given) for person, acted in acts]


@prepared
def _recorded(subjects: Any, since: Any) -> QuerySet[Event]:
    kinds = [kind.value for kind in WAYS_IN]
    return Event.objects.filter(subject__in=subjects, kind__in=kinds, at__gt=since).order_by("seq")


def _given(people: Collection[UUID], since: datetime) -> dict[UUID, list[_Way]]:
    """What ways in these people were given since, by others."""
    rows = _recorded(subjects={f"person:{person}" for person in people}, since=since)
    # What somebody's own sign-in did is written down as the system's doing.
    system = Person.objects.system().pk if rows else None
    found: dict[UUID, list[_Way]] = {}
    for row in rows:
        facts = ledger.decoded(bytes(row.body))["facts"]
        own = row.actor == system or row.subject == f"person:{row.actor}"
        if not own and facts.get("provider") != Source.SCIM.value:
            # Codes from before it was written down whether they were the first are taken for that.
            first = bool(facts.get("first", row.kind != EventKind.FACTOR_REMOVED.value))
            found.setdefault(UUID(row.subject.partition(":")[2]), []).append(_Way(row.at, row.actor, first))
    tokens = tokens_of({way.by for ways in found.values() for way in ways}, Right.MANAGE)
    for person, ways in found.items():
        ways += [
            _Way(way.at, token.made_by_id, way.first)
            for way in ways
            for token in tokens
            if token.person_id == way.by and lived(token, way.at) and token.made_by_id != person
        ]
    return found


def _told(person: UUID, acted: datetime, given: Mapping[UUID, Sequence[_Way]]) -> LetIn:
    ways: set[tuple[UUID, bool, datetime]] = set()
    ends: list[datetime] = []
    due = [(person, acted, False)]
    while due:
        whom, at, first = due.pop()
        for way in given.get(whom, ()):
            if not way.at <= at < way.at + APART or way.by == person:
                continue
            # Whether an account in use was taken over is the first step's to say.
            key = (way.by, first or (whom == person and way.first), way.at)
            if whom == person:
                ends.append(way.at + APART)
            if key not in ways:
                ways.add(key)
                due.append((way.by, way.at, key[1]))
    by = frozenset(giver for giver, _first, _at in ways)
    return LetIn(by, frozenset(giver for giver, first, _at in ways if not first), min(ends, default=None))


def could_be(acts: Sequence[tuple[Person | None, datetime]], *rights: Right) -> list[LetIn]:
    """For each of these accounts and when they acted: who else could have done it.

    Of a service account who made a token with one of these rights, of a person who lately let them in.
    """
    found, _none = could_be_and(acts, *rights)
    return found


def could_be_and(
    acts: Sequence[tuple[Person | None, datetime]],
    *rights: Right,
    moments: Sequence[tuple[UUID, datetime]] = (),
) -> tuple[list[LetIn], list[LetIn]]:
    """The same, and `let_in` of others, in as many queries."""
    behind = tokens_behind(acts, *rights)
    # Of a token who made it, and who could have made it as them: they have seen its secret.
    made = [(token.made_by_id, token.made_at) for tokens in behind for token in tokens]
    people = [(who.pk, at) for who, at in acts if who is not None and who.kind == Person.Kind.PERSON]
    told = let_in([*people, *made, *moments])
    let, let_make = iter(told), iter(told[len(people) :])
    found: list[LetIn] = []
    for (who, _at), tokens in zip(acts, behind, strict=True):
        if who is not None and who.kind == Person.Kind.PERSON:
            found.append(next(let))
        else:
            makers = frozenset[UUID]().union(*({token.made_by_id} | next(let_make).by for token in tokens))
            found.append(LetIn(makers, makers))
    return found, told[len(people) + len(made) :]


def never_came(person: Person) -> bool:
    """Whether the account has had no way in yet, so that nobody's is taken over by giving it one."""
    return not (
        person.last_login
        or person.has_usable_password()
        or Identity.objects.filter(person=person).exclude(provider=Source.SCIM).exists()
    )
