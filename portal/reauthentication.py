"""Makes sure, when it matters, that it is still this person: a signature is bound to somebody by it.

Call it outside a business transaction: a failed try has to stay counted when the refusal undoes the rest.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from portal import factors, signing, throttle
from portal.errors import Forbidden
from portal.models import Person

FRESH = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Password:
    """The password, typed once more."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """A code of the authenticator app, for who has no password here."""

    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """That the person showed who they are a moment ago in this session: with a passkey, or signing in again by SSO.

    Made by the pages that saw it, from what the session remembers; good for one act.
    """

    how: str
    at: datetime


Proof = Password | Code | Shown


def prove(person: Person, proof: Proof) -> str:
    """Make sure that it is this person who acts now; returns how, as the record names it: "password", "app", "passkey"…

    Raises TooMany after too many failures, Forbidden (`field` names the proof) where it does not hold, and for whoever
    is not an active person.
    """
    signing.check_signs(person)
    match proof:
        case Password():
            limit = throttle.by_signer(person.pk)
            throttle.take(limit)
            if not person.has_usable_password():
                raise Forbidden(
                    _("Your account has no password here. Show who you are another way, then sign."),
                    code="password_none",
                    field="password",
                )
            signing.reauthenticate(person, proof.text)
            throttle.forget(limit)
            return "password"
        case Code():
            if person.has_usable_password():
                raise Forbidden(
                    _("Your account has a password, so a code alone is not enough. Type the password."),
                    code="code_alone",
                    field="code",
                )
            return factors.check_code(person, proof.text, recovery=False)
        case Shown():
            if timezone.now() - proof.at > FRESH:
                raise Forbidden(
                    _("It is too long ago that you showed who you are. Show it again, then sign."),
                    code="proof_old",
                    field="password",
                )
            return proof.how


def ways(person: Person) -> list[str]:
    """By what this person can show who they are: "password", "code", "passkey"; the sign-in page knows about SSO."""
    kinds = set(person.factors.values_list("kind", flat=True))
    found = ["password"] if person.has_usable_password() else ["code"] if "app" in kinds else []
    return [*found, *(["passkey"] if "passkey" in kinds else [])]
