"""Remembers what stood on pages that people opened, so that a signature says what its signer had before them, and when.

That somebody opened something says nothing about whether it may be signed. Not kept of programs: they read nothing.
"""

from collections.abc import Iterable

from django.utils import timezone

from governance.models import Opening
from governance.statement import Opened
from portal.models import Bundle, Person

# With how many other bundles compared is told.
DIFFERENCES = 5


def opened(person: Person, bundle: Bundle, pieces: Iterable[tuple[Opening.What, str]]) -> None:
    """Note that a person has these in front of them now; `pieces` by their digests."""
    if person.scope is not None or person.kind != Person.Kind.PERSON:
        return
    now = timezone.now()
    rows = [
        Opening(person=person, bundle=bundle, what=what, digest=digest, first_at=now, last_at=now)
        for what, digest in dict.fromkeys(pieces)
    ]
    Opening.objects.bulk_create(
        rows,
        update_conflicts=True,
        update_fields=["last_at"],
        unique_fields=["person", "bundle", "what", "digest"],
    )


def opened_by(person: Person, bundle: Bundle, digests: Iterable[str]) -> tuple[Opened, ...]:
    """What of these a person opened of a bundle, and the latest differences, in order of kind and digest."""
    every = Opening.objects.filter(person=person, bundle=bundle)
    differences = every.filter(what=Opening.What.DIFFERENCE).order_by("-last_at")[:DIFFERENCES]
    rows = [*every.filter(digest__in=set(digests)).exclude(what=Opening.What.DIFFERENCE), *differences]
    found = [Opened(row.what, row.digest, row.first_at, row.last_at) for row in rows]
    return tuple(sorted(found, key=lambda one: (one.what, one.digest)))
