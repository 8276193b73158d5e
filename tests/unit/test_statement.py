"""The signed words: exact bytes, what is bound, and envelopes that hold or do not."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance import policy
from governance.gate import PARTS, PolicyRef, judge
from governance.statement import (
    PAYLOAD_TYPE,
    Shown,
    StatementError,
    Word,
    covered,
    envelope_bytes,
    opened,
    pae,
    seal,
    sign_off_fact,
    sign_off_statement,
    statement_bytes,
    verified,
)
from portal.canonical import digest
from tests.unit.test_gate import complete_case

CLAUSE = policy.clause("sign_off", {"role": "fairness", "people": 1, "covers": ["models"]}, "fairness")
WORD = Word(
    project="CHURN",
    stage="prod",
    bundle="v2",
    archive="a" * 64,
    parts={part: digest(part) for part in PARTS},
    clause=CLAUSE,
    policy=PolicyRef("standard", 4, "b" * 64),
    evidence=(Shown("fairness", "d" * 64, "met"), Shown("explainability", "c" * 64, "met")),
    documents=(Shown("intended-use", "e" * 64, "met"),),
    role="fairness",
    decision="approve",
    meaning="I have reviewed the part models, and I approve it for fairness.",
    person="0b9c5a52-7c2e-4c57-9d1c-0d8f6f2d8a11",
    at=datetime(2026, 11, 21, 10, 0, 0, 7, tzinfo=UTC),
    zone="Europe/Paris",
    comment="f" * 64,
)
KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
KEYS = {"k1": KEY.public_key()}


def sign(data: bytes) -> tuple[str, bytes]:
    return "k1", KEY.sign(data)


def test_the_statement_is_these_bytes() -> None:
    statement = sign_off_statement(WORD)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "urn:countersign:signoff:v1"
    assert statement["subject"] == [
        {"name": f"CHURN/{part}", "digest": {"sha256": digest(part)}} for part in ("models", "other")
    ]
    said = statement["predicate"]
    assert said["covered"] == {"models": digest("models"), "other": digest("other")}
    assert said["at"] == {
        "utc": "2026-11-21T10:00:00.000007Z",
        "zone": "Europe/Paris",
        "local": "2026-11-21T11:00:00.000007+01:00",
    }
    assert said["recorded"]["policy"] == {"name": "standard", "version": 4, "digest": "b" * 64}
    assert [piece["kind"] for piece in said["evidence"]] == ["explainability", "fairness"]
    assert (
        statement_bytes(statement)
        == json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    )


def test_the_order_of_what_was_shown_does_not_matter() -> None:
    other = replace(
        WORD, evidence=tuple(reversed(WORD.evidence)), parts=dict(sorted(WORD.parts.items(), reverse=True))
    )
    assert statement_bytes(sign_off_statement(other)) == statement_bytes(sign_off_statement(WORD))


@pytest.mark.parametrize(
    "change",
    [
        {"project": "FRAUD"},
        {"stage": "qa"},
        {"decision": "reject"},
        {"person": "x"},
        {"comment": None},
        {"evidence": ()},
        {"documents": ()},
        {"zone": "UTC"},
        {"meaning": "x"},
        {"parts": {**WORD.parts, "models": "0" * 64}},
    ],
)
def test_everything_said_is_in_the_bytes(change: dict[str, Any]) -> None:
    other = replace(WORD, **change)
    assert statement_bytes(sign_off_statement(other)) != statement_bytes(sign_off_statement(WORD))


def test_a_bundle_without_the_covered_parts_is_still_about_something() -> None:
    statement = sign_off_statement(replace(WORD, parts={"flow": digest("flow")}))
    assert statement["subject"] == [{"name": "CHURN/v2", "digest": {"sha256": "a" * 64}}]
    assert covered({"flow": "x"}, CLAUSE) == {}


@pytest.mark.parametrize("change", [{"decision": "maybe"}, {"zone": "Mars/Olympus"}, {"zone": "../etc"}])
def test_what_cannot_be_said(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not a (decision|time zone)"):
        sign_off_statement(replace(WORD, **change))
    with pytest.raises(ValueError, match="time zone"):
        sign_off_statement(replace(WORD, at=datetime(2026, 1, 1)))  # noqa: DTZ001 (naive on purpose)


def test_the_gate_reads_what_was_signed() -> None:
    case = complete_case()
    clause = next(held for held in case.requirements if held.key == "sign_off:fairness")
    word = replace(
        WORD,
        parts=case.parts,
        clause=clause,
        person="fay",
        at=datetime(2026, 11, 21, 9, tzinfo=UTC),
        evidence=tuple(Shown(fact.kind, fact.digest, "met") for fact in case.evidence),
        documents=tuple(Shown(fact.kind, fact.digest, "met") for fact in case.documents),
    )
    fact = sign_off_fact(json.loads(statement_bytes(sign_off_statement(word))), id="s-fairness")
    others = tuple(held for held in case.signoffs if held.role != "fairness")
    assert judge(replace(case, signoffs=(*others, fact))).met
    assert not judge(replace(case, signoffs=(*others, replace(fact, withdrawn=True)))).met


@pytest.mark.parametrize("broken", [{}, {"_type": "x"}, {"_type": 1, "predicateType": 2}])
def test_another_statement_is_no_sign_off(broken: dict[str, Any]) -> None:
    with pytest.raises(StatementError):
        sign_off_fact(broken, id="x")


def test_pae_as_specified() -> None:
    assert pae(b"hello world", "http://example.com/HelloWorld") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("é".encode()) == b"DSSEv1 28 application/vnd.in-toto+json 2 \xc3\xa9"


def test_an_envelope_holds() -> None:
    payload = statement_bytes(sign_off_statement(WORD))
    envelope = seal(payload, sign)
    assert envelope["payloadType"] == PAYLOAD_TYPE
    for form in (envelope, envelope_bytes(envelope), envelope_bytes(envelope).decode()):
        assert verified(form, KEYS) == sign_off_statement(WORD)
        assert opened(form).payload == payload
    url_safe = {**envelope, "payload": envelope["payload"].replace("+", "-").replace("/", "_")}
    assert opened(url_safe).payload == payload


@pytest.mark.parametrize(
    "change, code",
    [
        ({"payload": "eyJ9"}, "signature_wrong"),
        ({"payloadType": "text/plain"}, "envelope_other"),
        ({"signatures": []}, "key_unknown"),
        ({"signatures": [{"keyid": "k2", "sig": "AAAA"}]}, "key_unknown"),
        ({"signatures": [{"keyid": "k1", "sig": "AAAA"}]}, "signature_wrong"),
        ({"signatures": [{"keyid": "k1", "sig": "%%"}]}, "envelope_broken"),
        ({"signatures": None}, "envelope_broken"),
        ({"payload": None}, "envelope_broken"),
    ],
)
def test_an_envelope_does_not_hold(change: dict[str, Any], code: str) -> None:
    envelope = seal(statement_bytes(sign_off_statement(WORD)), sign) | change
    with pytest.raises(StatementError) as refused:
        verified(envelope, KEYS)
    assert refused.value.code == code


@pytest.mark.parametrize("text", [b"", b"{", "[]", "1", "[" * 100_000])
def test_what_is_no_envelope(text: str | bytes) -> None:
    with pytest.raises(StatementError, match="not a DSSE envelope"):
        opened(text)
