"""The gate as a whole: it never stops at the first no, it is a function of the Case alone, and Cases keep."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any

import pytest

from governance import policy
from governance.gate import (
    APPROVE,
    PARTS,
    Barred,
    Case,
    DocumentFact,
    EvidenceFact,
    Finding,
    Holder,
    PolicyRef,
    RunningFact,
    SignOffFact,
    Verdict,
    case_digest,
    case_from_json,
    case_to_json,
    instant,
    judge,
    parse_instant,
    verdict_from_json,
    verdict_to_json,
)
from portal.canonical import canonical, digest

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
SECTIONS = ("1. Purpose", "2. Training data", "3. Performance", "4. Limits of use")
RULES = """
policy: story
tiers:
  critical:
    stages:
      prod:
        requires:
          - document: {kind: model-documentation, sections: [purpose, data, performance, limits]}
          - document: intended-use
          - evidence:
              kind: fairness
              max_age: 90d
              metrics: [{name: demographic_parity_ratio, by: [gender], min: 0.8, min_group: 50}]
          - evidence: {kind: explainability, top: 3, forbid: [gender]}
          - tests: {at: qa, max_age: 7d}
          - soak: {at: qa, for: 24h}
          - sign_off: {role: fairness}
          - sign_off: {role: explainability}
          - sign_off: {role: model-risk}
"""


@cache  # a Case is asked for hundreds of times, and most of one is reading its rules
def rules_read() -> policy.PolicyDocument:
    return policy.parse(RULES)


def ago(**age: float) -> str:
    return instant(NOW - timedelta(**age))


def parts_of(bundle: str) -> dict[str, str]:
    return {part: digest([bundle, part]) for part in PARTS}


def counted(female: int, male: int, n: int = 4000) -> dict[str, Any]:
    groups = [{"group": "F", "n": n, "selected": female}, {"group": "M", "n": n, "selected": male}]
    return {"v": 1, "rows": 2 * n, "unscored": 0, "attributes": [{"attribute": "gender", "groups": groups}]}


def complete_case(**changes: Any) -> Case:
    """Everything the rules ask, given: the story's v2 just before production."""
    parts = parts_of("v2")
    document = rules_read()
    rules = document.rules("critical", "prod")
    evidence = tuple(
        EvidenceFact(kind, kind, digest(result), parts, ago(hours=30), "system", "qa", result)
        for kind, result in (
            ("fairness", counted(1180, 1200)),
            ("explainability", {"features": [{"feature": "tenure", "importance": 2.0, "share": 1.0}]}),
            (
                "tests",
                {
                    "listed": ["TEST_A", "TEST_SMOKE", "OTHER"],
                    "runs": [{"scenario": "TEST_A", "outcome": "SUCCESS"}],
                },
            ),
        )
    )
    documents = (
        DocumentFact("d1", "model-documentation", digest("doc"), parts, ago(hours=29), "dev", SECTIONS),
        DocumentFact("d2", "intended-use", digest("use"), parts, ago(hours=29), "dev"),
    )
    signers = {"fairness": "fay", "explainability": "eli", "model-risk": "ravi"}
    signoffs = tuple(
        SignOffFact(
            f"s-{clause.params['role']}",
            signers[clause.params["role"]],
            clause.params["role"],
            APPROVE,
            ago(hours=1),
            "CHURN",
            "prod",
            parts,
            clause.digest,
            tuple(fact.digest for fact in evidence),
            tuple(fact.digest for fact in documents),
        )
        for clause in rules.requirements
        if clause.kind == "sign_off"
    )
    case = Case(
        project="CHURN",
        stage="prod",
        bundle="v2",
        archive=digest("archive"),
        parts=parts,
        tier="critical",
        policy=PolicyRef("story", 1, document.digest),
        requirements=rules.requirements,
        automation=rules.automation,
        evidence=evidence,
        documents=documents,
        signoffs=signoffs,
        running=(RunningFact("qa", ago(hours=30), None, parts),),
        barred=(Barred("dev", "requester"), Barred("dev", "bundle_author")),
        holders=(*(Holder(role, person) for role, person in signers.items()), Holder("right:request", "dev")),
        at=instant(NOW),
    )
    return replace(case, **changes)


def bare_case() -> Case:
    return complete_case(evidence=(), documents=(), signoffs=(), running=())


def test_everything_given_is_met() -> None:
    verdict = judge(complete_case())
    assert [(finding.key, finding.state) for finding in verdict.findings] == [
        (clause.key, "met") for clause in complete_case().requirements
    ]
    assert verdict.met
    assert verdict.missing == ()


def test_never_stops_at_the_first_no() -> None:
    verdict = judge(bare_case())
    assert not verdict.met
    assert len(verdict.missing) == len(bare_case().requirements)
    assert {finding.key: finding.code for finding in verdict.findings} == {
        "document:model-documentation": "document_missing",
        "document:intended-use": "document_missing",
        "evidence:fairness": "evidence_missing",
        "evidence:explainability": "evidence_missing",
        "tests:qa": "evidence_missing",
        "soak:qa": "soak_never",
        "sign_off:fairness": "sign_off_missing",
        "sign_off:explainability": "sign_off_missing",
        "sign_off:model-risk": "sign_off_missing",
    }


def test_a_stage_that_asks_nothing_is_met() -> None:
    verdict = judge(complete_case(requirements=()))
    assert verdict == Verdict((), None)
    assert verdict.met


def test_an_unknown_kind_cannot_be_told() -> None:
    verdict = judge(complete_case(requirements=(policy.clause("horoscope", {"sign": "leo"}),)))
    assert [(f.state, f.code) for f in verdict.findings] == [("cannot_tell", "kind_unknown")]
    assert not verdict.met


def test_holds_until_is_the_first_instant_the_clock_changes_something() -> None:
    verdict = judge(complete_case())
    assert verdict.holds_until == instant(
        NOW - timedelta(hours=30) + timedelta(days=7)
    )  # the tests grow too old
    soaking = complete_case(running=(RunningFact("qa", ago(hours=23), None, parts_of("v2")),))
    assert judge(soaking).holds_until == instant(NOW + timedelta(hours=1))


@pytest.mark.parametrize("running_for", [1, 23, 30])
def test_holds_until_is_right_on_both_sides(running_for: int) -> None:
    case = complete_case(running=(RunningFact("qa", ago(hours=running_for), None, parts_of("v2")),))
    until = judge(case).holds_until
    assert until is not None
    states = [finding.state for finding in judge(case).findings]
    before = replace(case, at=instant(parse_instant(until) - timedelta(microseconds=1)))
    assert [finding.state for finding in judge(before).findings] == states
    assert [finding.state for finding in judge(replace(case, at=until)).findings] != states


def test_the_order_of_facts_means_nothing() -> None:
    case = complete_case()
    chance = random.Random(1)

    def shuffled(facts: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(chance.sample(facts, len(facts)))

    kinds = ("evidence", "documents", "signoffs", "barred", "holders")
    facts: dict[str, Any] = {kind: shuffled(getattr(case, kind)) for kind in kinds}
    other = replace(case, parts=dict(reversed(case.parts.items())), **facts)
    assert other == case
    assert case_digest(other) == case_digest(case)


def test_cases_and_verdicts_survive_storage() -> None:
    for case in (complete_case(), bare_case(), complete_case(running=(RunningFact("qa", "a", "b", {}),))):
        stored = json.loads(canonical(case_to_json(case)))
        again = case_from_json(stored)
        assert again == case
        assert case_to_json(again) == stored
        assert digest(stored) == case_digest(case)
    for case in (complete_case(), bare_case()):
        verdict = judge(case)
        stored = json.loads(canonical(verdict_to_json(verdict)))
        assert stored["met"] is verdict.met
        assert verdict_from_json(stored) == verdict


def test_a_bar_for_good_is_stored_as_before_there_were_others() -> None:
    case = complete_case(barred=(Barred("dev", "requester"), Barred("fay", "changed_rights", instant(NOW))))
    assert case_to_json(case)["barred"] == [
        {"person": "dev", "why": "requester"},
        {"person": "fay", "why": "changed_rights", "until": instant(NOW)},
    ]
    assert case_from_json(case_to_json(case)) == case


def test_a_stored_case_gives_the_same_verdict() -> None:
    case = complete_case()
    assert judge(case_from_json(json.loads(canonical(case_to_json(case))))) == judge(case)


def test_any_change_changes_the_address() -> None:
    case = complete_case()
    changes: list[dict[str, Any]] = [
        {"at": instant(NOW + timedelta(microseconds=1))},
        {"barred": ()},
        {"parts": {**case.parts, "flow": digest("x")}},
        {"automation": "full"},
        {"signoffs": case.signoffs[1:]},
    ]
    digests = {case_digest(replace(case, **change)) for change in changes} | {case_digest(case)}
    assert len(digests) == len(changes) + 1


@pytest.mark.parametrize("broken", [{}, {"v": 2}, {"v": 1}, {"v": 1, "project": "X", "policy": {}}])
def test_another_shape_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"[Ss]hape|not a stored"):
        case_from_json(broken)
    with pytest.raises(ValueError, match=r"[Ss]hape|not a stored"):
        verdict_from_json(broken)


def test_waived_counts_as_met() -> None:
    finding = Finding("a", "tests", "waived", "tests_failed")
    assert Verdict((finding,)).met
    assert not Verdict((finding, replace(finding, state="cannot_tell"))).met


def test_instants() -> None:
    moment = datetime(2026, 11, 21, 11, 0, 0, 5, tzinfo=timezone(timedelta(hours=1)))
    assert instant(moment) == "2026-11-21T10:00:00.000005Z"
    assert parse_instant(instant(moment)) == moment
    with pytest.raises(ValueError, match="time zone"):
        instant(moment.replace(tzinfo=None))
    for wrong in ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000005+", "", "x" * 27):
        with pytest.raises(ValueError, match=r"instant|match"):
            parse_instant(wrong)
