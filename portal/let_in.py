"""Who lately gave a person a new way to sign in, and so could have come as them: what was done since may be theirs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from portal import ledger
from portal.event_kinds import EventKind
from portal.makers import lived, makers_of, tokens_of
from portal.models import Event, Identity, Person, Right
from portal.models.identity import Source

# By these somebody gets in who did not before; whoever gave one to somebody else could come as them.
WAYS_IN = (EventKind.PASSWORD_RESET, EventKind.FACTOR_REMOVED, EventKind.IDENTITY_LINKED)
# For how long a new way in may be in the hands of whoever gave it.
APART = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class LetIn:
    """Who gave somebody a way in; `again` are those among them who gave it to an account that had been used before."""

    by: frozenset[UUID] = frozenset()
    again: frozenset[UUID] = frozenset()


NOBODY = LetIn()


def let_in(acts: Sequence[tuple[UUID, datetime]]) -> list[LetIn]:
    """For each of these people and when they acted: who gave them a way in within APART before that.

    One query; two more where there are any. Of a service account that did, also who made its token.
    """
    if not acts:
        return []
    rows = Event.objects.filter(
        subject__in={f"person:{person}" for person, _at in acts},
        kind__in=[kind.value for kind in WAYS_IN],
        at__gt=min(at for _person, at in acts) - APART,
    ).order_by("seq")
    # What somebody's own sign-in did is written down as the system's doing.
    system = Person.objects.system().pk if rows else None
    given: dict[str, list[tuple[datetime, UUID, bool]]] = {}
    for row in rows:
        facts = ledger.decoded(bytes(row.body))["facts"]
        own = row.actor == system or row.subject == f"person:{row.actor}"
        if not own and facts.get("provider") != Source.SCIM.value:
            given.setdefault(row.subject, []).append((row.at, row.actor, bool(facts.get("first"))))
    tokens = tokens_of({actor for ways in given.values() for _at, actor, _first in ways}, Right.MANAGE)
    found = []
    for person, acted in acts:
        ways = [one for one in given.get(f"person:{person}", ()) if one[0] <= acted < one[0] + APART]
        ways += [
            (at, token.made_by_id, first)
            for at, actor, first in ways
            for token in tokens
            if token.person_id == actor and lived(token, at) and token.made_by_id != person
        ]
        by = frozenset(actor for _at, actor, _first in ways)
        found.append(LetIn(by, frozenset(actor for _at, actor, first in ways if not first)))
    return found


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
    people = [(who.pk, at) for who, at in acts if who is not None and who.kind == Person.Kind.PERSON]
    told = let_in([*people, *moments])
    let = iter(told)
    return [
        next(let) if who is not None and who.kind == Person.Kind.PERSON else LetIn(makers, makers)
        for (who, _at), makers in zip(acts, makers_of(acts, *rights), strict=True)
    ], told[len(people) :]


def never_came(person: Person) -> bool:
    """Whether the account has had no way in yet, so that nobody's is taken over by giving it one."""
    return not (
        person.last_login
        or person.has_usable_password()
        or Identity.objects.filter(person=person).exclude(provider=Source.SCIM).exists()
    )
