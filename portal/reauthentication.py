"""Makes sure, when it matters, that it is still this person: a signature is bound to somebody by it.

Call it outside a business transaction: a failed try has to stay counted when the refusal undoes the rest.
"""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from portal import signing, throttle
from portal.errors import Forbidden
from portal.models import Person


@dataclass(frozen=True, slots=True)
class Password:
    """The password, typed once more."""

    text: str


Proof = Password


def prove(person: Person, proof: Proof) -> str:
    """Make sure that it is this person who acts now; returns how, as the record names it: "password".

    Raises TooMany after too many failures, Forbidden (`field` names the proof) where it does not hold, and for whoever
    is not an active person.
    """
    limit = throttle.by_signer(person.pk)
    throttle.take(limit)
    how = _how(person, proof)
    throttle.forget(limit)
    return how


def _how(person: Person, proof: Proof) -> str:
    if not person.has_usable_password():
        raise Forbidden(
            _("Your account has no password here, so it cannot prove who you are. Prove it another way."),
            code="password_none",
            field="password",
        )
    signing.reauthenticate(person, proof.text)
    return "password"
