"""Finds out who somebody is by login and password, and writes down who was not let in.

Not in charge of sessions (portal/actions/accounts.py begins them) nor of proving oneself again at a signature
(portal/reauthentication.py).
"""

import hashlib

from django.conf import settings
from django.contrib.auth import authenticate
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import ledger, throttle
from portal.errors import Invalid
from portal.event_kinds import EventKind
from portal.models import PasswordReset, Person
from portal.models.person import spelled


def by_password(login: str, password: str, *, address: str) -> Person:
    """The person of this login and password, who may sign in.

    Raises TooMany after too many failures, Invalid where the two do not go together or the account may not sign in:
    the same sentence, so that nobody learns which.
    """
    login = spelled(login)
    limits = (throttle.by_login(login), throttle.by_address(address))
    last = throttle.take(*limits)
    found = authenticate(username=login, password=password)
    if isinstance(found, Person) and found.kind == Person.Kind.PERSON:
        throttle.forget(limits[0])
        throttle.give_back(limits[1])
        return found
    known = Person.objects.filter(login=login).first()
    refused(known, method="password", code="password_wrong", address=address, waits=last)
    raise Invalid(
        _("This login and password do not go together. Check both; passwords are case-sensitive."),
        code="sign_in_wrong",
    )


def by_reset_code(login: str, code: str, *, address: str) -> PasswordReset:
    """The reset of this login and code, not used yet. Raises as `by_password`."""
    login = spelled(login)
    limits = (throttle.by_login(login), throttle.by_address(address))
    last = throttle.take(*limits)
    found = (
        PasswordReset.objects.select_related("person")
        .filter(
            hashed=reset_digest(code),
            person__login=login,
            person__is_active=True,
            used_at__isnull=True,
            expires_at__gt=timezone.now(),
        )
        .first()
    )
    if found is not None:
        throttle.forget(limits[0])
        throttle.give_back(limits[1])
        return found
    known = Person.objects.filter(login=login).first()
    refused(known, method="reset", code="code_wrong", address=address, waits=last)
    raise Invalid(
        _("This login and code do not go together, or the code was used or has ended. Ask for another."),
        code="code_wrong",
    )


def reset_digest(code: str) -> str:
    """The digest a reset code is kept under; how it is grouped and in which case does not matter."""
    bare = "".join(code.split()).replace("-", "").upper()
    return hashlib.sha256(bare.encode()).hexdigest()


def refused(
    person: Person | None, *, method: str, code: str, address: str, provider: str = "", waits: bool = False
) -> None:
    """Write down that somebody was not let in. What was typed is not kept: people type passwords into the wrong field.

    `waits` says that this was the last try before the next have to wait; those are not kept, so that nobody can fill
    the ledger.
    """
    with ledger.business():
        ledger.record(
            EventKind.SIGN_IN_REFUSED,
            by=None,
            project="",
            subject=f"person:{person.pk}" if person else "person:",
            person=str(person.pk) if person else "",
            name=person.name if person else str(_("somebody unknown")),
            method=method,
            provider=provider,
            code=code,
            address=address,
            waits=waits,
        )


def address_of(request: HttpRequest) -> str:
    """Where a request comes from: behind a proxy, the last address it added, which is the one it saw itself."""
    if settings.BEHIND_PROXY:
        told: str = request.headers.get("X-Forwarded-For", "").rpartition(",")[2]
        return told.strip()[:45]
    return str(request.META.get("REMOTE_ADDR") or "")[:45]
