"""External checks: whose signature is one, and what was said comes to."""

import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from governance.external_checks import TOLERANCE, is_signed, is_timely, signature, well_formed
from governance.gate import Case, EvidenceFact, case_digest, case_from_json, case_to_json
from portal.canonical import digest
from tests.unit.test_checks import only, with_parts
from tests.unit.test_gate import NOW, ago, bare_case, complete_case
from tests.unit.test_policy import clauses, problems, stage

KEY = "k" * 32
KIND = "external_check:security-scan"


def said(state: str = "passed", **more: Any) -> EvidenceFact:
    case = bare_case()
    result = {"v": 1, "name": "security-scan", "state": state, "link": "", "summary": "Read."}
    fact = EvidenceFact("1", "external_check", digest(result), case.parts, ago(hours=1), "system", "", result)
    return replace(fact, **{"name": "security-scan", **more})


def judged(*facts: EvidenceFact, max_age: str = "7d") -> Case:
    (asked,) = clauses(f"external_check: {{name: security-scan, max_age: {max_age}}}")
    return complete_case(requirements=(asked,), evidence=facts)


@pytest.mark.parametrize(
    "facts, state, code",
    [
        ((), "not_met", "evidence_missing"),
        ((said(),), "met", "external_passed"),
        ((said("failed"),), "not_met", "external_failed"),
        ((said(), said("failed", id="2", at=ago(minutes=5))), "not_met", "external_failed"),
        ((said("failed"), said(id="2", at=ago(minutes=5))), "met", "external_passed"),
        ((said(), said("failed", id="2", name="licences")), "met", "external_passed"),
        ((said(name=""),), "not_met", "evidence_missing"),
        ((said(parts=with_parts("flow")),), "not_met", "evidence_other_parts"),
        ((said(parts={}),), "not_met", "evidence_other_parts"),
        ((said(at=ago(days=7)),), "not_met", "evidence_expired"),
        ((said("perhaps"),), "cannot_tell", "evidence_unreadable"),
        ((said(result={}),), "cannot_tell", "evidence_unreadable"),
        ((said(result={"state": "passed", "summary": None}),), "cannot_tell", "evidence_unreadable"),
    ],
)
def test_what_was_said_last_of_these_parts_decides(
    facts: tuple[EvidenceFact, ...], state: str, code: str
) -> None:
    found = only(judged(*facts), KIND)
    assert (found.state, found.code, found.unblock) == (state, code, ())


def test_it_holds_until_it_is_too_old() -> None:
    assert only(judged(said(), max_age="2h"), KIND).holds_until == ago(hours=-1)


def test_two_checks_of_one_kind_stand_beside_each_other() -> None:
    both = clauses("external_check: {name: security-scan}", "external_check: {name: licences}")
    case = complete_case(requirements=tuple(both), evidence=(said(), said("failed", id="2", name="licences")))
    assert [only(case, one.key).state for one in both] == ["met", "not_met"]
    again = problems(stage("external_check: {name: a}", "external_check: {name: a}"))
    assert "given twice" in again[0].message
    assert "lower-case letters" in problems(stage("external_check: {name: Security Scan}"))[0].remedy


def test_evidence_without_a_name_is_written_as_it_was() -> None:
    case = complete_case()
    assert all("name" not in fact for fact in case_to_json(case)["evidence"])
    named = judged(said())
    assert case_from_json(case_to_json(named)) == named
    assert case_digest(named) != case_digest(judged(said(name="other")))


def test_a_signature_is_of_one_key_one_time_and_one_body() -> None:
    good = signature(KEY, "1764000000", b"{}")
    assert good == "v1=" + hmac.new(KEY.encode(), b"1764000000.{}", hashlib.sha256).hexdigest()
    assert is_signed(KEY, "1764000000", b"{}", good)
    for key, timestamp, body, given in (
        ("x" * 32, "1764000000", b"{}", good),
        (KEY, "1764000001", b"{}", good),
        (KEY, "1764000000", b"{ }", good),
        (KEY, "1764000000", b"{}", good.upper()),
        (KEY, "1764000000", b"{}", good[3:]),
        (KEY, "1764000000", b"{}", ""),
        (KEY, "1764000000", b"{}", "v1=\ud800"),
        (KEY, "1764000000.", b"{}", signature(KEY, "1764000000", b".{}")),
    ):
        assert not (well_formed(timestamp, given) and is_signed(key, timestamp, body, given))


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "1e9", "1764000000.5", "1" * 13, "١٧٦٤", " 1"])
def test_what_is_no_time_is_none(timestamp: str) -> None:
    assert not well_formed(timestamp, "v1=" + "0" * 64)


def test_a_message_is_good_for_five_minutes_either_way() -> None:
    def timely(apart: timedelta) -> bool:
        return is_timely(str(int((NOW + apart).timestamp())), NOW)

    assert timely(TOLERANCE)
    assert timely(-TOLERANCE)
    assert not timely(TOLERANCE + timedelta(seconds=1))
    assert not timely(-TOLERANCE - timedelta(seconds=1))
    assert not is_timely("999999999999", NOW)
