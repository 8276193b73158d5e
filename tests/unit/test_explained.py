"""Proxies of sensitive columns and drift against what runs: judged from a Case, said, and put down for a replay."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from governance import policy
from governance.explained import Share, changes, rank_correlation
from governance.facts import Case, Clause, Finding, LiveFact
from governance.gate import case_digest, case_from_json, case_to_json, judge
from governance.sentences import sentence, title
from governance.waivers import mark, same
from tests.unit import test_checks as checks
from tests.unit.test_gate import ago, complete_case

PROXIES = {"of": ["gender"], "max": 0.3}
DRIFT = {"top": 3, "max_share_change": 0.1}
LIVE = LiveFact("v1", "d" * 64, ago(hours=90), "shapley", (("tenure", 0.6), ("calls", 0.4)))


def asking(**params: Any) -> Clause:
    return policy.clause(
        "evidence", {"kind": "explainability", "top": 3, "forbid": ["gender"], **params}, "explainability"
    )


def result(*features: tuple[str, float], **more: Any) -> dict[str, Any]:
    rows = [{"feature": name, "importance": share, "share": share} for name, share in features]
    return {"v": 1, "method": "shapley", "features": rows, **more}


def judged_of(clause: Clause, said: dict[str, Any], live: LiveFact | None = None) -> Case:
    case = replace(complete_case(requirements=(clause,)), live=live)
    return checks.newer(case, "explainability", said)


def found(clause: Clause, said: dict[str, Any], live: LiveFact | None = None) -> Finding:
    return checks.only(judged_of(clause, said, live), "evidence:explainability")


def words(finding: Finding) -> str:
    return sentence(finding.code, finding.params, str)


def pair(feature: str, value: float, low: float, high: float, of: str = "gender") -> dict[str, Any]:
    return {
        "feature": feature,
        "of": of,
        "measure": "cramers_v",
        "value": value,
        "interval": [low, high],
        "n": 900,
    }


def with_pairs(*pairs: dict[str, Any], **more: Any) -> dict[str, Any]:
    told = {"n": 900, "rows": list(pairs), "not_counted": [], **more}
    return result(("tenure", 0.6), ("calls", 0.4), associations=told)


def explained_cases(case: Case) -> Iterator[Case]:
    """A Case for each thing that can be said of proxies and drift."""
    both = with_pairs(pair("tenure", 0.1, 0.0, 0.2), pair("calls", 0.2, 0.1, 0.25))
    yield judged_of(asking(proxies=PROXIES, drift=DRIFT), both, LIVE)
    for said in (
        with_pairs(pair("tenure", 0.8, 0.7, 0.9), pair("calls", 0.2, 0.1, 0.25)),
        with_pairs(pair("tenure", 0.31, 0.2, 0.4), pair("calls", 0.2, 0.1, 0.25)),
        with_pairs(reason="no_dataset"),
        with_pairs(not_counted=[{"feature": "tenure", "of": "gender", "reason": "no_column"}]),
    ):
        yield judged_of(asking(proxies=PROXIES), said)
    for live in (LiveFact(""), LiveFact("v1"), replace(LIVE, method="shap")):
        yield judged_of(asking(drift=DRIFT), both, live)
    yield judged_of(asking(drift=DRIFT), result(("age", 0.7), ("calls", 0.3)), LIVE)


@pytest.mark.parametrize(
    "pairs, state, code",
    [
        ((pair("tenure", 0.1, 0.0, 0.2), pair("calls", 0.2, 0.1, 0.3)), "met", "explainability_clear"),
        ((pair("tenure", 0.5, 0.31, 0.6), pair("calls", 0.2, 0.1, 0.3)), "not_met", "explainability_proxy"),
        (
            (pair("tenure", 0.25, 0.1, 0.31), pair("calls", 0.2, 0.1, 0.3)),
            "cannot_tell",
            "explainability_proxy_unclear",
        ),
        ((pair("tenure", 0.1, 0.0, 0.2),), "cannot_tell", "explainability_proxy_unclear"),
        ((pair("tenure", 0.5, 0.31, 0.6),), "not_met", "explainability_proxy"),
    ],
)
def test_a_proxy_is_found_where_the_whole_interval_is_above(
    pairs: tuple[dict[str, Any], ...], state: str, code: str
) -> None:
    finding = found(asking(proxies=PROXIES), with_pairs(*pairs))
    assert (finding.state, finding.code) == (state, code)


def test_a_proxy_is_named_with_its_figure_and_rows() -> None:
    said = words(found(asking(proxies=PROXIES), with_pairs(pair("tenure", 0.5, 0.31, 0.6))))
    assert "Tenure goes with gender by 0.50 (0.31 to 0.60) in 900 rows" in said
    assert "at most 0.3 with gender passes" in said


@pytest.mark.parametrize(
    "told, why",
    [
        ({"reason": "no_dataset"}, "names no scored dataset"),
        ({"reason": "dataset_stale"}, "older than this bundle"),
        ({"not_counted": [{"feature": "tenure", "of": "gender", "reason": "one_group"}]}, "all of one group"),
        ({}, "nobody counted it"),
    ],
)
def test_what_was_not_counted_says_why(told: dict[str, Any], why: str) -> None:
    finding = found(asking(proxies=PROXIES), with_pairs(**told))
    assert finding.state == "cannot_tell"
    assert why in words(finding)


def test_a_feature_made_from_the_sensitive_column_is_its_own_proxy() -> None:
    clause = asking(proxies={"of": ["age"], "max": 1.0})
    finding = found(clause, result(("dummy:age:30", 0.9), ("nothing", 0.0)))
    assert finding.state == "met"  # at most 1 lets everything pass
    finding = found(asking(proxies={"of": ["age"], "max": 0.9}), result(("dummy:age:30", 0.9), ("no", 0.0)))
    assert finding.code == "explainability_proxy"
    assert "is made from age" in words(finding)


def test_a_forbidden_feature_goes_before_and_the_rest_is_said_too() -> None:
    said = with_pairs(pair("tenure", 0.5, 0.31, 0.6))
    said["features"].insert(0, {"feature": "gender", "importance": 9, "share": 0.5})
    finding = found(asking(proxies=PROXIES), said)
    assert finding.code == "explainability_forbidden"
    assert "tenure goes with gender" in words(finding)


# --- drift ---


@pytest.mark.parametrize(
    "features, live, drift, state, reason",
    [
        ((("tenure", 0.6), ("calls", 0.4)), LIVE, DRIFT, "met", ""),
        ((("tenure", 0.7), ("calls", 0.3)), LIVE, {"top": 3, "max_share_change": 0.11}, "met", ""),
        ((("tenure", 0.75), ("calls", 0.25)), LIVE, DRIFT, "not_met", ""),
        ((("age", 0.05), ("tenure", 0.6), ("calls", 0.35)), LIVE, DRIFT, "met", ""),
        ((("age", 1.0),), LIVE, DRIFT, "not_met", ""),
        ((("calls", 0.51), ("tenure", 0.49)), LIVE, {"top": 3, "min_rank_correlation": 0.0}, "not_met", ""),
        ((("age", 1.0),), LiveFact(""), DRIFT, "met", "first"),
        ((("tenure", 1.0),), LiveFact("v1"), DRIFT, "cannot_tell", "no_evidence"),
        ((("tenure", 1.0),), replace(LIVE, method="shap"), DRIFT, "cannot_tell", "other_method"),
        ((("tenure", 1.0),), None, DRIFT, "cannot_tell", "not_recorded"),
    ],
)
def test_drift(
    features: tuple[tuple[str, float], ...],
    live: LiveFact | None,
    drift: dict[str, Any],
    state: str,
    reason: str,
) -> None:
    finding = found(asking(drift=drift), result(*features), live)
    assert (finding.state, finding.params["drift"]["reason"]) == (state, reason)
    assert words(finding)


def test_drift_names_what_moved_most_and_the_bundle_that_runs() -> None:
    finding = found(asking(drift=DRIFT), result(("age", 0.7), ("tenure", 0.3)), LIVE)
    said = words(finding)
    assert "Against v1, which runs there, age moved most: from none to 70.00 % (number 1)" in said
    assert finding.code == "explainability_drifted"


def test_what_was_not_written_down_is_its_own_code() -> None:
    assert found(asking(drift=DRIFT), result(("tenure", 1.0)), None).code == "not_recorded"


def test_rank_correlation_is_spearmans() -> None:
    here = [Share(name, 1.0) for name in "abcde"]
    assert rank_correlation(changes(here, here, 5)) == 1
    assert rank_correlation(changes(here, here[::-1], 5)) == -1
    swapped = [Share(name, 1.0) for name in "bacde"]
    assert rank_correlation(changes(here, swapped, 5)) == pytest.approx(0.9)
    assert rank_correlation(changes(here[:1], here[:1], 5)) == 1
    none_alike = rank_correlation(changes(here[:3], [Share(name, 1.0) for name in "xyz"], 3))
    assert none_alike < -0.8


# --- cases ---


def test_a_case_keeps_what_ran_and_reads_it_back() -> None:
    case = judged_of(asking(drift=DRIFT), result(("tenure", 1.0)), LIVE)
    again = case_from_json(case_to_json(case))
    assert again == case
    assert case_digest(again) == case_digest(case)
    assert judge(again) == judge(case)


def test_a_case_that_was_not_asked_about_it_is_as_it_was() -> None:
    case = complete_case()
    assert "live" not in case_to_json(case)
    assert case_from_json(case_to_json(case)).live is None


@pytest.mark.parametrize("live", [7, [], {"bundle": "v1", "features": [["a"]]}, {"features": []}])
def test_a_case_with_odd_facts_of_what_ran_is_refused(live: Any) -> None:
    odd = {**case_to_json(complete_case()), "live": live}
    with pytest.raises(ValueError, match="not a stored case"):
        case_from_json(odd)


@pytest.mark.parametrize("told", [{"associations": 7}, {"associations": {"rows": [{"feature": "tenure"}]}}])
def test_evidence_that_cannot_be_read_is_a_doubt(told: dict[str, Any]) -> None:
    finding = found(asking(proxies=PROXIES), result(("tenure", 1.0), **told))
    assert (finding.state, finding.code) == ("cannot_tell", "evidence_unreadable")


def test_newer_evidence_with_another_proxy_asks_again() -> None:
    clause = asking(proxies=PROXIES)
    signed = policy.clause(
        "sign_off", {"role": "explainability", "people": 1, "covers": ["models", "other"]}, "explainability"
    )
    case = checks.newer(
        complete_case(requirements=(clause, signed)),
        "explainability",
        with_pairs(pair("tenure", 0.1, 0.0, 0.2), pair("calls", 0.1, 0.0, 0.2)),
    )
    word = replace(
        next(one for one in case.signoffs if one.role == "explainability"),
        clause=signed.digest,
        covered={part: case.parts[part] for part in ("models", "other")},
        evidence=(case.evidence[-1].digest,),
        documents=(),
        at=ago(minutes=4),
    )
    case = replace(case, signoffs=(word,))
    assert checks.only(case, "sign_off:explainability").state == "met"

    def then(said: dict[str, Any]) -> Case:
        return replace(checks.newer(case, "explainability", said, at=ago(minutes=1), id="newest"))

    same = then(with_pairs(pair("tenure", 0.12, 0.0, 0.22), pair("calls", 0.1, 0.0, 0.2)))
    assert checks.only(same, "sign_off:explainability").state == "met"
    other = then(with_pairs(pair("tenure", 0.5, 0.4, 0.6), pair("calls", 0.1, 0.0, 0.2)))
    assert checks.only(other, "sign_off:explainability").state == "not_met"


def test_the_title_says_all_that_is_asked() -> None:
    assert title(asking(proxies=PROXIES, drift=DRIFT)) == (
        "Gender not among the three features that matter most, none of these a proxy of gender, and much the same"
        " features as in what runs"
    )


def test_a_waived_feature_is_no_word_on_a_proxy_found_later() -> None:
    clause = asking(proxies=PROXIES)
    said = with_pairs(pair("tenure", 0.1, 0.0, 0.2), pair("calls", 0.1, 0.0, 0.2))
    said["features"].insert(0, {"feature": "gender", "importance": 9, "share": 0.5})
    waived = found(clause, said)
    assert waived.code == "explainability_forbidden"
    assert same(mark(waived), mark(found(clause, said)))
    later = with_pairs(pair("tenure", 0.9, 0.8, 1.0), pair("calls", 0.1, 0.0, 0.2))
    later["features"] = said["features"]
    assert found(clause, later).code == waived.code
    assert not same(mark(waived), mark(found(clause, later)))
