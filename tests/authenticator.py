"""What people have in tests: an authenticator app that computes codes, and a passkey that answers as a browser does."""

import hashlib
import json
import secrets
import struct
import time
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode

from portal import factors


def code_now(secret: str, *, steps: int = 0) -> str:
    """What an app shows now, or some steps of thirty seconds later."""
    return factors.code_at(secret, int(time.time()) // factors.STEP_SECONDS + steps)


@dataclass
class Passkey:
    """A device of one's own: no attestation, ES256, a counter that grows."""

    origin: str = "http://testserver"
    host: str = "testserver"
    verified: bool = True
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    counter: int = 0

    def make(self, options: dict[str, Any]) -> str:
        """The answer to being asked for a new passkey."""
        public = cbor.encode(ES256.from_cryptography_key(self.key.public_key()))
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + public
        data = self._data(0x40) + attested
        response = {
            "clientDataJSON": self._client("webauthn.create", options),
            "attestationObject": websafe_encode(
                cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
            ),
        }
        return self._told(response)

    def use(self, options: dict[str, Any]) -> str:
        """The answer to being asked for a proof."""
        self.counter += 1
        data = self._data(0)
        client = self._client("webauthn.get", options)
        signature = self.key.sign(data + hashlib.sha256(websafe_decode(client)).digest(), ec.ECDSA(SHA256()))
        return self._told(
            {
                "clientDataJSON": client,
                "authenticatorData": websafe_encode(data),
                "signature": websafe_encode(signature),
            }
        )

    def _data(self, flags: int) -> bytes:
        flags |= 0x01 | (0x04 if self.verified else 0)
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + struct.pack(">I", self.counter)

    def _client(self, kind: str, options: dict[str, Any]) -> str:
        challenge = options["publicKey"]["challenge"]
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return websafe_encode(json.dumps(told).encode())

    def _told(self, response: dict[str, str]) -> str:
        own = websafe_encode(self.id)
        return json.dumps(
            {
                "id": own,
                "rawId": own,
                "type": "public-key",
                "response": response,
                "clientExtensionResults": {},
            }
        )
