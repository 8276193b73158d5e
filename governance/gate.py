"""The gate: every requirement of the policy asked of one frozen Case, each with its reason.

Pure: no clock (the Case carries its instant), no database, no DSS. Not in charge of gathering facts, of the rules of
each kind (`governance.checks`) or of sentences (`governance.sentences`). `holds_until` is the first instant at which
the clock alone could change a finding; whatever people do may change it sooner.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import msgspec

from governance import waivers
from governance.checks import check
from governance.facts import (
    APPROVE,
    APPROVE_WITH_CONDITIONS,
    CAN_PROMOTE,
    CAN_REQUEST,
    CAN_WAIVE,
    CANNOT_TELL,
    DECISIONS,
    MET,
    NOT_MET,
    PARTS,
    REJECT,
    REQUEST_CHANGES,
    SYSTEM,
    WAIVED,
    Barred,
    Case,
    Clause,
    DocumentFact,
    EvidenceFact,
    Finding,
    Holder,
    LiveFact,
    PolicyRef,
    RunningFact,
    SignOffFact,
    State,
    Verdict,
    WaiverFact,
    instant,
    parse_instant,
)
from portal.canonical import digest

__all__ = [
    "APPROVE",
    "APPROVE_WITH_CONDITIONS",
    "CANNOT_TELL",
    "CAN_PROMOTE",
    "CAN_REQUEST",
    "CAN_WAIVE",
    "DECISIONS",
    "MET",
    "NOT_MET",
    "PARTS",
    "REJECT",
    "REQUEST_CHANGES",
    "SYSTEM",
    "WAIVED",
    "Barred",
    "Case",
    "Clause",
    "DocumentFact",
    "EvidenceFact",
    "Finding",
    "Holder",
    "LiveFact",
    "PolicyRef",
    "RunningFact",
    "SignOffFact",
    "State",
    "Verdict",
    "WaiverFact",
    "case_digest",
    "case_from_bytes",
    "case_from_json",
    "case_to_json",
    "instant",
    "judge",
    "parse_instant",
    "verdict_from_json",
    "verdict_to_json",
]

_SHAPE = 1
_LET = ("let_in", "let_back_in")


def judge(case: Case, known: Mapping[str, Finding] | None = None) -> Verdict:
    """Every requirement of the policy, each met or not, each with its reason. Never stops at the first no.

    `known` are findings, by key, that were worked out of the same facts under the same requirement (see
    `governance.unchanged`).
    """
    findings = waivers.applied(case, check(case, known))
    return Verdict(findings, min((f.holds_until for f in findings if f.holds_until), default=None))


def case_to_json(case: Case) -> dict[str, Any]:
    """The Case as JSON values, shape version in `v`; equal Cases give equal values."""
    fields = _plain(asdict(case))
    for fact in fields["documents"]:
        if fact["sections_told"]:
            del fact["sections_told"]  # as nearly always
    for fact in (*fields["signoffs"], *fields["holders"]):
        _leave_out_what_is_not(fact)
    for fact in fields["evidence"]:
        if not fact["name"]:
            del fact["name"]  # nor that there is one of its kind only
    for fact in fields["barred"]:
        if not fact["until"]:
            del fact["until"]  # nor that a bar is for good
    if fields["ticket"] is None:
        del fields["ticket"]  # nor that no ticket was asked for
    if not fields["waivers"]:
        del fields["waivers"]  # nor that nothing was waived
    if fields["live"] is None:
        del fields["live"]  # nor that nobody asked what runs there
    return {"v": _SHAPE, **fields}


def case_from_json(value: dict[str, Any]) -> Case:
    """The Case that `case_to_json` wrote; raises ValueError for another shape."""
    with _read_as("case", value.get("v")):
        return msgspec.convert(value, Case)


def case_from_bytes(body: bytes) -> Case:
    """The same of the JSON text; for many of them."""
    with _read_as("case", _SHAPED.decode(body).v):
        return _CASES.decode(body)


def case_digest(case: Case) -> str:
    """The content address of a Case: SHA-256 of its canonical JSON."""
    return digest(case_to_json(case))


def verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    """The Verdict as JSON values; `met` is written out for readers and ignored when read back."""
    return {"v": _SHAPE, "met": verdict.met, **_plain(asdict(verdict))}


def verdict_from_json(value: dict[str, Any]) -> Verdict:
    """The Verdict that `verdict_to_json` wrote; raises ValueError for another shape."""
    with _read_as("verdict", value.get("v")):
        return msgspec.convert(value, Verdict)


@contextmanager
def _read_as(what: str, shape: Any) -> Iterator[None]:
    if shape != _SHAPE:
        raise ValueError(f"Shape {shape!r} is not known here; this version reads shape {_SHAPE}.")
    try:
        yield
    except (TypeError, msgspec.ValidationError) as error:
        raise ValueError(f"This is not a stored {what}: {error}.") from error


class _Shaped(msgspec.Struct):
    """What says how the rest is to be read."""

    v: Any = None


_SHAPED = msgspec.json.Decoder(_Shaped)
_CASES = msgspec.json.Decoder(Case)


def _leave_out_what_is_not(fact: dict[str, Any]) -> None:
    """What says that nobody stood in for anybody, or let them in, or that it was given on this bundle, is not written:
    Cases from before it could be are equal to these."""
    if not fact["on_behalf_of"]:
        del fact["on_behalf_of"]
        fact.pop("left", None)
    for name in (*_LET, "let_until", "bundle", "carried", "due"):
        if not fact.get(name):
            fact.pop(name, None)


def _plain(value: Any) -> Any:
    """Tuples become lists all the way down, so that what is hashed is what a JSON parser gives back."""
    if isinstance(value, dict):
        return {key: _plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(held) for held in value]
    return value
