"""Passkeys (WebAuthn): what the browser is asked, and whether its answer holds. The only module that knows fido2."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from portal.errors import Forbidden
from portal.models import Factor, Person

LONGEST = 20_000  # characters of an answer


@dataclass(frozen=True, slots=True)
class Place:
    """Where the portal is for a browser: `host` without port, `origin` with scheme and port."""

    host: str
    origin: str


@dataclass(frozen=True, slots=True)
class Credential:
    """A passkey just made, in web-safe base64: its id, its public half; and how often it signed."""

    id: str
    data: str
    counter: int


def ask_for_new(person: Person, place: Place) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the browser is asked in order to make a passkey, and the state that checks its answer."""
    options, state = _server(place).register_begin(
        PublicKeyCredentialUserEntity(id=person.pk.bytes, name=person.login, display_name=person.name),
        credentials=_credentials(person),
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return dict(options), dict(state)


def new(state: Any, answer: str, place: Place) -> Credential:
    """The passkey that the browser made. Raises Forbidden for an answer that does not fit what was asked."""
    try:
        made = _server(place).register_complete(state, _read(answer))
        data = made.credential_data
        if data is None:
            raise ValueError("no credential")
        return Credential(websafe_encode(data.credential_id), websafe_encode(bytes(data)), made.counter)
    except Exception as error:  # whatever a browser sends, it is refused and nothing else
        raise refused() from error


def ask_for_proof(person: Person, place: Place, *, verified: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the browser is asked in order to use a passkey; `verified`: the device has to ask who holds it."""
    options, state = _server(place).authenticate_begin(
        _credentials(person),
        user_verification=UserVerificationRequirement.REQUIRED
        if verified
        else UserVerificationRequirement.PREFERRED,
    )
    return dict(options), dict(state)


def check(person: Person, state: Any, answer: str, place: Place) -> Factor:
    """The person's passkey that answered. Raises Forbidden where the answer does not hold or was given before."""
    try:
        told = _read(answer)
        used = _server(place).authenticate_complete(state, _credentials(person), told)
        counter = AuthenticationResponse.from_dict(told).response.authenticator_data.counter
        factor = Factor.objects.get(person=person, credential_id=websafe_encode(used.credential_id))
    except Exception as error:  # as above
        raise refused() from error
    # Devices that count do so upwards: one that does not is a copy. Many always say 0.
    kept = Factor.objects.filter(pk=factor.pk)
    kept = kept.filter(counter__lt=counter) if counter or factor.counter else kept
    if not kept.update(counter=counter, used_at=timezone.now()):
        raise refused()
    return factor


def _server(place: Place) -> Fido2Server:
    return Fido2Server(
        PublicKeyCredentialRpEntity(id=place.host, name="Countersign"), verify_origin=place.origin.__eq__
    )


def _credentials(person: Person) -> list[AttestedCredentialData]:
    rows = Factor.objects.filter(person=person, kind=Factor.Kind.PASSKEY).values_list("credential", flat=True)
    return [AttestedCredentialData(websafe_decode(row)) for row in rows]


def _read(answer: str) -> Mapping[str, Any]:
    if len(answer) > LONGEST:
        raise ValueError("too long")
    told = json.loads(answer)
    if not isinstance(told, dict):
        raise TypeError("no object")
    return told


def refused() -> Forbidden:
    """The refusal of an answer that does not hold."""
    return Forbidden(
        _("The passkey did not fit what was asked, or its time was over. Try it again."),
        code="passkey_wrong",
        field="answer",
    )
