"""Begins and ends sessions, changes and resets passwords, disables and enables accounts.

Not in charge of finding out who somebody is: portal/authentication.py.
"""

import secrets
from collections.abc import Collection
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import authentication, ledger, reauthentication, rights
from portal.actions import grants, people
from portal.errors import Forbidden, Invalid, Refused
from portal.event_kinds import EventKind
from portal.let_in import APART, let_in, never_came
from portal.models import Event, PasswordReset, Person, Right, Session, Token
from portal.sessions import ENTRY, SessionStore

WHY_LIMIT = 500
CODE_GROUPS = 5
# Without what is mistaken for something else when it is read out.
CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"

# --- sessions ---------------------------------------------------------------------------------------------------------


def begin(
    *, by: Person, store: SessionStore, method: str, factor: str = "", address: str = "", browser: str = ""
) -> None:
    """Keep a session that Django has just signed `by` in to, write it down, and end the oldest beyond the most allowed.

    Raises Forbidden, keeping nothing, for an account that may not sign in.
    """
    if not by.is_active or by.kind != Person.Kind.PERSON:
        raise Forbidden(
            _("This account does not sign in here. Ask an administrator."), code="account_signs_in_nowhere"
        )
    store[ENTRY] = {"method": method, "address": address[:45], "browser": browser[:100]}
    with ledger.business():
        Person.objects.select_for_update(no_key=True).get(pk=by.pk)
        store.save()
        ledger.record(
            EventKind.SIGNED_IN,
            by=by,
            project="",
            subject=f"person:{by.pk}",
            method=method,
            factor=factor,
            address=address,
        )
        others = live_sessions(by).exclude(hashed=store.hashed).order_by("-seen_at", "-pk")
        over = list(others.values_list("pk", flat=True)[max(0, settings.SESSIONS_PER_PERSON - 1) :])
        _end(by, by, Session.objects.filter(pk__in=over), "too_many")


def signed_out(*, by: Person) -> None:
    """Write down that somebody signed out."""
    with ledger.business():
        ledger.record(EventKind.SIGNED_OUT, by=by, project="", subject=f"person:{by.pk}")


def live_sessions(person: Person) -> QuerySet[Session]:
    """Where the person is signed in now, the last used first."""
    return Session.objects.filter(person=person, expires_at__gt=timezone.now())


def end_session(*, by: Person, session: int, person: Person | None = None) -> None:
    """End a session of one's own by its number, or, as an administrator, of `person`. Raises Absent for no such one."""
    person = _whose(by, person)
    with ledger.business():
        found = live_sessions(person).filter(pk=session)
        if not found.exists():
            raise rights.absent()
        _end(by, person, found, "ended" if person.pk == by.pk else "by_admin")


def end_sessions(*, by: Person, keep: str = "", person: Person | None = None) -> int:
    """End one's sessions but the one whose digest is `keep`, or, as an administrator, all of `person`: how many."""
    person = _whose(by, person)
    with ledger.business():
        found = live_sessions(person).exclude(hashed=keep)
        return _end(by, person, found, "ended" if person.pk == by.pk else "by_admin")


def _whose(by: Person, person: Person | None) -> Person:
    if person is None or person.pk == by.pk:
        return by
    rights.check_estate(by, Right.MANAGE)
    return person


def _end(by: Person, person: Person, found: QuerySet[Session], why: str) -> int:
    """Delete these rows of `person`; whoever sits there is signed out with their next click."""
    ended = found.count()
    if ended:
        found.delete()
        ledger.record(
            EventKind.SESSION_ENDED,
            by=by,
            project="",
            subject=f"person:{person.pk}",
            person=str(person.pk),
            name=person.name,
            count=ended,
            why=why,
        )
    return ended


# --- passwords --------------------------------------------------------------------------------------------------------


def change_password(*, by: Person, current: str, new: str, keep: str = "") -> None:
    """Change one's own password, with the present one; ends one's sessions but the one whose digest is `keep`.

    Raises Forbidden or TooMany naming `current`, Invalid naming `new`.
    """
    if not by.has_usable_password():
        raise Forbidden(
            _(
                "Your account has no password here: you sign in through your organisation, and change it there."
            ),
            code="password_none",
            field="current",
        )
    try:
        reauthentication.prove(by, reauthentication.Password(current))
    except Forbidden as refusal:
        refusal.field = "current"
        refusal.sentence = _("This is not your present password, so nothing was changed. Type it again.")
        raise
    if new == current:
        raise Invalid(_("Choose another password than the present one."), code="password_same", field="new")
    check_strength(by, new)
    with ledger.business():
        _set_password(by, new)
        ledger.record(EventKind.PASSWORD_CHANGED, by=by, project="", subject=f"person:{by.pk}", how="own")
        _end(by, by, live_sessions(by).exclude(hashed=keep), "password")


def give_reset(*, by: Person, person: Person) -> tuple[PasswordReset, str]:
    """Give a person a code by which they set a password of their own: after a forgotten one, or the first.

    Their present password and sessions end at once. Returns the row and the code, shown once and kept only hashed.
    An administrator's act, for somebody else; who resets a password does not also take the second factor off.
    """
    rights.check_estate(by, Right.MANAGE)
    if person.pk == by.pk:
        raise Forbidden(
            _(
                "You change your own password on your account page. If you forgot it, another administrator helps."
            ),
            code="reset_own",
        )
    if person.kind != Person.Kind.PERSON or not person.is_active:
        raise Invalid(
            _("%(name)s is disabled or no person, so there is no password to set.") % {"name": person.name},
            code="person_unfit",
            field="person",
        )
    check_apart(by, person)
    code = "-".join(
        "".join(secrets.choice(CODE_LETTERS) for _letter in range(5)) for _group in range(CODE_GROUPS)
    )
    now = timezone.now()
    with ledger.business():
        current = Person.objects.select_for_update(no_key=True).get(pk=person.pk)
        first = never_came(current)
        PasswordReset.objects.filter(person=current, used_at__isnull=True).delete()
        reset = PasswordReset.objects.create(
            person=current,
            hashed=authentication.reset_digest(code),
            made_at=now,
            made_by=by,
            expires_at=now + timedelta(seconds=settings.RESET_SECONDS),
        )
        current.set_unusable_password()
        current.save(update_fields=["password"])
        ledger.record(
            EventKind.PASSWORD_RESET,
            by=by,
            project="",
            subject=f"person:{person.pk}",
            person=str(person.pk),
            name=person.name,
            until=reset.expires_at,
            first=first,
        )
        _end(by, current, live_sessions(current), "password")
        end_tokens_of_others(by=by, person=current)
        return reset, code


def end_tokens_of_others(*, by: Person, person: Person) -> None:
    """End the tokens that were made while somebody else could have come as this person: they may have them still."""
    tokens = list(Token.objects.filter(person=person, revoked_at__isnull=True))
    told = let_in([(person.pk, one.made_at) for one in tokens])
    ended = [one.pk for one, let in zip(tokens, told, strict=True) if let.by]
    if ended:
        people.end_tokens(by=by, tokens=Token.objects.filter(pk__in=ended))


def check_apart(by: Person, person: Person) -> None:
    """Raise Forbidden for who took the person's second factors off lately and now would give them the first step."""
    taken = Event.objects.filter(
        subject=f"person:{person.pk}",
        kind=EventKind.FACTOR_REMOVED.value,
        actor=by.pk,
        at__gte=timezone.now() - APART,
    )
    if taken.exists():
        raise apart()


def apart() -> Forbidden:
    """The refusal of both at once."""
    return Forbidden(
        _(
            "Whoever resets both a password (or links an account elsewhere) and the second factors"
            " could sign in as that person. Another administrator has to do one of the two."
        ),
        code="reset_both",
    )


def use_reset(*, by: Person, reset: PasswordReset, new: str) -> None:
    """Set the password of a code's person, once. Raises Invalid naming `new`, Refused where the code was used."""
    check_strength(by, new)
    with ledger.business():
        used = PasswordReset.objects.filter(
            pk=reset.pk, person=by, used_at__isnull=True, expires_at__gt=timezone.now()
        ).update(used_at=timezone.now())
        if not used:
            raise Refused(
                _("This code was used or has ended. Ask an administrator for another."), code="reset_over"
            )
        _set_password(by, new)
        ledger.record(EventKind.PASSWORD_CHANGED, by=by, project="", subject=f"person:{by.pk}", how="reset")
        _end(by, by, live_sessions(by), "password")


def check_strength(person: Person, new: str) -> None:
    """Raise Invalid naming `new` for a password that is too easy."""
    try:
        validate_password(new, person)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), code="password_weak", field="new") from None


def _set_password(person: Person, new: str) -> None:
    person.set_password(new)
    person.save(update_fields=["password"])


# --- accounts ---------------------------------------------------------------------------------------------------------


def disable(*, by: Person, person: Person, why: str) -> None:
    """Shut an account at once: its sessions, tokens and codes end. What it did and holds stays on record."""
    rights.check_estate(by, Right.MANAGE)
    why = _reason(why)
    if person.pk == by.pk or person.is_system:
        raise Forbidden(
            _("You cannot disable this account yourself. Ask another administrator."), code="disable_own"
        )
    with ledger.business():
        shut(by=by, persons=[person], why=why)


def shut(*, by: Person, persons: Collection[Person], why: str) -> None:
    """Disable accounts, with an event for each that was open; who may is the caller's to ask.

    Raises Refused where that would leave nobody who manages the estate.
    """
    with ledger.business():
        grants.lock_admins()
        for person in persons:
            if not Person.objects.filter(pk=person.pk, is_active=True).update(is_active=False):
                continue
            person.is_active = False
            ledger.record(
                EventKind.PERSON_DISABLED,
                by=by,
                project="",
                subject=f"person:{person.pk}",
                person=str(person.pk),
                name=person.name,
                why=why,
            )
            end_access(by=by, person=person)
        grants.check_admin_left()


def end_way(*, by: Person, person: Person, method: str) -> None:
    """Somebody does not get in this way any more: end what was begun by it, in the caller's business transaction.

    To be called while the ledger still tells whose way it was.
    """
    _end(by, person, live_sessions(person).filter(method=method), "unlinked")
    end_tokens_of_others(by=by, person=person)


def end_access(*, by: Person, person: Person) -> None:
    """End every session, code and token of a person, in the caller's business transaction."""
    _end(by, person, live_sessions(person), "disabled")
    PasswordReset.objects.filter(person=person, used_at__isnull=True).delete()
    people.end_tokens(by=by, tokens=Token.objects.filter(person=person))


def enable(*, by: Person, person: Person, why: str) -> None:
    """Open a disabled account again: its rights count again, its sessions and tokens stay ended."""
    rights.check_estate(by, Right.MANAGE)
    reopen(by=by, person=person, why=_reason(why))


def reopen(*, by: Person, person: Person, why: str) -> None:
    """As `enable`; who may is the caller's to ask."""
    with ledger.business():
        if not Person.objects.filter(pk=person.pk, is_active=False).update(is_active=True):
            return
        person.is_active = True
        ledger.record(
            EventKind.PERSON_ENABLED,
            by=by,
            project="",
            subject=f"person:{person.pk}",
            person=str(person.pk),
            name=person.name,
            why=why,
        )


def person_at(*, by: Person, login: str) -> Person:
    """The person of a login, for an administrator; raises Forbidden, or Absent where nobody has it."""
    rights.check_estate(by, Right.MANAGE)
    person = Person.objects.filter(login=login.lower()).exclude(kind=Person.Kind.SYSTEM).first()
    if person is None:
        raise rights.absent()
    return person


def _reason(why: str) -> str:
    why = why.strip()
    if not why:
        raise Invalid(
            _("Say why; whoever reviews accounts later reads this."), code="why_missing", field="why"
        )
    return why[:WHY_LIMIT]
