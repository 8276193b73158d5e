"""Who made the tokens by which a service account acts: they have seen the secrets, so what it did may be theirs."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from portal.models import Person, Right, Token
from portal.prepared import prepared


def tokens_of(people: Collection[UUID], *rights: Right) -> list[Token]:
    """The tokens of the service accounts among these that carry one of these rights, ended ones too; one query."""
    if not people:
        return []
    return [one for one in _tokens(people=people) if {right.value for right in rights} & {*one.rights}]


@prepared
def _tokens(people: Any) -> QuerySet[Token]:
    return Token.objects.filter(person__in=people, person__kind=Person.Kind.SERVICE).order_by("pk")


# What came in by a token that ended on the way is done a moment after its end.
ON_THE_WAY = timedelta(minutes=10)


def lived(token: Token, at: datetime) -> bool:
    """Whether something done then may have come by this token."""
    return token.made_at <= at < min(token.expires_at, token.revoked_at or token.expires_at) + ON_THE_WAY


def tokens_behind(acts: Sequence[tuple[Person | None, datetime]], *rights: Right) -> list[list[Token]]:
    """For each of these people and when they acted: the tokens with one of these rights by which they may have.

    None of a person; one query at most for all of them.
    """
    services = {who.pk for who, _at in acts if who is not None and who.kind == Person.Kind.SERVICE}
    tokens = tokens_of(services, *rights)
    return [
        [token for token in tokens if who is not None and token.person_id == who.pk and lived(token, at)]
        for who, at in acts
    ]
