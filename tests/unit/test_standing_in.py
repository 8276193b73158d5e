"""Words given for somebody: in whose place they count, whom they bar, and that the two never fill two places."""

from dataclasses import replace
from typing import Any

import pytest

from governance import policy
from governance.facts import Barred, Case, Holder, SignOffFact
from governance.gate import PARTS, case_digest, case_from_json, case_to_json, judge
from governance.sentences import sentence
from tests.unit.test_checks import FAIRNESS, instead, only, plus, word
from tests.unit.test_gate import ago, complete_case


def lent(case: Case, **changes: Any) -> SignOffFact:
    """Gil's word on fairness for Fay, who is away."""
    return replace(
        word(case, "fairness"), **{"id": "lent", "person": "gil", "on_behalf_of": "fay", **changes}
    )


def signed_by_gil(**changes: Any) -> Case:
    case = complete_case()
    return instead(case, lent(case, **changes))


def two(case: Case) -> Case:
    """As the case, but two people are asked for fairness, and nothing else; signatures are of that clause."""
    clause = policy.clause("sign_off", {"role": "fairness", "people": 2, "covers": list(PARTS)}, "fairness")
    facts = tuple(replace(fact, clause=clause.digest) for fact in case.signoffs if fact.role == "fairness")
    return replace(case, requirements=(clause,), signoffs=facts)


def test_it_counts_in_the_place_of_who_was_away_also_when_that_is_over() -> None:
    case = signed_by_gil()  # Gil is no holder of anything: the delegation is over
    finding = only(case, FAIRNESS)
    assert finding.state == "met"
    (given,) = finding.params["given"]
    assert (given["person"], given["on_behalf_of"]) == ("gil", "fay")
    assert "gil for fay on" in sentence(finding.code, finding.params, str)


@pytest.mark.parametrize("end", ["role", "account"])
def test_it_ends_with_the_role_of_the_one_and_the_account_of_the_other(end: str) -> None:
    case = signed_by_gil(left=end == "account")
    if end == "role":
        case = replace(case, holders=tuple(held for held in case.holders if held.person != "fay"))
    finding = only(case, FAIRNESS)
    assert finding.state == "not_met"
    assert [entry["why"] for entry in finding.params["not_counted"]] == ["role_lost"]


def test_a_role_only_lent_is_none_for_ones_own_word() -> None:
    """Gil signed for himself when he held the role; that he stands in for Fay now revives nothing."""
    case = complete_case()
    case = instead(case, replace(word(case, "fairness"), person="gil"))
    case = replace(case, holders=(*case.holders, Holder("fairness", "gil", on_behalf_of="fay")))
    finding = only(case, FAIRNESS)
    assert finding.params["not_counted"][0]["why"] == "role_lost"
    assert finding.unblock == ("fay", "gil")


@pytest.mark.parametrize("who, whom", [("fay", "fay"), ("gil", None)])
def test_who_is_barred_is_so_through_the_delegate_and_the_delegate_too(who: str, whom: str | None) -> None:
    case = replace(signed_by_gil(), barred=(Barred(who, "requester"),))
    case = replace(case, holders=(*case.holders, Holder("fairness", "hal")))
    finding = only(case, FAIRNESS)
    (entry,) = finding.params["not_counted"]
    assert (entry["why"], entry["barred"], entry.get("whom")) == ("barred", "requester", whom)
    said = sentence(finding.code, finding.params, str)
    assert ("but fay asked for this deployment" in said) == (who == "fay")


@pytest.mark.parametrize("who, whom", [("fay", "fay"), ("gil", None)])
def test_who_changed_rights_is_barred_through_the_delegate_too(who: str, whom: str | None) -> None:
    until = ago(hours=-2)
    case = replace(signed_by_gil(), barred=(Barred(who, "changed_rights", until),))
    finding = only(case, FAIRNESS)
    (entry,) = finding.params["not_counted"]
    assert (entry["barred"], entry["until"], entry.get("whom")) == ("changed_rights", until, whom)
    assert finding.holds_until == until
    case = replace(case, barred=(Barred("gil", "requester"), *case.barred))  # what lasts comes first
    assert "until" not in only(case, FAIRNESS).params["not_counted"][0]
    assert only(replace(case, barred=(), at=until), FAIRNESS).state == "met"


def test_who_brought_evidence_is_not_judged_by_their_delegate() -> None:
    case = signed_by_gil()
    facts = tuple(replace(fact, author="fay") if fact.kind == "fairness" else fact for fact in case.evidence)
    finding = only(replace(case, evidence=facts), FAIRNESS)
    assert finding.params["not_counted"][0]["barred"] == "evidence_author"


def test_who_stands_in_for_somebody_barred_is_not_asked() -> None:
    case = complete_case(signoffs=(), barred=(Barred("fay", "requester"),))
    case = replace(case, holders=(*case.holders, Holder("fairness", "gil", on_behalf_of="fay")))
    finding = only(case, FAIRNESS)
    assert (finding.unblock, finding.params["kept_out"]) == ((), [{"person": "fay", "why": "requester"}])


def test_principal_and_delegate_never_both_count() -> None:
    case = complete_case()
    both = two(plus(case, lent(case, at=ago(minutes=1))))
    both = replace(both, holders=(*both.holders, Holder("fairness", "hal")))
    finding = only(both, FAIRNESS)
    assert (finding.params["missing"], finding.unblock) == (1, ("hal",))
    assert [entry["person"] for entry in finding.params["given"]] == ["gil"]  # the latest word in Fay's place


def test_one_hand_does_not_fill_ones_own_place_and_that_of_another() -> None:
    """Gil came to hold the role himself later, and signed again."""
    case = complete_case()
    case = replace(case, holders=(*case.holders, Holder("fairness", "gil"), Holder("fairness", "hal")))
    mine = replace(word(case, "fairness"), id="own", person="gil", at=ago(minutes=1))
    finding = only(two(plus(instead(case, lent(case)), mine)), FAIRNESS)
    assert (finding.params["missing"], finding.unblock) == (1, ("hal",))
    assert [entry["signoff"] for entry in finding.params["given"]] == ["own"]
    assert [entry["why"] for entry in finding.params["not_counted"]] == ["one_place"]
    assert "the two fill one place" in sentence(finding.code, finding.params, str)


def test_a_word_for_somebody_keeps_out_nothing_that_fills_without_it() -> None:
    """Gil signed for Fay; both also signed something of their own, and fairness has another signature."""
    case = complete_case()
    case = replace(
        case,
        holders=(
            Holder("explainability", "gil"),
            Holder("model-risk", "fay"),
            Holder("fairness", "fay"),
            Holder("fairness", "hal"),
        ),
        signoffs=(
            lent(case),
            replace(word(case, "fairness"), id="hal", person="hal"),
            replace(word(case, "explainability"), person="gil"),
            replace(word(case, "model-risk"), person="fay"),
        ),
    )
    assert judge(case).met
    without_hal = replace(case, signoffs=tuple(fact for fact in case.signoffs if fact.id != "hal"))
    finding = only(without_hal, FAIRNESS)
    assert (finding.state, finding.unblock) == ("not_met", ("hal",))
    assert [entry["why"] for entry in finding.params["not_counted"]] == ["one_place"]


def test_a_delegate_is_asked_and_not_asked_again_once_the_place_is_taken() -> None:
    case = complete_case()
    held = (*case.holders, Holder("fairness", "gil", on_behalf_of="fay"))
    open_ = replace(case, holders=held, signoffs=())
    assert only(open_, FAIRNESS).unblock == ("fay", "gil")
    signed = two(replace(case, holders=(*held, Holder("fairness", "hal"))))
    assert only(signed, FAIRNESS).unblock == ("hal",)  # Fay signed herself: Gil's word would replace hers


def test_who_was_away_has_the_last_word_in_their_place() -> None:
    case = signed_by_gil()
    no = replace(word(complete_case(), "fairness"), id="no", decision="reject", at=ago(minutes=1))
    finding = only(plus(case, no), FAIRNESS)
    assert (finding.code, finding.unblock) == ("sign_off_rejected", ("fay",))
    late = lent(case, decision="reject", at=ago(minutes=1))
    finding = only(plus(complete_case(), late), FAIRNESS)
    assert (finding.code, finding.unblock) == ("sign_off_rejected", ("fay", "gil"))


def test_a_case_without_anybody_standing_in_is_written_as_before() -> None:
    case = complete_case()
    said = case_to_json(case)
    assert "on_behalf_of" not in str(said)
    assert "left" not in str([list(fact) for fact in said["signoffs"]])
    for other in (case, signed_by_gil(), signed_by_gil(left=True)):
        again = case_from_json(case_to_json(other))
        assert again == other
        assert case_digest(again) == case_digest(other)
