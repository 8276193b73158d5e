"""The policy language: what it means, what it refuses and where it points, and that nothing breaks it."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import governance
from governance import policy
from governance.durations import seconds
from governance.policy import After, PolicyError, Smoke, parse
from portal.canonical import digest
from portal.errors import Invalid
from portal.marked import MAX_BYTES, Problem

DEMO = Path(governance.__file__).with_name("policies") / "demo.yaml"
# libyaml's where there is one: written so, a policy is the same text in a tenth of the time.
Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
DEMO_VALUE = yaml.safe_load(DEMO.read_text("utf-8"))
QUICK = settings(database=None, deadline=None, max_examples=100)


BY_GENDER = "fairness, metrics: [{name: calibration_by_score_difference, by: [gender], max: 0.1}]"


def stage(*requirements: str, beside: str = "") -> str:
    lines = [f"          - {line}" for line in requirements] or ["          []"]
    return "\n".join(
        [
            "policy: p",
            "tiers:",
            "  light:",
            "    stages:",
            "      prod:",
            "        requires:",
            *lines,
            beside,
            "",
        ]
    )


def problems(text: str | bytes) -> list[Problem]:
    with pytest.raises(PolicyError) as refused:
        parse(text)
    assert refused.value.problems
    return list(refused.value.problems)


def problems_or_none(text: str) -> tuple[Problem, ...]:
    try:
        parse(text)
    except PolicyError as refused:
        return refused.problems
    return ()


def clauses(*requirements: str) -> list[Any]:
    return list(parse(stage(*requirements)).rules("light", "prod").requirements)


# --- meaning ---


@pytest.mark.parametrize("kind", ["explainability, forbid: [gender]", BY_GENDER])
def test_evidence_is_counted_or_brought_unless_it_is_said(kind: str) -> None:
    (only,) = clauses(f"evidence: {{kind: {kind}, from: dss}}")
    (any_,) = clauses(f"evidence: {{kind: {kind}}}")
    assert (only.params["from"], any_.params.get("from")) == ("dss", None)
    (problem,) = problems(stage(f"evidence: {{kind: {kind}, from: report}}"))
    assert problem.path.endswith("evidence.from")


def test_the_demo_policy() -> None:
    document = parse(DEMO.read_bytes())
    critical = document.rules("critical", "prod")
    assert [clause.key for clause in critical.requirements] == [
        "document:model-documentation",
        "document:intended-use",
        "evidence:fairness",
        "evidence:explainability",
        "tests:qa",
        "soak:qa",
        "sign_off:fairness",
        "sign_off:explainability",
        "sign_off:model-risk",
    ]
    assert (critical.automation, critical.after) == ("full", After(2, "roll_back"))
    assert document.rules("critical", "qa").requirements == ()
    assert [clause.kind for clause in document.rules("light", "prod").requirements] == ["tests"]
    assert document.rules("light", "prod").automation == "full"
    assert document.roles == ("explainability", "fairness", "model-risk")
    assert document.document_kinds == ("intended-use", "model-documentation")
    assert document.smoke == Smoke("TEST_SMOKE", "fails")


@pytest.mark.parametrize(
    "line, key, params",
    [
        (
            "sign_off: {role: fairness, people: 2, covers: [models, data]}",
            "sign_off:fairness",
            {"role": "fairness", "people": 2, "covers": ["data", "models", "other"]},
        ),
        ("document: intended-use", "document:intended-use", {"kind": "intended-use", "sections": []}),
        (
            "document: {kind: plan, sections: [Purpose], max_age: 30d}",
            "document:plan",
            {"kind": "plan", "sections": ["Purpose"], "max_age": 2592000},
        ),
        (
            "evidence: {kind: explainability, forbid: [gender]}",
            "evidence:explainability",
            {"kind": "explainability", "top": 10, "forbid": ["gender"]},
        ),
        (
            "evidence: {kind: explainability, forbid: [g], proxies: {of: [g], max: 0.3}, drift: {}}",
            "evidence:explainability",
            {
                "kind": "explainability",
                "top": 10,
                "forbid": ["g"],
                "proxies": {"of": ["g"], "max": 0.3},
                "drift": {"top": 10, "max_share_change": 0.1},
            },
        ),
        (
            "evidence: {kind: explainability, forbid: [g], drift: {top: 5, min_rank_correlation: 0.7}}",
            "evidence:explainability",
            {
                "kind": "explainability",
                "top": 10,
                "forbid": ["g"],
                "drift": {"top": 5, "min_rank_correlation": 0.7},
            },
        ),
        (
            "evidence: {kind: fairness, name: strict, metrics: [{name: equalized_odds_difference, by: [g], max: 0.1}]}",
            "evidence:fairness:strict",
            {
                "kind": "fairness",
                "metrics": [{"name": "equalized_odds_difference", "by": ["g"], "max": 0.1, "min_group": 30}],
            },
        ),
        (
            "tests: {at: qa}",
            "tests:qa",
            {"at": "qa", "pattern": "TEST_*", "warning": "fails", "smoke": "TEST_SMOKE"},
        ),
        ("soak: {at: qa, for: 90m}", "soak:qa", {"at": "qa", "for": 5400}),
    ],
)
def test_clauses_are_normalised(line: str, key: str, params: dict[str, Any]) -> None:
    (clause,) = clauses(line)
    assert (clause.key, clause.params) == (key, params)
    assert clause.digest == digest({"kind": clause.kind, "params": params})


@pytest.mark.parametrize(
    "one, other",
    [
        ("soak: {at: qa, for: 24h}", "soak: {for: 1d, at: qa}"),
        (
            "sign_off: {role: r, covers: [models, data]}",
            "sign_off: {role: r, people: 1, covers: [other, data, models]}",
        ),
        ("document: plan", "document: {kind: plan}"),
        ("tests: {at: qa, pattern: 'TEST_*'}", "tests: {at: qa}   # the usual"),
    ],
)
def test_spelling_does_not_change_what_is_signed(one: str, other: str) -> None:
    assert clauses(one)[0].digest == clauses(other)[0].digest
    assert parse(stage(one)).digest == parse(stage(other)).digest


def test_another_tier_does_not_change_a_clause() -> None:
    text = stage("sign_off: {role: r}")
    more = text + "  other:\n    stages:\n      prod: {requires: []}\n"
    assert parse(text).rules("light", "prod") == parse(more).rules("light", "prod")
    assert parse(text).digest != parse(more).digest


def test_smoke_of_the_stage_below_is_no_test() -> None:
    text = """
policy: p
smoke: {scenario: SMOKE_ALL}
tiers:
  light:
    stages:
      qa: {requires: [], smoke: {scenario: SMOKE_QA, warning: passes}}
      prod: {requires: [{tests: {at: qa}}, {tests: {at: lab, name: lab}}]}
"""
    document = parse(text)
    assert [clause.params["smoke"] for clause in document.rules("light", "prod").requirements] == [
        "SMOKE_QA",
        "SMOKE_ALL",
    ]
    assert document.rules("light", "qa").smoke == Smoke("SMOKE_QA", "passes")
    assert document.rules("light", "prod").smoke == Smoke("SMOKE_ALL", "fails")


def test_silence_is_not_consent() -> None:
    document = parse(stage("tests: {at: qa}"))
    with pytest.raises(Invalid, match="no tier critical"):
        document.rules("critical", "prod")
    with pytest.raises(Invalid, match="says nothing about the stage qa"):
        document.rules("light", "qa")


@pytest.mark.parametrize("text, expected", [("3s", 3), ("15m", 900), ("24h", 86400), ("90d", 7776000)])
def test_seconds(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "3", "s", "0s", "-1s", "1.5h", "3 s", "3S", "1w", "٣s", "3s\n"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)


# --- refusals ---


@pytest.mark.parametrize(
    "line, column, message, remedy",
    [
        ("sign_of: {role: r}", 13, "“sign_of” is not known", "Did you mean sign_off?"),
        ("sign_off: {role: r, people: 0}", 41, "“0” is less than 1", "at least 1 and at most 20"),
        ("sign_off: {role: r, people: 1.5}", 41, "is not a whole number", "whole number"),
        ("sign_off: {role: Model Risk}", 30, "right form", "lower-case"),
        ("sign_off: {role: r, covers: [model]}", 42, "“model” is not known", "Did you mean models?"),
        ("sign_off: {role: r, covers: some}", 41, "“some” is not known", "Use all"),
        ("sign_off: {role: r, covers: []}", 33, "empty", "at least one"),
        ("sign_off: {people: 1}", 13, "role is missing", "Add `role:`"),
        ("sign_off:", 22, "An empty value is not a mapping", "Write a mapping"),
        ("document: {kind: x, section: [a]}", 33, "“section” is not known", "sections"),
        ("evidence: {kind: drift}", 30, "“drift” is not known", "fairness or explainability"),
        ("evidence: {metrics: []}", 13, "kind is missing", "Add `kind:`"),
        ("evidence: {kind: explainability}", 13, "forbid is missing", "features"),
        ("tests: {at: prod}", 25, "cannot ask for what happens at prod", "stage before it"),
        ("tests: {at: qa, pattern: 'a b'}", 38, "right form", "wildcards"),
        ("tests: {at: qa, max_age: 3 weeks}", 38, "right form", "24h or 90d"),
        ("soak: {at: qa}", 13, "for is missing", "24h"),
        ("{soak: {at: qa, for: 1s}, document: x}", 13, "several kinds: soak and document", "own `-`"),
        ("{}", 13, "nothing in this mapping", "at least one"),
        ("tests", 13, "“tests” is not a mapping", "Write a mapping"),
    ],
)
def test_a_problem_has_its_place_and_remedy(line: str, column: int, message: str, remedy: str) -> None:
    (problem,) = problems(stage(line))
    assert (problem.line, problem.column) == (7, column)
    assert message in problem.message
    assert remedy in problem.remedy
    assert problem.path.startswith("tiers.light.stages.prod.requires[0]")


@pytest.mark.parametrize(
    "metric, messages",
    [
        ("{name: demographic_parity_ratio, by: [g]}", ["min is missing"]),
        ("{name: demographic_parity_ratio, by: [g], min: 0.8, max: 0.2}", ["Max does not go with"]),
        ("{name: demographic_parity_ratio, by: [g], min: 1.2}", ["more than 1"]),
        ("{name: demographic_parity_ratio, by: [g], min: 0}", ["not above 0"]),
        ("{name: equalized_odds_difference, by: [g], min: 0.8}", ["max is missing", "Min does not go with"]),
        ("{name: parity, by: [g]}", ["is not known here"]),
        ("{by: [g, g]}", ["name is missing", "listed twice"]),
    ],
)
def test_metrics_and_their_thresholds(metric: str, messages: list[str]) -> None:
    found = problems(stage(f"evidence: {{kind: fairness, metrics: [{metric}]}}"))
    assert len(found) == len(messages)
    for message in messages:
        assert any(message in problem.message for problem in found), found


def test_every_problem_is_told_in_the_order_of_the_text() -> None:
    found = problems(
        stage(
            "tests: {at: qa, max_age: 1w}",
            "soak: {at: qa}",
            "sign_off: {rol: x}",
            beside="        auto: full",
        )
    )
    assert [problem.line for problem in found] == [7, 8, 9, 9, 10]
    with pytest.raises(PolicyError, match=r"Line 7, column 38: .* And 4 more\."):
        parse(
            stage(
                "tests: {at: qa, max_age: 1w}",
                "soak: {at: qa}",
                "sign_off: {rol: x}",
                beside="        auto: full",
            )
        )


def test_a_requirement_given_twice() -> None:
    (problem,) = problems(stage("tests: {at: qa}", "tests: {at: qa, max_age: 1d}"))
    assert (problem.line, problem.message) == (8, "The requirement tests:qa is given twice for this stage.")
    assert len(clauses("tests: {at: qa}", "tests: {at: qa, name: b}")) == 2


@pytest.mark.parametrize(
    "text, line, column, message",
    [
        ("policy: p\ntiers: {}\npolicy: q", 3, 1, "given twice; the first is on line 1"),
        ("a: &x 1", 1, 4, "Anchors and aliases"),
        ("a: *x", 1, 4, "Anchors and aliases"),
        ("policy: !!python/object/apply:os.system [ls]", 1, 9, "tag"),
        ("policy: !!int abc", 1, 9, "does not fit its tag"),
        ("policy: !!float nan", 1, 9, "does not fit its tag"),
        ("policy: p\n\ttiers: 1", 2, 1, "Found character"),
        ("policy: [", 1, 10, "Expected the node content"),
        ("policy: 'p", 1, 11, "unexpected end of stream"),
        ("a: 1\n---\nb: 2", 2, 1, "another document"),
        ("? [a]\n: 1", 1, 3, "must be a plain word"),
        ("policy: \x07", 1, 9, "not allowed in YAML"),
        ("# only a comment", 1, 1, "empty"),
        ("- policy", 1, 1, "not a mapping"),
        ("policy", 1, 1, "not a mapping"),
        ("{" * 30, 1, 21, "nested deeper"),
    ],
)
def test_bad_yaml_has_its_place(text: str, line: int, column: int, message: str) -> None:
    found = problems(text)[0]
    assert (found.line, found.column) == (line, column)
    assert message.lower() in found.message.lower()
    assert found.remedy


def test_bytes_that_are_no_text_and_texts_too_large() -> None:
    assert "not UTF-8" in problems(b"policy: p\nx: \xff")[0].message
    assert (problems(b"policy: p\nx: \xff")[0].line, problems(b"policy: p\nx: \xff")[0].column) == (2, 4)
    assert "larger than 128 KiB" in problems("#" * (MAX_BYTES + 1))[0].message


@pytest.mark.parametrize(
    "word", ["yes", "no", "on", "off", "2026-01-01", "1_000", "0x10", "1e3", "12:30:45", ".inf", "<<"]
)
def test_what_other_yaml_would_guess_is_text(word: str) -> None:
    (problem,) = problems(stage("tests: {at: qa}", beside=f"        automation: {word}"))
    assert f"“{word}” is not known here" in problem.message


@QUICK
@given(st.text(max_size=200))
@example("%YAML 9.9\n---\n")
@example("%TAG ! x\n---\n!a")
@example("\ufeffpolicy: p")
@example("'\\ud800")
@example('"\\ud800"')
def test_any_text_is_a_policy_or_a_list_of_problems(text: str) -> None:
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems_or_none(text))


@QUICK
@given(st.data())
def test_a_policy_with_anything_in_one_place_is_read_or_refused(data: st.DataObject) -> None:
    value = copy.deepcopy(DEMO_VALUE)
    spots: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            spots.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(value)
    node, key = data.draw(st.sampled_from(spots))
    leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
    node[key] = data.draw(
        st.recursive(
            leaf,
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
        )
    )
    assert all(
        problem.message and problem.remedy for problem in problems_or_none(yaml.dump(value, Dumper=Dumper))
    )


# --- the published schema ---


def test_the_schema_is_a_schema_and_knows_the_demo() -> None:
    Draft202012Validator.check_schema(policy.SCHEMA)
    assert Draft202012Validator(policy.SCHEMA).is_valid(yaml.safe_load(DEMO.read_text("utf-8")))


def test_defaults_of_the_schema_are_the_defaults() -> None:
    named = policy.SCHEMA["$defs"]
    assert named["smoke"]["properties"]["scenario"]["default"] == policy.DEFAULT_SMOKE
    assert named["metric"]["properties"]["min_group"]["default"] == policy.DEFAULT_MIN_GROUP
    assert named["tests"]["properties"]["pattern"]["default"] == policy.DEFAULT_PATTERN
    explainability = named["evidence"]["allOf"][1]["then"]["properties"]
    assert explainability["top"]["default"] == policy.DEFAULT_TOP
    drift = named["drift"]["properties"]
    assert drift["top"]["default"] == policy.DEFAULT_TOP
    assert drift["max_share_change"]["default"] == policy.DEFAULT_SHARE_CHANGE
