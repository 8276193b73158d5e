"""Who made the tokens by which a service account acts: they have seen the secrets, so what it did may be theirs."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from portal.models import Person, Right, Token


def tokens_of(people: Collection[UUID], *rights: Right) -> list[Token]:
    """The tokens of the service accounts among these that carry one of these rights, ended ones too; one query."""
    if not people:
        return []
    tokens = Token.objects.filter(person__in=people, person__kind=Person.Kind.SERVICE).order_by("pk")
    return [one for one in tokens if {right.value for right in rights} & {*one.rights}]


# What came in by a token that ended on the way is done a moment after its end.
ON_THE_WAY = timedelta(minutes=10)


def lived(token: Token, at: datetime) -> bool:
    """Whether something done then may have come by this token."""
    return token.made_at <= at < min(token.expires_at, token.revoked_at or token.expires_at) + ON_THE_WAY


def makers_of(acts: Sequence[tuple[Person | None, datetime]], *rights: Right) -> list[frozenset[UUID]]:
    """For each of these people and when they acted: who had made a token with one of these rights that was in force.

    Empty for a person; one query at most for all of them.
    """
    services = {who.pk for who, _at in acts if who is not None and who.kind == Person.Kind.SERVICE}
    tokens = tokens_of(services, *rights)
    return [
        frozenset(
            token.made_by_id
            for token in tokens
            if who is not None and token.person_id == who.pk and lived(token, at)
        )
        for who, at in acts
    ]
