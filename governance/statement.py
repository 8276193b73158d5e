"""The exact words of a sign-off: an in-toto Statement v1 in canonical bytes, and the DSSE envelope around it.

Holds people as uuids and free text as commitments only, so it may stay when personal values are erased. Not in charge
of keys (signing is a function given from outside), of re-authentication, or of whether a sign-off counts
(`governance.checks`).
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from governance.facts import DECISIONS, Clause, PolicyRef, SignOffFact, instant
from portal.canonical import canonical
from portal.errors import Invalid

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
SIGN_OFF_TYPE = "urn:countersign:signoff:v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

Sign = Callable[[bytes], tuple[str, bytes]]


class StatementError(Invalid):
    """An envelope or statement that does not hold; the sentence says which."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A piece of evidence or a document that was on the page, and what the gate found of it then ("met" and so on)."""

    kind: str
    digest: str
    finding: str


@dataclass(frozen=True, slots=True)
class Opened:
    """What stood on pages that somebody opened before they signed, and when first and last.

    By its digest; a difference by the manifest of the other bundle.
    """

    what: str
    digest: str
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Word:
    """What one person says about one requirement. `parts` are all of the bundle's; the clause says which it covers.

    `at` is aware; `zone` the IANA name of the person's zone; `comment` the hex commitment of its text;
    `conditions` the commitment of each condition's text, with the instant it is due.
    """

    project: str
    stage: str
    bundle: str
    archive: str
    parts: Mapping[str, str]
    clause: Clause
    policy: PolicyRef
    evidence: tuple[Shown, ...]
    documents: tuple[Shown, ...]
    role: str
    decision: str
    meaning: str
    person: str
    at: datetime
    zone: str
    comment: str | None = None
    conditions: tuple[tuple[str, datetime], ...] = ()
    # What the person had opened before, and when last; recorded, never bound.
    opened: tuple[Opened, ...] = ()
    # Whom the person stood in for; the word counts in that person's place.
    on_behalf_of: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """A DSSE envelope, opened but not verified: the payload's bytes and the signatures by key id."""

    payload: bytes
    payload_type: str
    signatures: tuple[tuple[str, bytes], ...]


def covered(parts: Mapping[str, str], clause: Clause) -> dict[str, str]:
    """The digests of the parts a clause covers, "other" always among them; parts the bundle lacks are left out."""
    scope = {*clause.params.get("covers", ()), "other"}
    return {part: parts[part] for part in sorted(scope) if part in parts}


def sign_off_statement(word: Word) -> dict[str, Any]:
    """The in-toto Statement of a word. Bound: covered parts, clause, evidence, documents. Recorded: policy, archive.

    Raises ValueError for a naive time, an unknown zone or an unknown decision.
    """
    if word.decision not in DECISIONS:
        raise ValueError(f"{word.decision!r} is not a decision.")
    scope = covered(word.parts, word.clause)
    subject = [
        {"name": f"{word.project}/{part}", "digest": {"sha256": value}} for part, value in scope.items()
    ]
    if (
        not subject
    ):  # the bundle has none of the covered parts; in-toto still wants something the word is about
        subject = [{"name": f"{word.project}/{word.bundle}", "digest": {"sha256": word.archive}}]
    return {
        "_type": STATEMENT_TYPE,
        "subject": subject,
        "predicateType": SIGN_OFF_TYPE,
        "predicate": {
            "project": word.project,
            "stage": word.stage,
            "covered": scope,
            "clause": {
                "key": word.clause.key,
                "kind": word.clause.kind,
                "digest": word.clause.digest,
                "params": word.clause.params,
            },
            "evidence": [_shown(piece) for piece in _ordered(word.evidence)],
            "documents": [_shown(piece) for piece in _ordered(word.documents)],
            "role": word.role,
            "decision": word.decision,
            "meaning": word.meaning,
            "person": word.person,
            # Written only where it is so: what was signed before anybody could be stood in for reads the same.
            **({"on_behalf_of": word.on_behalf_of} if word.on_behalf_of else {}),
            "at": {
                "utc": instant(word.at),
                "zone": word.zone,
                "local": word.at.astimezone(zone_of(word.zone)).isoformat(timespec="microseconds"),
            },
            "comment": word.comment,
            "conditions": [{"text": text, "due": instant(due)} for text, due in word.conditions] or None,
            "recorded": {
                "bundle": word.bundle,
                "archive": word.archive,
                # Written from when it was first kept: what was signed before reads the same.
                **(
                    {
                        "opened": [
                            {
                                "what": one.what,
                                "digest": one.digest,
                                "first": instant(one.first),
                                "last": instant(one.last),
                            }
                            for one in word.opened
                        ]
                    }
                    if word.opened
                    else {}
                ),
                "policy": {
                    "name": word.policy.name,
                    "version": word.policy.version,
                    "digest": word.policy.digest,
                },
            },
        },
    }


def statement_bytes(statement: Mapping[str, Any]) -> bytes:
    """The exact bytes that are signed and stored."""
    return canonical(dict(statement))


def sign_off_fact(statement: Mapping[str, Any], *, id: str, withdrawn: bool = False) -> SignOffFact:
    """What the gate needs of a stored statement; raises StatementError for another kind of statement."""
    try:
        if statement["_type"] != STATEMENT_TYPE or statement["predicateType"] != SIGN_OFF_TYPE:
            raise StatementError("This statement is not a sign-off of ours.", code="statement_other")
        said = statement["predicate"]
        return SignOffFact(
            id=id,
            person=said["person"],
            role=said["role"],
            decision=said["decision"],
            at=said["at"]["utc"],
            project=said["project"],
            stage=said["stage"],
            covered=dict(said["covered"]),
            clause=said["clause"]["digest"],
            evidence=tuple(piece["digest"] for piece in said["evidence"]),
            documents=tuple(piece["digest"] for piece in said["documents"]),
            withdrawn=withdrawn,
            on_behalf_of=said.get("on_behalf_of", ""),
        )
    except (KeyError, TypeError) as error:
        raise StatementError(
            f"This statement lacks what a sign-off holds: {error}.", code="statement_other"
        ) from None


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """DSSE's pre-authentication encoding: the bytes a signature is over."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload: bytes, sign: Sign, payload_type: str = PAYLOAD_TYPE) -> dict[str, Any]:
    """The DSSE envelope of a payload; `sign` takes the bytes to sign and answers (key id, signature)."""
    key_id, signature = sign(pae(payload, payload_type))
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": [{"keyid": key_id, "sig": base64.b64encode(signature).decode()}],
    }


def envelope_bytes(envelope: Mapping[str, Any]) -> bytes:
    """An envelope as canonical JSON bytes."""
    return canonical(dict(envelope))


def opened(envelope: Mapping[str, Any] | bytes | str) -> Envelope:
    """The parts of an envelope, nothing verified; raises StatementError for another shape."""
    try:
        value = json.loads(envelope) if isinstance(envelope, bytes | str) else envelope
        signatures = tuple((str(held["keyid"]), _decoded(held["sig"])) for held in value["signatures"])
        return Envelope(_decoded(value["payload"]), str(value["payloadType"]), signatures)
    except (KeyError, TypeError, ValueError, RecursionError):
        raise StatementError(
            "This is not a DSSE envelope. Ask for the file again; it may be cut off.", code="envelope_broken"
        ) from None


def verified(
    envelope: Mapping[str, Any] | bytes | str, keys: Mapping[str, Ed25519PublicKey]
) -> dict[str, Any]:
    """The statement inside an envelope that at least one known key signed; raises StatementError otherwise."""
    held = opened(envelope)
    if held.payload_type != PAYLOAD_TYPE:
        raise StatementError("The envelope does not hold an in-toto statement.", code="envelope_other")
    known = [(keys[key_id], signature) for key_id, signature in held.signatures if key_id in keys]
    if not known:
        raise StatementError(
            "No signature in the envelope is by a key known here. Add the portal's public key.",
            code="key_unknown",
        )
    if not any(_holds(key, signature, pae(held.payload)) for key, signature in known):
        raise StatementError(
            "The signature does not fit the statement: one of the two was changed.", code="signature_wrong"
        )
    statement = json.loads(held.payload)
    if not isinstance(statement, dict):
        raise StatementError("The envelope does not hold an in-toto statement.", code="envelope_other")
    return statement


def _holds(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _decoded(text: Any) -> bytes:
    """Standard or URL-safe base64, as DSSE allows both to readers."""
    if not isinstance(text, str):
        raise TypeError("base64 is a text")
    raw = text.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(raw, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _shown(piece: Shown) -> dict[str, str]:
    return {"kind": piece.kind, "digest": piece.digest, "finding": piece.finding}


def _ordered(pieces: tuple[Shown, ...]) -> list[Shown]:
    return sorted(pieces, key=lambda piece: (piece.kind, piece.digest))


def zone_of(name: str) -> tzinfo:
    """The time zone of an IANA name; raises ValueError for none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a time zone.") from error
