"""The portal's Ed25519 key and what is signed with it, and the repeated password that binds a person to a signature.

Not in charge of what a statement says, of who may sign what, or of the format of checkpoints.
"""

import hashlib
import os
import secrets
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from django.conf import settings
from django.utils.translation import gettext as _

from portal.errors import Forbidden, Refused, Unavailable
from portal.models import Person

PAYLOAD_TYPE = "application/vnd.in-toto+json"

# --- the key ----------------------------------------------------------------------------------------------------------


def sign(message: bytes) -> bytes:
    """The Ed25519 signature (64 bytes) of a message. Raises Unavailable where the key is missing or no Ed25519 key."""
    return _key(settings.SIGNING_KEY_FILE).sign(message)


def public_key() -> Ed25519PublicKey:
    """The key that checks what `sign()` signs."""
    return _key(settings.SIGNING_KEY_FILE).public_key()


def public_pem() -> str:
    """The public key as PEM, to be handed to whoever checks."""
    return public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def raw_public(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(key: Ed25519PublicKey | None = None) -> str:
    """Hex SHA-256 of a public key's 32 bytes; without a key, of the portal's own."""
    return hashlib.sha256(raw_public(key or public_key())).hexdigest()


def holds(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether the signature is the key's over exactly this message."""
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def make_key(path: Path) -> None:
    """Make a key file that only its owner may read; raises Refused when the file exists.

    It appears whole or not at all: it is written under another name first, and given its own by a link, which fails
    where somebody else was quicker.
    """
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        raise Refused(
            _("There is a signing key at %(path)s already; what it signed could not be checked with another.")
            % {"path": path},
            code="signing_key_exists",
        ) from None
    finally:
        draft.unlink(missing_ok=True)


@lru_cache(maxsize=8)
def _key(path: Path) -> Ed25519PrivateKey:
    if settings.DEMO and not path.exists():
        with suppress(Refused):  # another process of the demo made it meanwhile
            make_key(path)
    try:
        found = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise Unavailable(
            _(
                "The portal has no signing key, so nothing can be signed. An administrator makes one with"
                " manage.py make_signing_key, or names the present one in COUNTERSIGN_SIGNING_KEY_FILE."
            ),
            code="signing_key_missing",
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise _unusable() from error
    if not isinstance(found, Ed25519PrivateKey):
        raise _unusable()
    return found


def _unusable() -> Unavailable:
    return Unavailable(
        _(
            "The portal's signing key cannot be used. An administrator has to look at the file that"
            " COUNTERSIGN_SIGNING_KEY_FILE names: an unencrypted Ed25519 key in PEM, readable by the portal."
        ),
        code="signing_key_unusable",
    )


# --- the person ------------------------------------------------------------------------------------------------------


def check_signs(person: Person) -> None:
    """Raise Forbidden for whoever is not an active person."""
    if person.kind != Person.Kind.PERSON:
        raise Forbidden(
            _("Only people sign. Ask a person who holds the role to sign in and sign here."),
            code="only_people_sign",
        )
    if not person.is_active:
        raise Forbidden(
            _("Your account is disabled, so you cannot sign. Ask an administrator."), code="person_disabled"
        )


def reauthenticate(person: Person, password: str, *, how: Literal["password", "token"] = "password") -> None:
    """Make sure that it is this person who signs now. `how` is how the request itself was authenticated.

    Raises Forbidden for a wrong password, for whoever is not an active person, and for a request made with a token.
    """
    if person.kind == Person.Kind.PERSON and how != "password":
        raise Forbidden(
            _("An API token never signs. Sign in with your password and sign there."),
            code="token_never_signs",
        )
    check_signs(person)
    if not person.check_password(password):
        raise Forbidden(
            _("This is not your password, so nothing was signed. Type it again."),
            code="password_wrong",
            field="password",
        )
