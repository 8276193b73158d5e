"""DSS's project standards and the sign-off in Govern: what each result comes to, and answers that are odd."""

from dataclasses import replace
from typing import Any

import pytest

from governance.gate import EvidenceFact
from portal.canonical import digest
from portal.dss import answers
from portal.dss.values import GovernSignOff, StandardsCheck
from tests.unit.test_checks import only, with_parts
from tests.unit.test_gate import ago, bare_case, complete_case
from tests.unit.test_policy import clauses, problems, stage

OK, ERROR, NOT = "RUN_SUCCESS", "RUN_ERROR", "NOT_APPLICABLE"


def fact(kind: str, result: Any) -> EvidenceFact:
    parts = bare_case().parts
    return EvidenceFact("1", kind, digest(result), parts, ago(hours=1), "system", "qa", result)


def ran(*found: tuple[str, int | None]) -> dict[str, Any]:
    return {
        "checks": [
            {"name": f"C{number}", "status": status, "severity": severity}
            for number, (status, severity) in enumerate(found)
        ]
    }


@pytest.mark.parametrize(
    "most, result, state, code",
    [
        ("none", ran((OK, 0), (NOT, None)), "met", "standards_kept"),
        ("none", ran((OK, 1)), "not_met", "standards_broken"),
        ("lowest", ran((OK, 1)), "met", "standards_kept"),
        ("high", ran((OK, 4)), "met", "standards_kept"),
        ("high", ran((OK, 5)), "not_met", "standards_broken"),
        ("high", ran((OK, 5), (ERROR, None)), "not_met", "standards_broken"),
        ("low", ran((OK, 0), (ERROR, None)), "cannot_tell", "standards_not_run"),
        ("low", ran((OK, None)), "cannot_tell", "standards_not_run"),
        ("low", ran(("", 0)), "cannot_tell", "standards_not_run"),
        ("low", ran(), "cannot_tell", "standards_none"),
        ("low", ran((NOT, None)), "cannot_tell", "standards_none"),
        ("low", {}, "cannot_tell", "evidence_unreadable"),
        ("low", {"checks": [1]}, "cannot_tell", "evidence_unreadable"),
        ("low", ran((OK, "much")), "cannot_tell", "evidence_unreadable"),  # type: ignore[arg-type]
    ],
)
def test_what_standards_come_to(most: str, result: Any, state: str, code: str) -> None:
    (asked,) = clauses(f"project_standards: {{max_severity: {most}}}")
    found = only(
        complete_case(requirements=(asked,), evidence=(fact("project_standards", result),)), asked.key
    )
    assert (found.state, found.code) == (state, code)
    assert found.unblock == (() if state == "met" else ("dev",))


def signed(*signoffs: tuple[str, str]) -> dict[str, Any]:
    return {"signoffs": [{"step": step, "status": status} for step, status in signoffs], "trouble": ""}


@pytest.mark.parametrize(
    "asked, result, state, code",
    [
        ("{}", signed(("review", "APPROVED")), "met", "govern_approved"),
        ("{}", signed(("review", "APPROVED"), ("legal", "APPROVED")), "met", "govern_approved"),
        ("{}", signed(("review", "APPROVED"), ("legal", "REJECTED")), "not_met", "govern_not_approved"),
        ("{step: review}", signed(("review", "APPROVED"), ("legal", "REJECTED")), "met", "govern_approved"),
        ("{step: legal}", signed(("review", "APPROVED")), "cannot_tell", "govern_unclear"),
        ("{}", signed(), "cannot_tell", "govern_unclear"),
        ("{}", signed(("review", "WAITING_FOR_FEEDBACK")), "not_met", "govern_not_approved"),
        ("{}", signed(("review", "ABANDONED")), "not_met", "govern_not_approved"),
        ("{}", signed(("review", "approved")), "cannot_tell", "govern_unclear"),
        ("{}", signed(("review", "")), "cannot_tell", "govern_unclear"),
        ("{}", {"signoffs": [], "trouble": "It did not answer."}, "cannot_tell", "govern_unknown"),
        ("{}", {**signed(("review", "APPROVED")), "trouble": "x"}, "cannot_tell", "govern_unknown"),
        ("{}", {}, "cannot_tell", "evidence_unreadable"),
    ],
)
def test_what_govern_said_comes_to(asked: str, result: Any, state: str, code: str) -> None:
    (clause,) = clauses(f"govern: {asked}")
    found = only(complete_case(requirements=(clause,), evidence=(fact("govern", result),)), clause.key)
    assert (found.state, found.code) == (state, code)


def test_it_is_about_these_parts_and_may_be_too_old() -> None:
    (clause,) = clauses("govern: {max_age: 2h}")
    good = fact("govern", signed(("review", "APPROVED")))
    assert only(complete_case(requirements=(clause,), evidence=(good,)), "govern").holds_until == ago(
        hours=-1
    )
    for changed, code in (
        (replace(good, parts=with_parts("flow")), "evidence_other_parts"),
        (replace(good, at=ago(hours=2)), "evidence_expired"),
    ):
        found = only(complete_case(requirements=(clause,), evidence=(changed,)), "govern")
        assert (found.state, found.code) == ("not_met", code)


def test_what_a_policy_may_say() -> None:
    (one,) = clauses("govern: {step: review}")
    assert (one.key, one.params) == (
        "govern:review",
        {"blueprint": "bp.system.govern_bundle", "step": "review"},
    )
    (two,) = clauses("project_standards: {}")
    assert (two.key, two.params) == ("project_standards", {"max_severity": "none"})
    assert "Did you mean" in problems(stage("project_standards: {max_severity: lows}"))[0].remedy
    assert problems(stage("govern: {blueprint: ../admin}"))[0].path.endswith("govern.blueprint")


def test_odd_answers_are_read_tolerantly() -> None:
    assert answers.standards(None) is None
    assert answers.standards({}) is None
    report = answers.standards(
        {
            "bundleChecksRunInfo": {
                "A": {"check": {"name": "Wiki"}, "result": {"status": OK, "severity": 2, "message": "none"}},
                "B": {"result": {"status": ERROR}},
                "C": None,
                "D": {"check": [], "result": {"status": OK, "severity": True}},
            }
        }
    )
    assert report is not None
    assert report.checks == (
        StandardsCheck("A", "Wiki", OK, 2, "none"),
        StandardsCheck("B", "B", ERROR, None, ""),
        StandardsCheck("C", "C", "", None, ""),
        StandardsCheck("D", "D", OK, None, ""),
    )
    with pytest.raises(answers.Lacking):
        answers.govern_hits([])
    with pytest.raises(answers.Lacking):
        answers.govern_hits({"uiArtifacts": [{"artifact": {}}]})
    assert answers.govern_hits({}) == []
    signoff = {"signoffId": {"stepId": "review"}, "status": "NOT_STARTED"}
    assert answers.govern_signoff(signoff, {"status": "APPROVED"}) == GovernSignOff("review", "APPROVED")
    assert answers.govern_signoff(signoff, {}) == GovernSignOff("review", "NOT_STARTED")


@pytest.mark.parametrize(
    "artifact, stands",
    [
        ({"name": "v2", "fields": {"project_key": "CHURN", "bundle_id": "v2"}}, True),
        ({"name": "Churn v2", "fields": {"dataiku_project_key": "CHURN", "dataiku_bundle_id": "v2"}}, True),
        ({"name": "v2", "fields": {"project_key": "CHURN"}}, True),
        ({"name": "v2", "fields": {"project_key": "CHURN", "bundle_id": "v1"}}, False),
        ({"name": "v2", "fields": {"project_key": "FRAUD"}}, False),
        ({"name": "v2", "fields": {}}, False),
        ({"name": "v2"}, False),
    ],
)
def test_which_artifact_stands_for_a_bundle(artifact: Any, stands: bool) -> None:
    assert answers.is_govern_bundle(artifact, "CHURN", "v2") is stands
