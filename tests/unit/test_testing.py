"""What a `tests` requirement asks of runs, of reports and of what a bundle holds."""

from dataclasses import replace
from typing import Any

import pytest

from governance import testing
from governance.facts import CANNOT_TELL, MET, NOT_MET
from governance.gate import judge
from governance.policy import PolicyError, clause, parse
from tests.unit.test_gate import complete_case


def runs(**outcomes: str) -> dict[str, Any]:
    return {
        "v": 1,
        "listed": list(outcomes),
        "runs": [{"scenario": name, "outcome": outcome} for name, outcome in outcomes.items() if outcome],
    }


@pytest.mark.parametrize(
    "asked, outcomes, state, code",
    [
        ({}, {"a": "SUCCESS"}, MET, "tests_passed"),
        ({}, {"a": "SUCCESS", "b": "FAILED"}, NOT_MET, "tests_failed"),
        (
            {"pass_rate": 0.95},
            {**{f"t{n}": "SUCCESS" for n in range(19)}, "b": "FAILED"},
            MET,
            "tests_passed",
        ),
        (
            {"pass_rate": 0.95},
            {**{f"t{n}": "SUCCESS" for n in range(18)}, "b": "FAILED"},
            NOT_MET,
            "tests_rate",
        ),
        ({"pass_rate": 0.5}, {"a": "SUCCESS", "b": ""}, MET, "tests_passed"),
        ({"pass_rate": 0.5}, {}, NOT_MET, "tests_none"),
        ({"required": ["a"]}, {"b": "SUCCESS"}, NOT_MET, "tests_required"),
        ({"required": ["a"], "pass_rate": 0.1}, {"a": "FAILED", "b": "SUCCESS"}, NOT_MET, "tests_required"),
        ({"required": ["a"]}, {"a": "WARNING"}, NOT_MET, "tests_required"),
        ({"required": ["a"], "warning": "passes"}, {"a": "WARNING"}, MET, "tests_passed"),
        # What is required need not fit the pattern that the share is taken of.
        ({"required": ["x"], "pattern": "a*"}, {"a": "SUCCESS", "x": "SUCCESS"}, MET, "tests_passed"),
    ],
)
def test_a_share_and_names(asked: dict[str, Any], outcomes: dict[str, str], state: str, code: str) -> None:
    found = testing.tests_of(runs(**outcomes), asked)
    assert found[:2] == (state, code)


def recipe(name: str, lines: int = 10, complexity: int | None = 2, why: str = "") -> dict[str, Any]:
    return {"recipe": name, "language": "py", "lines": lines, "complexity": complexity, "why": why}


@pytest.mark.parametrize(
    "asked, recipes, more, state, code",
    [
        ({"scenarios": ["TEST_A"]}, [], 0, MET, "project_sound"),
        ({"scenarios": ["TEST_A", "TEST_B"]}, [], 0, NOT_MET, "project_unsound"),
        ({"recipes": {"lines": 10}}, [recipe("r")], 0, MET, "project_sound"),
        ({"recipes": {"lines": 9}}, [recipe("r")], 0, NOT_MET, "project_unsound"),
        ({"recipes": {"complexity": 1}}, [recipe("r")], 0, NOT_MET, "project_unsound"),
        ({"recipes": {"complexity": 9}}, [recipe("r", complexity=None)], 0, MET, "project_sound"),
        (
            {"recipes": {"complexity": 9}},
            [recipe("r", complexity=None, why="syntax")],
            0,
            CANNOT_TELL,
            "project_untold",
        ),
        ({"recipes": {"lines": 99}}, [recipe("r", complexity=None, why="syntax")], 0, MET, "project_sound"),
        ({"recipes": {"lines": 99}}, [recipe("r")], 1, CANNOT_TELL, "project_untold"),
        ({"recipes": {"lines": 9}}, [recipe("r")], 1, NOT_MET, "project_unsound"),
        ({"scenarios": ["TEST_A"]}, [recipe("r", complexity=None, why="syntax")], 3, MET, "project_sound"),
    ],
)
def test_what_a_bundle_holds(
    asked: dict[str, Any], recipes: list[dict[str, Any]], more: int, state: str, code: str
) -> None:
    result = {"v": 1, "scenarios": ["TEST_A"], "recipes": recipes, "more": more}
    found = testing.project_of(result, asked)
    assert found[:2] == (state, code)


def policy(requirement: str) -> str:
    return (
        f"policy: p\ntiers:\n  t:\n    stages:\n      prod:\n        requires:\n          - {requirement}\n"
    )


@pytest.mark.parametrize(
    "requirement, params, kind",
    [
        (
            "tests: {at: qa}",
            {"at": "qa", "pattern": "TEST_*", "warning": "fails", "smoke": "TEST_SMOKE"},
            "tests",
        ),
        (
            "tests: {at: qa, pass_rate: 0.95, required: [TEST_A]}",
            {
                "at": "qa",
                "pattern": "TEST_*",
                "warning": "fails",
                "smoke": "TEST_SMOKE",
                "pass_rate": 0.95,
                "required": ["TEST_A"],
            },
            "tests",
        ),
        (
            "tests: {at: design, from: report, max_age: 7d, required: [a.b]}",
            {"at": "design", "from": "report", "pattern": "*", "required": ["a.b"], "max_age": 604800},
            "test-report",
        ),
        (
            "tests: {at: design, scenarios: [TEST_A], recipes: {lines: 400, complexity: 15}}",
            {
                "at": "design",
                "from": "bundle",
                "scenarios": ["TEST_A"],
                "recipes": {"lines": 400, "complexity": 15},
            },
            "project",
        ),
        ("tests: {at: qa, from: scenarios, pass_rate: 1}", None, "tests"),
    ],
)
def test_the_grammar(requirement: str, params: dict[str, Any] | None, kind: str) -> None:
    (found,) = parse(policy(requirement)).rules("t", "prod").requirements
    assert params is None or found.params == params
    assert testing.kind_of(found) == kind


def test_an_older_clause_has_the_digest_it_had() -> None:
    """It is bound by signatures that were given."""
    (found,) = (
        parse(policy('tests: {at: qa, pattern: "TEST_*", max_age: 30d}')).rules("t", "prod").requirements
    )
    assert found.digest == "8e8ccc3a7fe882949eaf22845880605fc11fc82eebd83ddd0bd9571c26e915c3"


@pytest.mark.parametrize(
    "requirement, line, word",
    [
        ("tests: {at: qa, scenarios: [TEST_A]}", 7, "Write `at: design`."),
        ("tests: {at: design, recipes: {lines: 9}, pass_rate: 0.9}", 7, "requirements of their own"),
        ("tests: {at: design, recipes: {}}", 7, "Add at least one entry"),
        ("tests: {at: design, recipes: {length: 9}}", 7, "length"),
        ("tests: {at: design, from: elsewhere}", 7, "scenarios"),
        ("tests: {at: design, from: report, pass_rate: 0}", 7, "0"),
        ("tests: {at: design, from: report, pass_rate: 95}", 7, "1"),
        ("tests: {at: design, from: report, warning: passes}", 7, "Leave it out"),
        ("tests: {at: design, from: report, required: []}", 7, "Give at least one"),
    ],
)
def test_what_does_not_go_together(requirement: str, line: int, word: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse(policy(requirement))
    (problem,) = refused.value.problems
    assert problem.line == line
    assert problem.column > 0
    assert word in str(problem), str(problem)


def test_who_sent_a_report_does_not_sign_beside_it() -> None:
    case = complete_case()
    asked = clause("tests", {"at": "design", "from": "report", "pattern": "*"}, "design")
    sent = replace(
        case.evidence[0],
        id="r1",
        kind="test-report",
        stage="design",
        digest="r" * 64,
        result=runs(a="SUCCESS"),
        author="fay",
    )
    case = replace(case, requirements=(asked, *case.requirements))

    def fairness(author: str) -> Any:
        judged = judge(replace(case, evidence=(*case.evidence, replace(sent, author=author))))
        return next(one for one in judged.findings if one.key == "sign_off:fairness")

    assert fairness("dev").state == MET
    barred = fairness("fay")
    assert barred.state == NOT_MET
    assert [entry["barred"] for entry in barred.params["not_counted"]] == ["evidence_author"]
