"""Whoever lately gave a signer a new way to sign in could have signed as them, and the gate reckons with it."""

import random
from dataclasses import replace
from typing import Any

from governance.gate import Barred, Case, Finding, Holder, case_from_json, case_to_json, judge
from governance.sentences import sentence
from tests.unit.test_gate import complete_case


def letting(case: Case, person: str, by: str, again: bool = True) -> Case:
    """The Case in which `by` had let the person in when they signed, and still has."""
    let: dict[str, Any] = {"let_in": (by,), "let_back_in": (by,) if again else ()}
    return replace(
        case,
        signoffs=tuple(replace(one, **let) if one.person == person else one for one in case.signoffs),
        holders=tuple(
            replace(one, **let) if one.person == person and not one.role.startswith("right:") else one
            for one in case.holders
        ),
    )


def of(case: Case, role: str) -> Finding:
    return next(one for one in judge(case).findings if one.key == f"sign_off:{role}")


def said(found: Finding) -> str:
    return str(sentence(found.code, found.params, str.capitalize))


def without(case: Case, person: str) -> Case:
    return replace(case, signoffs=tuple(one for one in case.signoffs if one.person != person))


def test_by_somebody_who_has_no_part_in_it_changes_nothing() -> None:
    assert judge(letting(complete_case(), "fay", "abe")).met


def test_by_whoever_asked_the_signature_does_not_count() -> None:
    for again in (True, False):
        found = of(letting(complete_case(), "fay", "dev", again), "fairness")
        assert found.state == "not_met"
        assert found.params["not_counted"][0]["whom"] == "dev"
        assert "Fay lately got a new way to sign in from Dev, who made this bundle" in said(found)


def test_and_nobody_is_told_to_ask_them() -> None:
    case = without(letting(complete_case(), "fay", "dev"), "fay")
    case = replace(case, holders=(*case.holders, Holder("fairness", "gil")))
    assert of(case, "fairness").unblock == ("gil",)
    nobody = of(replace(case, holders=tuple(one for one in case.holders if one.person != "gil")), "fairness")
    assert nobody.code == "sign_off_nobody"
    assert "Fay lately got a new way to sign in from Dev, who made this bundle" in said(nobody)


def test_a_bar_that_ends_bars_whoever_changed_something_alone() -> None:
    case = complete_case()
    barred = (*case.barred, Barred("abe", "changed_rights", "2026-11-25T00:00:00.000000Z"))
    assert judge(letting(replace(case, barred=barred), "fay", "abe")).met


def test_that_they_could_have_asked_as_another_bars_those_they_let_back_in_alone() -> None:
    """Whoever adds the people of a team lets in all of them: who asks, and who signs."""
    case = complete_case()
    for why, again, state in (
        ("let_in", True, "met"),
        ("let_back_in", False, "met"),
        ("let_back_in", True, "not_met"),
        ("token_maker", False, "met"),
        ("token_maker", True, "not_met"),
    ):
        barred = (*case.barred, Barred("abe", why))
        assert of(letting(replace(case, barred=barred), "fay", "abe", again), "fairness").state == state, why


def test_an_objection_stands() -> None:
    case = complete_case()
    words = tuple(replace(one, decision="reject") if one.person == "fay" else one for one in case.signoffs)
    assert of(letting(replace(case, signoffs=words), "fay", "dev"), "fairness").code == "sign_off_rejected"


def test_two_let_back_in_by_one_fill_one_place() -> None:
    case = letting(letting(complete_case(), "fay", "abe"), "eli", "abe")
    assert {role: of(case, role).state for role in ("fairness", "explainability", "model-risk")} == {
        "fairness": "not_met",
        "explainability": "met",  # of two at the same time the one with the lower number
        "model-risk": "met",
    }
    assert "Fay does not count beside Eli, who signed: Abe lately gave both a new way to sign in" in said(
        of(case, "fairness")
    )


def test_two_let_in_for_the_first_time_are_two() -> None:
    assert judge(letting(letting(complete_case(), "fay", "abe", again=False), "eli", "abe", again=False)).met


def test_who_let_in_another_signer_is_one_with_them() -> None:
    case = letting(complete_case(), "fay", "ravi", again=False)
    found = of(case, "model-risk")
    assert (of(case, "fairness").state, found.state) == ("met", "not_met")
    assert "they lately gave Fay a new way to sign in" in said(found)


def also(case: Case, person: str, role: str = "fairness", **let: Any) -> Case:
    """The Case in which another person with the role has signed, too, last."""
    fairness = next(one for one in case.signoffs if one.role == role)
    more = replace(fairness, id=f"z-{person}", person=person, **{"let_in": (), "let_back_in": (), **let})
    return replace(
        case,
        signoffs=(*case.signoffs, more),
        holders=(*case.holders, replace(Holder(role, person), **let)),
    )


def test_a_signature_that_is_added_takes_none_away() -> None:
    """Nor does that of who let in others for the first time, nor of somebody whom two signers let in."""
    first = letting(letting(complete_case(), "fay", "abe", again=False), "eli", "abe", again=False)
    assert judge(also(first, "abe")).met
    assert judge(also(complete_case(), "gil", let_in=("fay", "eli"))).met


def test_signing_again_takes_none_away() -> None:
    """A surplus word that fills no place stands back, whichever came first."""
    case = also(
        letting(complete_case(), "fay", "abe"), "gil", "explainability", let_in=("abe",), let_back_in=("abe",)
    )
    assert judge(case).met
    late = tuple(
        replace(one, at="2026-11-21T09:59:00.000000Z") if one.person == "fay" else one
        for one in case.signoffs
    )
    assert judge(replace(case, signoffs=late)).met


def test_a_stand_in_is_one_with_whom_they_stand_in_for() -> None:
    case = letting(complete_case(), "fay", "abe")
    words = tuple(replace(one, on_behalf_of="abe") if one.person == "ravi" else one for one in case.signoffs)
    case = replace(case, signoffs=words, holders=(*case.holders, Holder("model-risk", "abe")))
    assert sorted(of(case, role).state for role in ("fairness", "model-risk")) == ["met", "not_met"]


def test_whom_others_let_in_and_who_has_not_signed_changes_nothing() -> None:
    held = (Holder("fairness", "gil", let_in=("fay", "eli"), let_back_in=("fay", "eli")),)
    case = complete_case()
    assert judge(replace(case, holders=(*case.holders, *held))).met


def test_adding_signatures_never_closes_the_gate() -> None:
    chance = random.Random(7)
    people = ("fay", "eli", "ravi", "gil", "hal")
    for _turn in range(300):
        case = complete_case()
        for person in people[:3]:
            if chance.random() < 0.5:
                case = letting(case, person, chance.choice((*people, "abe")), chance.random() < 0.5)
        before = sum(one.state == "met" for one in judge(case).findings)
        by = (chance.choice((*people[:3], "abe")),)
        more = also(case, chance.choice(people[3:]), chance.choice(("fairness", "model-risk")), let_in=by)
        assert before <= sum(one.state == "met" for one in judge(more).findings)


def test_who_let_in_a_signer_is_not_asked_for_the_next_place() -> None:
    case = without(letting(complete_case(), "fay", "gil"), "ravi")
    case = replace(case, holders=(*case.holders, Holder("model-risk", "gil")))
    assert of(case, "model-risk").unblock == ("ravi",)
    alone = replace(case, holders=tuple(one for one in case.holders if one.person != "ravi"))
    assert "Gil does not count beside Fay, who signed" in said(of(alone, "model-risk"))


def test_the_end_of_who_let_in_whom_is_when_the_verdict_may_change() -> None:
    until = "2026-11-25T00:00:00.000000Z"
    case = without(letting(complete_case(), "fay", "dev"), "fay")
    case = replace(
        case, holders=tuple(replace(one, let_until=until if one.let_in else "") for one in case.holders)
    )
    assert of(case, "fairness").holds_until == until


def test_a_case_keeps_it_and_says_nothing_where_there_is_nothing() -> None:
    case = letting(complete_case(), "fay", "abe")
    assert case_from_json(case_to_json(case)) == case
    assert "let_in" not in str(case_to_json(complete_case()))
