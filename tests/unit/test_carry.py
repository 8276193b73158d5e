"""An approval of another bundle with equal parts counts, as far as the policy carries it."""

from dataclasses import replace
from typing import Any

import pytest

from governance.checks import Code
from governance.facts import Case, Finding, SignOffFact
from governance.gate import case_from_json, case_to_json, judge
from governance.policy import parse
from governance.sentences import sentence
from portal.canonical import canonical
from tests.unit.test_gate import RULES, ago, complete_case
from tests.unit.test_policy import problems, stage


def carried(carry: str = "", *, signed: str = "", hops: int = 2, **changes: Any) -> Case:
    """v4, of which everything but the dashboards is as in v2: fairness was signed on v2, and covers models and data."""
    limit = f", carry: {carry}" if carry else ""
    text = RULES.replace("{role: fairness}", f"{{role: fairness, covers: [models, data]{limit}}}")
    clause = parse(text).rules("critical", "prod").requirements[-3]
    case = complete_case(bundle="v4", **changes)
    return replace(
        case,
        requirements=parse(text).rules("critical", "prod").requirements,
        signoffs=tuple(
            replace(fact, clause=clause.digest, bundle="v2", carried=hops, at=signed or fact.at)
            if fact.role == "fairness"
            else fact
            for fact in case.signoffs
        ),
    )


def found(case: Case) -> Finding:
    return next(one for one in judge(case).findings if one.key == "sign_off:fairness")


def said(case: Case) -> str:
    finding = found(case)
    return sentence(finding.code, finding.params, str.capitalize)


def test_it_is_carried_and_says_from_where_and_why() -> None:
    case = carried()
    assert judge(case).met
    assert said(case) == (
        "Carried from bundle v2, signed by Fay on 21 November 2026, 09:00 UTC; unchanged: data and models."
    )


def test_signatures_here_and_carried_ones_are_told_apart() -> None:
    case = carried()
    first = next(fact for fact in case.signoffs if fact.role == "fairness")
    both = replace(first, id="s-two", person="fred", bundle="", carried=0)
    text = RULES.replace("{role: fairness}", "{role: fairness, people: 2, covers: [models, data]}")
    rules = parse(text).rules("critical", "prod").requirements
    fairness = [
        replace(fact, clause=rules[-3].digest) for fact in (*case.signoffs, both) if fact.role == "fairness"
    ]
    others = [fact for fact in case.signoffs if fact.role != "fairness"]
    holder = replace(case.holders[0], role="fairness", person="fred")
    both_signed = replace(
        case, requirements=rules, signoffs=(*fairness, *others), holders=(*case.holders, holder)
    )
    text = said(both_signed)
    assert text.startswith("Signed by Fred on ")
    assert "Carried from bundle v2, signed by Fay on " in text


@pytest.mark.parametrize(
    ("carry", "hops", "counts", "told"),
    [
        ("never", 1, False, "Fay signed bundle v2; the policy asks for each bundle anew."),
        ("{hops: 2}", 2, True, ""),
        ("{hops: 2}", 3, False, "Fay signed bundle v2, and that counts for the next 2 bundles only."),
        ("{hops: 1}", 2, False, "Fay signed bundle v2, and that counts for the next 1 bundle only."),
        ("{max_age: 2h}", 9, True, ""),
        (
            "{max_age: 30m}",
            1,
            False,
            "Fay signed bundle v2, and that counts for other bundles for 30 minutes only.",
        ),
        ("{max_age: 2h, hops: 1}", 2, False, "for the next 1 bundle only."),
    ],
)
def test_a_policy_forbids_or_limits_it(carry: str, hops: int, counts: bool, told: str) -> None:
    case = carried(carry, hops=hops)
    assert (found(case).state == "met") == counts
    if not counts:
        assert found(case).code == Code.SIGN_OFF_MISSING
        assert told in said(case)
        assert "fay" in found(case).unblock, "who signed the other bundle may sign this one"


def test_what_is_signed_on_the_bundle_itself_is_carried_from_nowhere() -> None:
    case = carried("never")
    here = replace(case, signoffs=tuple(replace(fact, bundle="", carried=0) for fact in case.signoffs))
    assert judge(here).met


def test_the_verdict_holds_until_the_age_is_reached() -> None:
    case = carried("{max_age: 2h}", signed=ago(minutes=90))
    assert found(case).holds_until == ago(minutes=-30)
    later = replace(case, at=ago(minutes=-30))
    assert found(later).state == "not_met"
    assert found(replace(case, at=ago(minutes=-29))).state == "met"


def test_a_limit_is_part_of_what_is_signed_and_no_limit_changes_nothing() -> None:
    def digest(carry: str) -> str:
        return (
            parse(stage(f"sign_off: {{role: fairness{carry}}}"))
            .tiers["light"]
            .stages["prod"]
            .requirements[0]
            .digest
        )

    every = [digest(one) for one in ("", ", carry: never", ", carry: {hops: 1}", ", carry: {hops: 2}")]
    assert len(set(every)) == 4
    assert digest(", carry: {max_age: 1d}") == digest(", carry: {max_age: 24h}")
    plain = parse(stage("sign_off: {role: fairness}")).tiers["light"].stages["prod"].requirements[0]
    assert "carry" not in plain.params


@pytest.mark.parametrize("wrong", ["sometimes", "{}", "{hops: 0}", "{age: 3d}", "{max_age: soon}", "3"])
def test_other_limits_are_refused_with_their_place(wrong: str) -> None:
    (problem, *_more) = problems(stage(f"sign_off: {{role: fairness, carry: {wrong}}}"))
    assert problem.line == 7
    assert "carry" in problem.path
    assert problem.remedy


def test_a_case_keeps_it_and_says_nothing_where_nothing_is_carried() -> None:
    case = carried("{hops: 3}")
    assert case_from_json(case_to_json(case)) == case
    assert b'"carried"' not in canonical(case_to_json(complete_case()))


# --- an approval with another page does not hide the one before it ----------------------------------------------------


def twice(
    later: str = "approve", *, withdrawn: bool = False, documents: tuple[str, ...] = ("another text",)
) -> Case:
    """Fay approved this, and after it equal parts with another document; of that one, what she said."""
    case = carried()
    first = next(fact for fact in case.signoffs if fact.role == "fairness")
    second = replace(
        first,
        id="s-later",
        at=ago(minutes=10),
        bundle="v3",
        decision=later,
        withdrawn=withdrawn,
        documents=documents or first.documents,
    )
    return replace(case, signoffs=(*case.signoffs, second))


def test_an_approval_of_equal_parts_with_another_document_leaves_the_older_as_it_was() -> None:
    assert found(twice()).state == "met"
    assert "Carried from bundle v2" in said(twice())


@pytest.mark.parametrize("decision", ["reject", "request_changes"])
def test_a_later_no_to_equal_parts_blocks_whatever_was_on_its_page(decision: str) -> None:
    assert found(twice(decision)).state == "not_met"
    assert found(twice(decision)).params["against"]


def test_a_later_word_that_was_withdrawn_revives_none() -> None:
    assert found(twice(withdrawn=True)).state == "not_met"
    assert [entry["why"] for entry in found(twice(withdrawn=True)).params["not_counted"]] == ["withdrawn"]


def test_a_no_in_between_that_was_not_taken_back_ends_what_was_before() -> None:
    case = twice()
    no = replace(
        case.signoffs[-1], id="s-no", at=ago(minutes=30), decision="reject", documents=("a third text",)
    )
    between = replace(case, signoffs=(*case.signoffs, no))
    assert found(between).code == Code.SIGN_OFF_REJECTED


def test_who_signed_this_very_bundle_need_not_do_so_again_after_another() -> None:
    case = carried("never")
    first = next(fact for fact in case.signoffs if fact.role == "fairness")
    here = replace(first, id="s-here", bundle="", carried=0, at=ago(hours=3))
    assert found(case).state == "not_met"
    assert found(replace(case, signoffs=(*case.signoffs, here))).state == "met"


def word_of(case: Case, id: str, **changes: Any) -> SignOffFact:
    first = next(fact for fact in case.signoffs if fact.role == "fairness")
    return replace(first, **{"id": id, "bundle": "", "carried": 0, **changes})


@pytest.mark.parametrize("carry", ["never", "{hops: 1}", "{max_age: 1m}", ""])
def test_a_no_to_this_bundle_stands_whatever_its_signer_approves_elsewhere(carry: str) -> None:
    case = carried(carry)
    documents = () if carry else ("another text",)
    no = word_of(case, "s-no", decision="reject", at=ago(minutes=50))
    elsewhere = word_of(case, "s-yes", bundle="v5", carried=5, at=ago(minutes=40))
    elsewhere = replace(elsewhere, documents=documents or elsewhere.documents)
    others = tuple(fact for fact in case.signoffs if fact.role != "fairness")
    assert found(replace(case, signoffs=(*others, no, elsewhere))).code == Code.SIGN_OFF_REJECTED


@pytest.mark.parametrize("ending", [{"decision": "reject"}, {"withdrawn": True}])
def test_what_was_ended_is_not_revived_by_an_approval_of_something_else(ending: dict[str, Any]) -> None:
    case = carried()
    ended = word_of(case, "s-end", bundle="v3", documents=("b",), at=ago(minutes=30), **ending)
    for documents in (("b",), ("c",)):
        later = word_of(case, "s-yes", bundle="v3", documents=documents, at=ago(minutes=20))
        assert found(replace(case, signoffs=(*case.signoffs, ended, later))).state == "not_met"


def test_an_approval_of_a_later_bundle_is_carried_to_none_before_it_where_that_is_limited() -> None:
    assert found(carried("{hops: 3}", hops=-1)).state == "not_met"
    assert found(carried(hops=-1)).state == "met"


# --- a review period, and conditions ----------------------------------------------------------------------------------


def aged(age: str, signed: str) -> Case:
    """Fairness was signed at that instant, and the policy says how long an approval counts."""
    text = RULES.replace("{role: fairness}", f"{{role: fairness, max_age: {age}}}")
    requirements = parse(text).rules("critical", "prod").requirements
    case = complete_case()
    return replace(
        case,
        requirements=requirements,
        signoffs=tuple(
            replace(fact, clause=requirements[-3].digest, at=signed) if fact.role == "fairness" else fact
            for fact in case.signoffs
        ),
    )


def test_an_approval_counts_as_long_as_the_review_period_and_no_longer() -> None:
    young = aged("2h", ago(hours=1, minutes=59))
    assert found(young).state == "met"
    assert found(young).holds_until == ago(minutes=-1)
    assert judge(young).holds_until == ago(minutes=-1)
    old = aged("2h", ago(hours=2))
    assert found(old).params["not_counted"][0]["why"] == "expired"
    assert "Fay signed more than 2 hours ago, which is as long as it counts." in said(old)


def test_a_no_has_no_age() -> None:
    case = aged("2h", ago(hours=3))
    no = [replace(one, decision="reject") if one.role == "fairness" else one for one in case.signoffs]
    assert found(replace(case, signoffs=tuple(no))).code == Code.SIGN_OFF_REJECTED


@pytest.mark.parametrize(
    ("due", "counts"), [(ago(minutes=-1), True), (ago(), False), (ago(minutes=1), False)]
)
def test_an_open_condition_ends_it_on_its_day(due: str, counts: bool) -> None:
    case = complete_case()
    under = [
        replace(one, decision="approve_with_conditions", due=due) if one.role == "fairness" else one
        for one in case.signoffs
    ]
    case = replace(case, signoffs=tuple(under))
    assert (found(case).state == "met") is counts
    if counts:
        assert found(case).holds_until == due
    assert case_from_json(case_to_json(case)) == case


def test_a_case_without_conditions_is_written_as_it_always_was() -> None:
    assert "due" not in canonical(case_to_json(complete_case())).decode()
