"""Codes of authenticator apps (RFC 6238: SHA-1, six digits, thirty seconds) and recovery codes, checked once each.

Secrets are encrypted with a key derived from settings.SECRET_KEY: the database alone gives none away. Not in charge of
passkeys (portal/passkeys.py) nor of adding and removing (portal/actions/factors.py).
"""

import base64
import hashlib
import hmac
import secrets
import struct
import time
from urllib.parse import quote, urlencode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.encoding import force_bytes
from django.utils.translation import gettext as _

from portal import throttle
from portal.errors import Forbidden, Unavailable
from portal.models import Factor, Person, RecoveryCode, Team

STEP_SECONDS = 30
DIGITS = 6
ISSUER = "Countersign"
# A clock may be this many steps off.
DRIFT = 1

# --- who has one, who needs one ---------------------------------------------------------------------------------------


def has_one(person: Person) -> bool:
    """Whether the person has a second factor."""
    return Factor.objects.filter(person=person).exists()


def requiring(person: Person) -> list[Team]:
    """The teams of the person that require a second factor."""
    return list(Team.objects.filter(group__user=person, requires_second_factor=True))


# --- codes ------------------------------------------------------------------------------------------------------------


def new_secret() -> str:
    """A secret to be shared with an app: 160 bits in base32."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def address_for_app(person: Person, secret: str) -> str:
    """The otpauth: address that an app reads from a picture."""
    label = quote(f"{ISSUER}:{person.login}")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': ISSUER})}"


def code_at(secret: str, step: int) -> str:
    """The code of a time step."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_of(secret: str, code: str, *, after: int = -1) -> int | None:
    """The time step, later than `after` and about now, whose code this is; None where it is none."""
    typed = bare(code)
    now = int(time.time()) // STEP_SECONDS
    found = None
    for step in range(now - DRIFT, now + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), typed.encode()) and step > after:
            found = step
    return found


def bare(code: str) -> str:
    """A code without the blanks and dashes people type, in upper case."""
    return "".join(code.split()).replace("-", "").upper()


def recovery_digest(person: Person, code: str) -> str:
    """The keyed digest under which a recovery code is kept."""
    return salted_hmac("portal.recovery", f"{person.pk}:{bare(code)}", algorithm="sha256").hexdigest()


def check_code(person: Person, code: str, *, recovery: bool = True) -> str:
    """Take a code of the person's app, or one of their recovery codes, once; returns "app" or "recovery".

    Raises TooMany after too many failures, Forbidden naming `code`. Call it outside a business transaction: a failed
    try has to stay counted.
    """
    limit = throttle.Limit(f"code:{person.pk}", settings.SIGN_IN_TRIES)
    throttle.take(limit)
    how = _taken(person, code, recovery)
    if not how:
        raise Forbidden(
            _("This code does not fit, or was used already. Wait for the next one that your app shows."),
            code="code_wrong",
            field="code",
        )
    throttle.forget(limit)
    return how


def _taken(person: Person, code: str, recovery: bool) -> str:
    now = timezone.now()
    app = Factor.objects.filter(person=person, kind=Factor.Kind.APP).first()
    if app is not None:
        step = step_of(unsealed(app.secret), code, after=app.counter)
        # Compared and set in one: of two who send the same code at once, one is refused.
        later = Factor.objects.filter(pk=app.pk, counter__lt=step) if step is not None else None
        if later is not None and later.update(counter=step, used_at=now):
            return "app"
    if recovery and RecoveryCode.objects.filter(
        person=person, hashed=recovery_digest(person, code), used_at__isnull=True
    ).update(used_at=now):
        return "recovery"
    return ""


# --- secrets at rest --------------------------------------------------------------------------------------------------


def sealed(secret: str) -> str:
    """A secret as it is kept."""
    return _box().encrypt(secret.encode()).decode()


def unsealed(kept: str) -> str:
    """The secret again. Raises Unavailable where the key it was sealed with is gone."""
    try:
        return _box().decrypt(kept.encode()).decode()
    except InvalidToken:
        raise Unavailable(
            _(
                "Your authenticator app cannot be checked any more, because the portal's secret key was changed."
                " Use a passkey or a recovery code, or ask an administrator to remove your second factors."
            ),
            code="factor_unreadable",
        ) from None


def _box() -> MultiFernet:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet(
        [
            Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"portal.factors:" + force_bytes(key)).digest()))
            for key in keys
        ]
    )
