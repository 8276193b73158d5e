"""Each requirement kind, as tables: what counts, what does not, which field differs, and who can act."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from governance import checks, parity, policy
from governance.checks import Code
from governance.gate import (
    PARTS,
    Barred,
    Case,
    Clause,
    DocumentFact,
    EvidenceFact,
    Finding,
    Holder,
    RunningFact,
    SignOffFact,
    instant,
    judge,
)
from governance.sentences import sentence
from portal.canonical import digest
from tests.unit.test_gate import NOW, ago, complete_case, counted, parts_of
from tests.unit.test_policy import clauses

V2 = parts_of("v2")


def only(case: Case, key: str) -> Finding:
    (finding,) = [finding for finding in judge(case).findings if finding.key == key]
    return finding


def with_parts(*changed: str) -> dict[str, str]:
    return {**V2, **{part: digest(["v3", part]) for part in changed}}


def word(case: Case, role: str, **changes: Any) -> SignOffFact:
    (fact,) = [fact for fact in case.signoffs if fact.role == role]
    return replace(fact, **changes)


def plus(case: Case, *facts: SignOffFact) -> Case:
    return replace(case, signoffs=(*case.signoffs, *facts))


def instead(case: Case, fact: SignOffFact) -> Case:
    return replace(case, signoffs=(*(held for held in case.signoffs if held.role != fact.role), fact))


# --- sign_off: what is bound ---

FAIRNESS = "sign_off:fairness"


@pytest.mark.parametrize("part", PARTS)
def test_a_changed_part_is_named(part: str) -> None:
    case = complete_case()
    finding = only(instead(case, word(case, "fairness", covered=with_parts(part))), FAIRNESS)
    assert (finding.state, finding.code) == ("not_met", "sign_off_asked_again")
    (entry,) = finding.params["not_counted"]
    assert entry["why"] == "differs"
    assert [(held["field"], held["part"]) for held in entry["differs"]] == [("part", part)]
    assert finding.unblock == ("fay",)


@pytest.mark.parametrize(
    "change, field",
    [
        ({"project": "FRAUD"}, "project"),
        ({"stage": "qa"}, "stage"),
        ({"clause": digest("older clause")}, "clause"),
        ({"evidence": (digest("never seen"),)}, "evidence"),
        ({"documents": (digest("never seen"),)}, "document"),
    ],
)
def test_each_bound_field_is_named(change: dict[str, Any], field: str) -> None:
    case = complete_case()
    finding = only(instead(case, word(case, "fairness", **change)), FAIRNESS)
    assert finding.code == "sign_off_asked_again"
    assert [held["field"] for held in finding.params["not_counted"][0]["differs"]] == [field]


def test_what_is_asked_again_is_compared_with_the_nearest_that_was_signed() -> None:
    case = complete_case()
    near = word(case, "fairness", id="near", covered=with_parts("models"), at=ago(days=9))
    far = word(case, "fairness", id="far", covered=with_parts("models", "flow"), at=ago(days=2))
    later = replace(near, id="later", at=ago(days=5))
    no = replace(near, id="no", decision="reject", at=ago(days=1))

    def compared(*facts: SignOffFact) -> str:
        others = tuple(held for held in case.signoffs if held.role != "fairness")
        finding = only(replace(case, signoffs=(*others, *facts)), FAIRNESS)
        (entry,) = finding.params["not_counted"]
        return str(entry["signoff"])

    assert compared(near, far) == "near"
    assert compared(near, later, far) == "later", "of two as near the newer"
    assert compared(near, far, no) == "near", "a no to something else says nothing here"
    assert compared(replace(near, withdrawn=True), far) == "far"


def test_policy_version_archive_and_bundle_are_not_bound() -> None:
    case = complete_case()
    other = replace(
        case, archive=digest("again"), bundle="v2b", policy=replace(case.policy, version=9, digest="x")
    )
    assert judge(other).met


def narrow_case(part_changed: str) -> Case:
    """Only the models are covered; one part of the bundle changed after the signature."""
    clause = policy.clause(
        "sign_off", {"role": "fairness", "people": 1, "covers": ["models", "other"]}, "fairness"
    )
    case = complete_case(requirements=(clause,))
    covered = {part: V2[part] for part in ("models", "other")}
    signed = word(case, "fairness", covered=covered, clause=clause.digest, evidence=(), documents=())
    return replace(case, parts=with_parts(part_changed), signoffs=(signed,))


def test_a_part_outside_the_scope_may_change() -> None:
    assert judge(narrow_case("presentation")).met
    assert not judge(narrow_case("models")).met
    assert not judge(narrow_case("other")).met


def test_other_is_in_every_scope_whatever_the_clause_says() -> None:
    case = narrow_case("other")
    clause = replace(case.requirements[0], params={**case.requirements[0].params, "covers": ["models"]})
    signed = replace(case.signoffs[0], covered={"models": V2["models"]})
    finding = only(replace(case, requirements=(clause,), signoffs=(signed,)), FAIRNESS)
    assert [held["part"] for held in finding.params["not_counted"][0]["differs"]] == ["other"]


def test_an_absent_part_equals_an_absent_part() -> None:
    case = complete_case()
    without = {part: value for part, value in V2.items() if part != "automation"}
    less = replace(case, parts=without, evidence=(), documents=(), requirements=case.requirements[-3:])
    signed = word(case, "fairness", covered=without, evidence=(), documents=())
    assert only(instead(less, signed), FAIRNESS).state == "met"
    assert only(instead(less, replace(signed, covered=V2)), FAIRNESS).state == "not_met"


def newer(case: Case, kind: str, result: dict[str, Any], **changes: Any) -> Case:
    fact = EvidenceFact(f"{kind}-2", kind, digest(result), V2, ago(minutes=5), "system", "qa", result)
    return replace(case, evidence=(*case.evidence, replace(fact, **changes)))


def test_newer_evidence_with_the_same_finding_voids_nothing() -> None:
    case = newer(complete_case(), "fairness", counted(1190, 1200))
    assert judge(case).met
    tests = {"listed": ["TEST_A"], "runs": [{"scenario": "TEST_A", "outcome": "SUCCESS", "run": "later"}]}
    assert judge(newer(case, "tests", tests)).met


def test_newer_evidence_with_another_finding_voids() -> None:
    case = newer(complete_case(), "fairness", counted(600, 1200))
    for role in ("fairness", "explainability", "model-risk"):
        finding = only(case, f"sign_off:{role}")
        (differs,) = finding.params["not_counted"][0]["differs"]
        assert (differs["field"], differs["kind"], differs["change"]) == ("evidence", "fairness", "finding")
        assert differs["now"] == digest(counted(600, 1200))


def test_newer_evidence_nobody_asks_for_is_compared_by_its_result() -> None:
    case = complete_case()
    case = replace(case, requirements=case.requirements[-3:])
    assert judge(newer(case, "fairness", counted(1180, 1200))).met
    assert not judge(newer(case, "fairness", counted(1190, 1200))).met


def test_evidence_that_is_no_longer_about_these_parts_voids() -> None:
    case = complete_case()
    facts = tuple(
        replace(fact, parts=with_parts("flow")) if fact.kind == "fairness" else fact for fact in case.evidence
    )
    finding = only(replace(case, evidence=facts), FAIRNESS)
    assert finding.params["not_counted"][0]["differs"][0]["change"] == "gone"


def test_a_rewritten_document_voids() -> None:
    case = complete_case()
    text = DocumentFact("d3", "intended-use", digest("new"), V2, ago(minutes=1), "dev")
    finding = only(replace(case, documents=(*case.documents, text)), FAIRNESS)
    (differs,) = finding.params["not_counted"][0]["differs"]
    assert (differs["field"], differs["kind"], differs["change"]) == ("document", "intended-use", "text")


@pytest.mark.parametrize(
    "without, field, kind",
    [
        ("fairness", "evidence", "fairness"),
        ("explainability", "evidence", "explainability"),
        ("intended-use", "document", "intended-use"),
        ("model-documentation", "document", "model-documentation"),
    ],
)
def test_what_was_added_after_a_signature_voids_it(without: str, field: str, kind: str) -> None:
    case = complete_case()
    seen = {held.digest for held in case.evidence if held.kind != without}
    seen |= {held.digest for held in case.documents if held.kind != without}
    given = word(case, "fairness")
    blind = replace(
        given,
        evidence=tuple(one for one in given.evidence if one in seen),
        documents=tuple(one for one in given.documents if one in seen),
    )
    finding = only(instead(case, blind), FAIRNESS)
    assert (finding.code, finding.unblock) == ("sign_off_asked_again", ("fay",))
    (differs,) = finding.params["not_counted"][0]["differs"]
    assert (differs["field"], differs["kind"], differs["change"]) == (field, kind, "not_seen")
    assert (differs["signed"], len(differs["now"])) == ("", 64)
    # Nothing to see is nothing overlooked: what is missing is missed by its own requirement.
    gone = replace(
        instead(case, blind),
        evidence=tuple(held for held in case.evidence if held.kind != without),
        documents=tuple(held for held in case.documents if held.kind != without),
    )
    assert only(gone, FAIRNESS).state == "met"


def test_tests_need_not_be_on_the_page() -> None:
    case = complete_case()
    tests = {held.digest for held in case.evidence if held.kind == "tests"}
    given = word(case, "fairness")
    assert judge(instead(case, replace(given, evidence=tuple({*given.evidence} - tests)))).met


def test_evidence_about_other_parts_than_those_signed_was_not_seen() -> None:
    case = complete_case()
    (piece,) = [held for held in case.evidence if held.kind == "fairness"]
    other = replace(piece, id="f0", digest=digest("other"), parts=with_parts("models"), at=ago(hours=40))
    given = word(case, "fairness")
    elsewhere = tuple(other.digest if one == piece.digest else one for one in given.evidence)
    shown = replace(instead(case, replace(given, evidence=elsewhere)), evidence=(*case.evidence, other))
    (differs,) = only(shown, FAIRNESS).params["not_counted"][0]["differs"]
    assert (differs["kind"], differs["change"]) == ("fairness", "not_seen")


def test_a_no_needs_no_evidence() -> None:
    case = complete_case()
    no = word(case, "fairness", decision="reject", evidence=(), documents=())
    assert only(instead(case, no), FAIRNESS).code == "sign_off_rejected"


def test_a_missing_signature_says_what_has_to_be_there_first() -> None:
    case = complete_case(signoffs=(), documents=())
    case = replace(case, evidence=tuple(held for held in case.evidence if held.kind != "fairness"))
    finding = only(case, FAIRNESS)
    assert (finding.code, finding.unblock) == ("sign_off_missing", ("fay",))  # she may ask for changes
    assert finding.params["not_there"] == [
        {"field": "document", "kind": "model-documentation"},
        {"field": "document", "kind": "intended-use"},
        {"field": "evidence", "kind": "fairness"},
    ]
    assert "not_there" not in only(complete_case(signoffs=()), FAIRNESS).params


# --- sign_off: who counts ---


def test_the_requester_who_holds_the_role_does_not_count() -> None:
    case = complete_case(barred=(Barred("fay", "requester"),))
    finding = only(case, FAIRNESS)
    assert (finding.code, finding.unblock) == ("sign_off_nobody", ())
    assert finding.params["not_counted"][0]["barred"] == "requester"
    assert finding.params["kept_out"] == [{"person": "fay", "why": "requester"}]


@pytest.mark.parametrize("why", ["changed_rights", "changed_policy"])
def test_who_changed_rights_lately_counts_again_when_that_is_over(why: str) -> None:
    until = instant(NOW + timedelta(hours=2))
    case = complete_case(barred=(Barred("fay", why, until),))
    finding = only(case, FAIRNESS)
    assert (finding.code, finding.holds_until) == ("sign_off_nobody", until)
    (entry,) = finding.params["not_counted"]
    assert (entry["why"], entry["barred"], entry["until"]) == ("barred", why, until)
    assert finding.params["kept_out"] == [{"person": "fay", "why": why, "until": until}]
    # The places are filled together, so the others' findings may change then as well.
    assert only(case, "sign_off:explainability").holds_until == until
    later = only(replace(case, at=until), FAIRNESS)
    assert (later.state, later.holds_until) == ("met", None)


def test_of_several_bars_what_lasts_is_told_and_else_what_ends_last() -> None:
    soon, late = (instant(NOW + timedelta(hours=hours)) for hours in (1, 2))
    bars = (Barred("fay", "changed_policy", soon), Barred("fay", "changed_rights", late))
    entry = only(complete_case(barred=bars), FAIRNESS).params["not_counted"][0]
    assert (entry["barred"], entry["until"]) == ("changed_rights", late)
    entry = only(complete_case(barred=(*bars, Barred("fay", "requester"))), FAIRNESS).params["not_counted"][0]
    assert (entry["barred"], "until" in entry) == ("requester", False)
    first = complete_case(barred=bars)
    assert only(first, FAIRNESS).holds_until == soon
    assert only(replace(first, at=soon), FAIRNESS).params["not_counted"][0]["until"] == late


def test_a_bar_of_somebody_without_a_role_is_nothing_to_wait_for() -> None:
    case = complete_case(barred=(Barred("ada", "changed_rights", instant(NOW + timedelta(hours=2))),))
    assert only(case, FAIRNESS).holds_until is None
    assert judge(case).met


def test_changing_rights_takes_back_an_approval_never_a_no() -> None:
    case = complete_case(barred=(Barred("fay", "changed_rights", instant(NOW + timedelta(hours=2))),))
    case = instead(case, word(case, "fairness", decision="reject"))
    assert only(case, FAIRNESS).code == "sign_off_rejected"


def test_a_barred_holder_is_not_asked() -> None:
    case = complete_case(signoffs=(), barred=(Barred("fay", "bundle_author"),))
    case = replace(case, holders=(*case.holders, Holder("fairness", "gil")))
    assert only(case, FAIRNESS).unblock == ("gil",)


def test_who_brought_evidence_does_not_judge_it() -> None:
    case = complete_case()
    facts = tuple(replace(fact, author="fay") if fact.kind == "fairness" else fact for fact in case.evidence)
    finding = only(replace(case, evidence=facts), FAIRNESS)
    assert finding.params["not_counted"][0]["barred"] == "evidence_author"
    assert finding.code == "sign_off_nobody"
    assert only(replace(case, evidence=facts), "sign_off:explainability").state == "met"


def test_without_the_role_now_it_does_not_count() -> None:
    case = complete_case(holders=(Holder("explainability", "eli"), Holder("fairness", "gil")))
    finding = only(case, FAIRNESS)
    assert finding.params["not_counted"][0]["why"] == "role_lost"
    assert finding.unblock == ("gil",)


def test_a_grant_that_ends_is_told_and_ends() -> None:
    case = complete_case()
    until = instant(NOW + timedelta(hours=2))
    case = replace(
        case, holders=(*(h for h in case.holders if h.person != "fay"), Holder("fairness", "fay", until))
    )
    assert only(case, FAIRNESS).state == "met"
    assert only(case, FAIRNESS).holds_until == until
    later = only(replace(case, at=until), FAIRNESS)
    assert (later.code, later.holds_until) == ("sign_off_nobody", None)


def test_withdrawn_does_not_count_and_revives_nothing() -> None:
    case = complete_case()
    again = word(case, "fairness", id="s2", at=ago(minutes=1), withdrawn=True)
    finding = only(plus(case, again), FAIRNESS)
    assert finding.code == "sign_off_missing"
    assert [entry["why"] for entry in finding.params["not_counted"]] == ["withdrawn"]
    assert finding.unblock == ("fay",)


@pytest.mark.parametrize(
    "decision, code", [("reject", "sign_off_rejected"), ("request_changes", "sign_off_changes_requested")]
)
def test_a_latest_no_blocks_with_its_own_code(decision: str, code: str) -> None:
    case = complete_case()
    case = replace(case, holders=(*case.holders, Holder("fairness", "gil")))
    no = word(case, "fairness", id="s2", person="gil", at=ago(minutes=1), decision=decision)
    finding = only(plus(case, no), FAIRNESS)  # Fay's approval would fill the place, and does not help
    assert (finding.state, finding.code, finding.unblock) == ("not_met", code, ("gil",))
    assert finding.params["missing"] == 0
    taken_back = replace(no, id="s3", at=ago(seconds=1), decision="approve")
    assert only(plus(case, no, taken_back), FAIRNESS).state == "met"
    assert only(plus(case, replace(no, withdrawn=True)), FAIRNESS).state == "met"


def test_a_no_outlives_newer_evidence() -> None:
    case = complete_case()
    no = word(case, "fairness", id="s2", at=ago(minutes=9), decision="reject")
    assert only(newer(plus(case, no), "fairness", counted(600, 1200)), FAIRNESS).code == "sign_off_rejected"


def test_a_word_about_other_parts_replaces_nothing() -> None:
    case = complete_case()
    for decision in ("reject", "approve"):
        later = word(
            case, "fairness", id="s2", at=ago(minutes=1), covered=with_parts("flow"), decision=decision
        )
        assert only(plus(case, later), FAIRNESS).state == "met"


def test_a_no_of_somebody_barred_or_about_something_else_blocks_nothing() -> None:
    case = complete_case()
    no = word(case, "fairness", id="s2", person="dev", at=ago(minutes=1), decision="reject")
    case = replace(case, holders=(*case.holders, Holder("fairness", "dev"), Holder("fairness", "gil")))
    assert only(plus(case, no), FAIRNESS).state == "met"
    about_v3 = replace(no, person="gil", covered=with_parts("models"))
    assert only(plus(case, about_v3), FAIRNESS).state == "met"


def test_a_condition_is_told() -> None:
    case = complete_case()
    finding = only(instead(case, word(case, "fairness", decision="approve_with_conditions")), FAIRNESS)
    assert finding.state == "met"
    assert finding.params["given"][0]["conditions"] is True


# --- sign_off: places ---


def test_one_person_never_fills_two_roles() -> None:
    case = complete_case()
    roles = ("fairness", "explainability", "model-risk")
    mine = tuple(word(case, role, person="ravi", id=f"r-{role}") for role in roles)
    holders = (
        *(Holder(role, "ravi") for role in roles),
        Holder("fairness", "fay"),
        Holder("explainability", "eli"),
    )
    case = replace(case, signoffs=mine, holders=holders)
    assert only(case, "sign_off:model-risk").state == "met"  # nobody else could sign it
    for role, person in (("fairness", "fay"), ("explainability", "eli")):
        finding = only(case, f"sign_off:{role}")
        assert (finding.state, finding.unblock) == ("not_met", (person,))
        assert finding.params["not_counted"][0]["why"] == "counts_elsewhere"
        assert finding.params["not_counted"][0]["elsewhere"] == "model-risk"


def test_a_person_in_two_places_does_not_block_what_others_complete() -> None:
    case = complete_case()
    case = replace(case, holders=(*case.holders, Holder("model-risk", "fay")))
    assert judge(plus(case, word(case, "model-risk", id="f2", person="fay", at=ago(minutes=2)))).met


def test_a_swap_is_proposed_where_nobody_alone_helps() -> None:
    case = complete_case()
    holders = (Holder("fairness", "fay"), Holder("model-risk", "fay"), Holder("fairness", "gil"))
    case = replace(case, signoffs=(word(case, "fairness"),), holders=holders)
    finding = only(case, "sign_off:model-risk")
    assert finding.unblock == ("fay",)
    assert finding.params["swaps"] == [{"person": "fay", "role": "fairness", "instead": "gil"}]


def test_nobody_left_is_said() -> None:
    case = complete_case(signoffs=(), holders=())
    finding = only(case, FAIRNESS)
    assert (finding.code, finding.unblock, finding.params["kept_out"]) == ("sign_off_nobody", (), [])


def test_two_people_are_two_people() -> None:
    case = complete_case()
    clause = policy.clause("sign_off", {"role": "fairness", "people": 2, "covers": list(PARTS)}, "fairness")
    first = word(case, "fairness", clause=clause.digest)
    case = replace(
        case,
        requirements=(clause,),
        holders=(Holder("fairness", "fay"), Holder("fairness", "gil")),
        signoffs=(first,),
    )
    finding = only(plus(case, replace(first, id="again", at=ago(minutes=1))), FAIRNESS)
    assert (finding.code, finding.params["missing"], finding.unblock) == ("sign_off_missing", 1, ("gil",))
    assert only(plus(case, replace(first, id="g", person="gil")), FAIRNESS).state == "met"


def test_more_signers_asked_than_there_are_people_is_said_before_they_all_signed() -> None:
    clause = policy.clause("sign_off", {"role": "fairness", "people": 5, "covers": list(PARTS)}, "fairness")
    case = complete_case()
    first = word(case, "fairness", clause=clause.digest)
    case = replace(
        case,
        requirements=(clause,),
        holders=tuple(Holder("fairness", one) for one in ("fay", "gil", "ida")),
        signoffs=(first,),
    )
    finding = only(case, FAIRNESS)
    assert (finding.state, finding.params["short"], finding.unblock) == ("not_met", 2, ("gil", "ida"))
    said = sentence(finding.code, finding.params, str.capitalize)
    assert (
        "Only three people can sign it, which is not enough: ask an admin to give the right to two more."
        in said
    )
    enough = tuple(Holder("fairness", one) for one in ("fay", "gil", "ida", "joe", "kim"))
    assert "short" not in only(replace(case, holders=enough), FAIRNESS).params


# --- document ---


@pytest.mark.parametrize(
    "headings, wanted, there",
    [
        (["2. Training data"], "data", True),
        (["Metadata"], "data", False),
        (["INTENDED   USE"], "intended_use", True),
        (["Use as intended"], "intended use", False),
        (["Données d'entraînement"], "données", True),
        ([], "data", False),
        (["data"], "", False),
    ],
)
def test_sections_by_whole_words(headings: list[str], wanted: str, there: bool) -> None:
    assert checks.has_section(headings, wanted) is there


def model_document(**changes: Any) -> Case:
    case = complete_case()
    return replace(
        case,
        documents=tuple(
            replace(fact, **changes) if fact.kind == "model-documentation" else fact
            for fact in case.documents
        ),
    )


def test_document_findings() -> None:
    key = "document:model-documentation"
    missing = only(model_document(sections=("Purpose", "Data")), key)
    assert (missing.code, missing.params["absent"]) == (
        "document_sections_missing",
        ["performance", "limits"],
    )
    assert missing.unblock == ("dev",)
    other = only(model_document(parts=with_parts("models", "flow")), key)
    assert (other.code, other.params["changed"]) == ("document_other_parts", ["flow", "models"])
    narrow = only(model_document(parts={"models": V2["models"]}), key)
    assert narrow.state == "met"


def test_a_document_grows_old() -> None:
    clause = policy.clause(
        "document", {"kind": "intended-use", "sections": [], "max_age": 3600}, "intended-use"
    )
    case = complete_case(requirements=(clause,))
    assert only(case, clause.key).code == "document_expired"
    fresh = replace(case, documents=(replace(case.documents[-1], at=ago(minutes=10)),))
    found = only(replace(fresh, documents=(replace(fresh.documents[0], kind="intended-use"),)), clause.key)
    assert (found.state, found.holds_until) == ("met", instant(NOW + timedelta(minutes=50)))


# --- evidence: fairness ---


def fair(
    groups: dict[str, tuple[int, int]], metric: dict[str, Any] | None = None, by: str = "gender"
) -> dict[str, Any]:
    rows = [{"group": name, "n": n, "selected": hits} for name, (hits, n) in groups.items()]
    metric = metric or {"name": "demographic_parity_ratio", "by": ["gender"], "min": 0.8, "min_group": 50}
    (row,) = parity.assess({"attributes": [{"attribute": by, "groups": rows}]}, [metric])
    return row


@pytest.mark.parametrize(
    "groups, state, reason, group",
    [
        ({"F": (1180, 4000), "M": (1200, 4000)}, "met", "", "F"),
        ({"F": (600, 4000), "M": (1200, 4000)}, "not_met", "beyond", "F"),
        ({"F": (12, 60), "M": (15, 60)}, "cannot_tell", "crosses", "F"),
        ({"F": (1180, 4000), "M": (1200, 4000), "X": (9, 31)}, "cannot_tell", "small_group", "F"),
        ({"F": (600, 4000), "M": (1200, 4000), "X": (9, 31)}, "not_met", "beyond", "F"),
        ({"F": (0, 4000), "M": (1200, 4000)}, "not_met", "beyond", "F"),
        ({"F": (0, 4000), "M": (0, 4000)}, "cannot_tell", "undefined", "M"),
        ({"F": (1200, 4000)}, "met", "", None),
        ({"F": (9, 20), "M": (9, 20)}, "cannot_tell", "undefined", None),
    ],
)
def test_ratio_of_selection_rates(
    groups: dict[str, tuple[int, int]], state: str, reason: str, group: str
) -> None:
    row = fair(groups)
    assert (row["state"], row["reason"], row["group"]) == (state, reason, group)


def test_the_numbers_that_decided_are_told() -> None:
    row = fair({"F": (600, 4000), "M": (1200, 4000), "N": (1100, 4000), "X": (9, 31)})
    assert row["value"] == 0.5
    assert row["interval"][0] < 0.5 < row["interval"][1] < 0.8
    assert (row["reference"], row["n"], row["threshold"]) == ("M", 4000, {"min": 0.8})
    assert row["small"] == [{"group": "X"}]
    assert [(held["group"], held["state"]) for held in row["groups"]] == [("F", "not_met"), ("N", "met")]


def test_a_small_group_is_never_the_reference() -> None:
    assert fair({"F": (1180, 4000), "M": (1200, 4000), "X": (30, 31)})["reference"] == "M"


def test_an_attribute_nobody_counted_cannot_be_told() -> None:
    assert fair({"F": (1, 2)}, by="age")["reason"] == "not_counted"


def test_differences() -> None:
    metric = {"name": "demographic_parity_difference", "by": ["gender"], "max": 0.1, "min_group": 50}
    assert fair({"F": (1180, 4000), "M": (1200, 4000)}, metric)["state"] == "met"
    assert fair({"F": (600, 4000), "M": (1200, 4000)}, metric)["state"] == "not_met"
    assert fair({"F": (20, 100), "M": (30, 100)}, metric)["reason"] == "crosses"


def labelled(tpr: tuple[int, int], fpr: tuple[int, int], name: str) -> dict[str, Any]:
    rows = [
        {
            "group": group,
            "n": 4000,
            "selected": tpr[i] + fpr[i],
            "positives": 2000,
            "true_positives": tpr[i],
            "negatives": 2000,
            "false_positives": fpr[i],
        }
        for i, group in enumerate("FM")
    ]
    metric = {"name": name, "by": ["gender"], "max": 0.1, "min_group": 50}
    (row,) = parity.assess({"attributes": [{"attribute": "gender", "groups": rows}]}, [metric])
    return row


def test_metrics_by_label() -> None:
    even, uneven = (1500, 1500), (1000, 1500)
    assert labelled(even, uneven, "equal_opportunity_difference")["state"] == "met"
    assert labelled(uneven, even, "equal_opportunity_difference")["state"] == "not_met"
    assert labelled(even, uneven, "equalized_odds_difference")["state"] == "not_met"
    assert labelled(even, even, "equalized_odds_difference")["state"] == "met"
    assert labelled(even, uneven, "predictive_parity_difference")["state"] == "cannot_tell"
    assert labelled((1900, 900), (100, 900), "predictive_parity_difference")["state"] == "not_met"


def test_a_metric_by_label_without_label_was_not_counted() -> None:
    metric = {"name": "equal_opportunity_difference", "by": ["gender"], "max": 0.1, "min_group": 50}
    assert fair({"F": (1, 100), "M": (1, 100)}, metric)["reason"] == "no_label"


def evidence_case(result: dict[str, Any], **changes: Any) -> Finding:
    return only(newer(complete_case(), "fairness", result, **changes), "evidence:fairness")


def test_fairness_findings() -> None:
    assert evidence_case(counted(600, 1200)).code == "fairness_violated"
    assert evidence_case(counted(12, 15, 60)).code == "fairness_unclear"
    uncounted = evidence_case({**counted(1, 2), "attributes": []})
    assert (uncounted.state, uncounted.code, uncounted.unblock) == (
        "cannot_tell",
        "fairness_not_counted",
        ("dev",),
    )
    held = evidence_case(counted(1200, 1200))
    assert (held.state, held.code, held.unblock) == ("met", "fairness_holds", ())
    assert held.holds_until == instant(NOW - timedelta(minutes=5) + timedelta(days=90))


@pytest.mark.parametrize(
    "broken", [{}, {"rows": 1}, {"attributes": 3, "rows": 2}, {"attributes": [{}], "rows": 2}]
)
def test_a_result_that_cannot_be_read_is_a_doubt(broken: dict[str, Any]) -> None:
    finding = evidence_case(broken)
    assert (finding.state, finding.code) == ("cannot_tell", "evidence_unreadable")


def test_a_policy_can_take_only_what_was_counted_from_dss() -> None:
    case = complete_case()
    asked = next(one for one in case.requirements if one.key == "evidence:fairness")
    held = replace(
        case, requirements=(policy.clause("evidence", {**asked.params, "from": "dss"}, "fairness"),)
    )
    assert only(held, "evidence:fairness").state == "met"
    (fact,) = (fact for fact in case.evidence if fact.kind == "fairness")
    mine = replace(fact, id="mine", at=ago(minutes=1), author="dev")
    finding = only(replace(held, evidence=(*case.evidence, mine)), "evidence:fairness")
    assert (finding.state, finding.code, finding.params["id"]) == ("not_met", "evidence_brought", "mine")
    assert finding.unblock
    again = replace(fact, id="again", at=ago(seconds=1))
    assert only(replace(held, evidence=(*case.evidence, mine, again)), "evidence:fairness").state == "met"
    assert only(replace(case, evidence=(*case.evidence, mine)), "evidence:fairness").state == "met"


def test_evidence_about_other_parts_or_too_old() -> None:
    other = evidence_case(counted(600, 1200), parts=with_parts("models"))
    assert other.code == "fairness_holds"  # the older one is still the newest about these parts
    case = complete_case()
    moved = tuple(replace(fact, parts=with_parts("models")) for fact in case.evidence)
    finding = only(replace(case, evidence=moved), "evidence:fairness")
    assert (finding.code, finding.params["changed"]) == ("evidence_other_parts", ["models"])
    old = tuple(replace(fact, at=ago(days=90)) for fact in case.evidence)
    assert only(replace(case, evidence=old), "evidence:fairness").code == "evidence_expired"
    nothing = tuple(replace(fact, parts={}) for fact in case.evidence)
    assert only(replace(case, evidence=nothing), "evidence:fairness").state == "not_met"


# --- evidence: explainability ---


def explained(*features: tuple[str, float]) -> Finding:
    rows = [{"feature": name, "importance": share, "share": share} for name, share in features]
    return only(newer(complete_case(), "explainability", {"features": rows}), "evidence:explainability")


def test_explainability_findings() -> None:
    assert explained(("tenure", 0.6), ("age", 0.4)).code == "explainability_clear"
    used = explained(("tenure", 0.6), ("dummy:gender:F", 0.4))
    assert used.code == "explainability_forbidden"
    assert used.params["forbidden"] == [
        {"feature": "dummy:gender:F", "forbidden": "gender", "rank": 2, "share": 0.4}
    ]
    assert (
        explained(("a", 0.4), ("b", 0.3), ("c", 0.2), ("gender", 0.1)).state == "met"
    )  # the fourth of the top three
    assert explained(("tenure", 1.0), ("gender", 0.0)).state == "met"  # it does not matter at all
    assert (explained().state, explained().code) == ("cannot_tell", "explainability_empty")


# --- tests ---


def ran(listed: list[str], runs: list[tuple[str, str]], warning: str = "fails") -> Finding:
    clause = policy.clause(
        "tests", {"at": "qa", "pattern": "TEST_*", "warning": warning, "smoke": "TEST_SMOKE"}, "qa"
    )
    result = {"listed": listed, "runs": [{"scenario": name, "outcome": outcome} for name, outcome in runs]}
    return only(newer(complete_case(requirements=(clause,)), "tests", result), "tests:qa")


@pytest.mark.parametrize(
    "listed, runs, code",
    [
        (["TEST_A", "TEST_B"], [("TEST_A", "SUCCESS"), ("TEST_B", "SUCCESS")], Code.TESTS_PASSED),
        (["TEST_A", "TEST_B"], [("TEST_A", "SUCCESS")], Code.TESTS_NOT_RUN),
        (["TEST_A", "TEST_B"], [("TEST_A", "FAILED")], Code.TESTS_FAILED),
        (["TEST_A"], [("TEST_A", "FAILED"), ("TEST_A", "SUCCESS")], Code.TESTS_PASSED),
        (["TEST_A"], [("TEST_A", "SUCCESS"), ("TEST_A", "ABORTED")], Code.TESTS_FAILED),
        (["TEST_A"], [("TEST_A", "WARNING")], Code.TESTS_FAILED),
        (["TEST_A"], [("TEST_A", "")], Code.TESTS_NOT_RUN),
        (["TEST_A", "TEST_SMOKE"], [("TEST_A", "SUCCESS"), ("TEST_SMOKE", "FAILED")], Code.TESTS_PASSED),
        (["TEST_SMOKE"], [("TEST_SMOKE", "SUCCESS")], Code.TESTS_NONE),
        (["BUILD", "test_a"], [("BUILD", "SUCCESS")], Code.TESTS_NONE),
        ([], [], Code.TESTS_NONE),
        (["TEST_A", "BUILD"], [("TEST_A", "SUCCESS"), ("BUILD", "FAILED")], Code.TESTS_PASSED),
    ],
)
def test_test_findings(listed: list[str], runs: list[tuple[str, str]], code: Code) -> None:
    finding = ran(listed, runs)
    assert finding.code == code
    assert finding.state == ("met" if code == Code.TESTS_PASSED else "not_met")


def test_a_warning_passes_where_the_policy_says_so() -> None:
    finding = ran(["TEST_A"], [("TEST_A", "WARNING")], "passes")
    assert (finding.state, finding.params["warned"]) == ("met", ["TEST_A"])


def test_tests_of_another_stage_are_not_these() -> None:
    case = complete_case()
    moved = tuple(replace(fact, stage="prod") for fact in case.evidence)
    assert only(replace(case, evidence=moved), "tests:qa").code == "evidence_missing"


# --- soak ---


def soaked(*running: tuple[float, float | None], parts: dict[str, str] = V2) -> Finding:
    facts = tuple(
        RunningFact("qa", ago(hours=since), None if until is None else ago(hours=until), parts)
        for since, until in running
    )
    return only(complete_case(running=facts), "soak:qa")


@pytest.mark.parametrize(
    "running, code",
    [
        ([(24, None)], Code.SOAK_COMPLETE),
        ([(23.9, None)], Code.SOAK_RUNNING),
        ([(60, 30)], Code.SOAK_COMPLETE),
        ([(60, 50)], Code.SOAK_CUT_SHORT),
        ([(30, 20), (20, None)], Code.SOAK_COMPLETE),
        ([(30, 20), (19, None)], Code.SOAK_RUNNING),
        ([(30, 10), (29, 5)], Code.SOAK_COMPLETE),
        ([], Code.SOAK_NEVER),
    ],
)
def test_soak_findings(running: list[tuple[float, float | None]], code: Code) -> None:
    assert soaked(*running).code == code


def test_soak_of_other_parts_is_not_this() -> None:
    assert soaked((30, None), parts=with_parts("presentation")).code == "soak_never"
    assert soaked((30, None), parts={"models": V2["models"]}).code == "soak_never"


def test_a_running_soak_says_when_it_is_done() -> None:
    finding = soaked((20, None))
    done = instant(NOW + timedelta(hours=4))
    assert (finding.params["done_at"], finding.holds_until, finding.unblock) == (done, done, ())


# --- conventions ---


def test_every_kind_of_the_schema_has_its_check() -> None:
    assert set(checks.CHECKS) == set(policy.SCHEMA["$defs"]["requirement"]["properties"])


def test_every_metric_of_the_schema_is_compared() -> None:
    assert set(parity.METRICS) == set(policy.SCHEMA["$defs"]["metric"]["properties"]["name"]["enum"])


OTHERS = (
    'change_ticket: {pattern: "CHG[0-9]+"}',
    "external_check: {name: security-scan, max_age: 7d}",
    "project_standards: {max_severity: low}",
    "govern: {}",
    'window: {days: mon-thu, hours: "09:00-16:00", zone: Europe/Paris}',
)


@pytest.mark.parametrize("kind", sorted(checks.CHECKS))
def test_checks_are_functions_of_case_and_clause(kind: str) -> None:
    case, again = complete_case(), complete_case()
    others = (clauses(line)[0] for line in OTHERS)
    clause: Clause = next(held for held in (*case.requirements, *others) if held.kind == kind)
    found = checks.CHECKS[kind](case, clause)
    assert (found.key, found.kind) == (clause.key, clause.kind)
    assert case == again, "a check changes nothing of its case"
    assert checks.CHECKS[kind](again, clause) == found
