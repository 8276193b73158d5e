"""Waivers: what counts, what does not, and that nothing but what was waived passes."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from governance import policy, waivers
from governance.checks import Code, check
from governance.facts import CAN_WAIVE
from governance.gate import (
    PARTS,
    Barred,
    Case,
    Finding,
    Holder,
    WaiverFact,
    case_digest,
    case_from_json,
    case_to_json,
    instant,
    judge,
    verdict_from_json,
    verdict_to_json,
)
from governance.policy import PolicyError, parse
from governance.policy_words import differences
from governance.replay import Past, replay
from governance.sentences import sentence
from portal.canonical import canonical, digest
from tests.unit import test_checks as checks
from tests.unit.test_gate import NOW, RULES, ago, complete_case, counted

FAIRNESS = "evidence:fairness"
TESTS = "tests:qa"


def names(person: str) -> str:
    return {"dev": "Dev Rao", "wim": "Wim Vogel", "ada": "Ada Stone"}.get(person, person.capitalize())


def unfair(case: Case, female: int = 600, male: int = 1200, n: int = 4000) -> Case:
    """Everything is met but fairness; Wim may waive."""
    case = checks.newer(case, "fairness", counted(female, male, n))
    return replace(case, holders=(*case.holders, Holder(CAN_WAIVE, "wim"), Holder(CAN_WAIVE, "ada")))


def found(case: Case, key: str = FAIRNESS) -> Finding:
    return checks.only(case, key)


def waived(case: Case, key: str = FAIRNESS, **changes: Any) -> WaiverFact:
    """What Dev asked and Wim granted an hour ago, for what is found in this case, until tomorrow."""
    (clause,) = [one for one in case.requirements if one.key == key]
    (finding,) = [one for one in check(case) if one.key == key]
    fact = WaiverFact(
        "1", key, "wim", ago(hours=1), instant(NOW + timedelta(days=1)), "dev", case.project, case.stage,
        dict(case.parts), clause.digest, waivers.mark(finding),
    )  # fmt: skip
    return replace(fact, **changes)


def under(case: Case, *facts: WaiverFact) -> Case:
    return replace(case, waivers=facts)


def test_what_is_waived_passes_and_keeps_what_was_found() -> None:
    case = unfair(complete_case())
    before = found(case)
    after = found(under(case, waived(case)))
    assert (before.state, before.code) == ("not_met", Code.FAIRNESS_VIOLATED)
    assert (after.state, after.code) == ("waived", Code.WAIVED)
    assert after.params["was"] == {"state": before.state, "code": before.code, "params": before.params}
    assert (after.params["person"], after.params["asked_by"]) == ("wim", "dev")
    assert after.holds_until == instant(NOW + timedelta(days=1))
    assert after.unblock == ()
    said = sentence(after.code, after.params, names)
    assert said.startswith("Wim Vogel waived it on 21 November 2026, 09:00 UTC, until 22 November 2026")
    assert "Dev Rao asked for it. What was found: By gender:" in said


def test_a_met_requirement_needs_no_waiver() -> None:
    case = complete_case()
    fact = waived(unfair(case))
    assert judge(under(case, fact)) == judge(case)


def test_a_word_of_a_person_is_never_waived() -> None:
    case = replace(complete_case(), signoffs=(), holders=(*complete_case().holders, Holder(CAN_WAIVE, "wim")))
    fact = waived(case, "sign_off:fairness")
    assert found(under(case, fact), "sign_off:fairness") == found(case, "sign_off:fairness")


OTHERWISE: dict[str, tuple[Callable[[Case, WaiverFact], Case], str, str]] = {
    "withdrawn": (
        lambda case, fact: under(case, replace(fact, withdrawn=True)),
        "withdrawn",
        "took that back",
    ),
    "expired": (lambda case, fact: under(case, replace(fact, until=case.at)), "expired", "which is over"),
    "right lost": (
        lambda case, fact: under(replace(case, holders=case.holders[:-2]), fact),
        "right_lost",
        "may not waive anything here any more",
    ),
    "right ran out": (
        lambda case, fact: under(
            replace(case, holders=(*case.holders[:-2], Holder(CAN_WAIVE, "wim", case.at))), fact
        ),
        "right_lost",
        "may not waive",
    ),
    "asked and granted by one": (
        lambda case, fact: under(case, replace(fact, asked_by="wim")),
        "barred",
        "Wim Vogel asked for the waiver",
    ),
    "asked for by the one": (
        lambda case, fact: under(case, replace(fact, asked_for="wim")),
        "barred",
        "Wim Vogel asked for the waiver",
    ),
    "could have asked": (
        lambda case, fact: under(case, replace(fact, behind=(Barred("wim", "token_maker"),))),
        "barred",
        "made a token",
    ),
    "let in by who asked": (
        lambda case, fact: under(replace(case, barred=()), replace(fact, let_in=("dev",))),
        "barred",
        "a new way to sign in from Dev Rao, who asked for the waiver",
    ),
    "requester": (
        lambda case, fact: under(replace(case, barred=(Barred("wim", "requester"),)), fact),
        "barred",
        "asked for this deployment",
    ),
    "made the bundle": (
        lambda case, fact: under(replace(case, barred=(Barred("wim", "bundle_author"),)), fact),
        "barred",
        "made this bundle",
    ),
    "let in by who made the bundle": (
        lambda case, fact: under(
            replace(case, barred=(Barred("olga", "bundle_author"),)), replace(fact, let_in=("olga",))
        ),
        "barred",
        "who made this bundle",
    ),
    "brought the evidence": (
        lambda case, fact: under(
            replace(case, evidence=tuple(replace(one, author="wim") for one in case.evidence)), fact
        ),
        "barred",
        "brought evidence for it",
    ),
    "changed the rights": (
        lambda case, fact: under(
            replace(case, barred=(Barred("wim", "changed_rights", ago(hours=-2)),)), fact
        ),
        "barred",
        "does not count until 21 November 2026, 12:00 UTC",
    ),
    "other clause": (
        lambda case, fact: under(case, replace(fact, clause=digest("older"))),
        "differs",
        "the policy now asks something else here",
    ),
    "other stage": (
        lambda case, fact: under(case, replace(fact, stage="qa")),
        "differs",
        "another project or stage",
    ),
    "worse": (
        lambda case, fact: under(checks.newer(case, "fairness", counted(300, 1200), id="z"), fact),
        "differs",
        "what was waived is not what is found now",
    ),
    "another reason": (
        lambda case, fact: under(checks.newer(case, "fairness", counted(9, 9, 20), id="z"), fact),
        "differs",
        "what was waived is not what is found now",
    ),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_does_not_count_says_why(name: str) -> None:
    case = unfair(complete_case())
    arrange, why, words = OTHERWISE[name]
    changed = arrange(case, waived(case))
    plain = found(replace(changed, waivers=()))
    finding = found(changed)
    assert (finding.state, finding.code) == (plain.state, plain.code) != ("waived", "waived")
    assert finding.params["waiver"]["why"] == why
    said = sentence(finding.code, finding.params, names)
    assert said.startswith(sentence(plain.code, plain.params, names))
    assert words in said
    assert {name: value for name, value in finding.params.items() if name != "waiver"} == plain.params


@pytest.mark.parametrize("part", PARTS)
def test_each_part_is_bound(part: str) -> None:
    case = unfair(complete_case())
    fact = waived(case, parts={**case.parts, part: digest("other")})
    finding = found(under(case, fact))
    assert finding.params["waiver"]["differs"] == [{"field": "part", "part": part}]
    assert f"the part {part} changed" in sentence(finding.code, finding.params, names)


def test_numbers_may_move_within_what_was_waived() -> None:
    case = unfair(complete_case())
    fact = waived(case)
    assert found(under(checks.newer(case, "fairness", counted(605, 1200), id="z"), fact)).state == "waived"
    assert found(under(checks.newer(case, "fairness", counted(590, 1200), id="z"), fact)).state == "waived"
    assert found(under(checks.newer(case, "fairness", counted(500, 1200), id="z"), fact)).state == "not_met"


def of_three(female: int, other: int, male: int = 1200) -> dict[str, Any]:
    result = counted(female, male)
    result["attributes"][0]["groups"].append({"group": "X", "n": 4000, "selected": other})
    return result


def test_each_group_is_waived_as_it_was() -> None:
    case = checks.newer(unfair(complete_case()), "fairness", of_three(400, 850))
    fact = waived(case)

    def then(*selected: int) -> str:
        return found(under(checks.newer(case, "fairness", of_three(*selected), id="z"), fact)).state

    assert then(405, 845) == "waived"
    # Above what the worst of them had, and far below what it had itself.
    assert then(400, 500) == "not_met"
    assert then(850, 400) == "not_met"


def test_one_more_group_in_doubt_is_another_finding() -> None:
    case = checks.newer(unfair(complete_case()), "fairness", of_three(400, 1150))
    fact = waived(case)
    doubt = checks.newer(case, "fairness", of_three(400, 970), id="z")
    assert [one["state"] for one in found(doubt).params["metrics"][0]["groups"]].count("cannot_tell") == 1
    assert found(under(doubt, fact)).state == "not_met"


def test_a_test_that_is_required_hides_no_other() -> None:
    asked = {"at": "qa", "pattern": "TEST_*", "warning": "fails", "smoke": "", "required": ["TEST_A"]}
    base = complete_case()
    clause = policy.clause("tests", asked, "qa")
    base = replace(
        base,
        requirements=tuple(clause if one.key == TESTS else one for one in base.requirements),
        holders=(*base.holders, Holder(CAN_WAIVE, "wim")),
    )

    def ran(id: str, **outcomes: str) -> Case:
        runs = [{"scenario": name, "outcome": outcome} for name, outcome in outcomes.items() if outcome]
        return checks.newer(base, "tests", {"listed": list(outcomes), "runs": runs}, id=id)

    case = ran("y", TEST_A="FAILED", TEST_B="SUCCESS", TEST_C="SUCCESS")
    fact = waived(case, TESTS)
    assert found(under(case, fact), TESTS).state == "waived"
    again = ran("z", TEST_A="FAILED", TEST_B="SUCCESS", TEST_C="SUCCESS", TEST_D="SUCCESS")
    assert found(under(again, fact), TESTS).state == "waived"
    more = ran("z", TEST_A="FAILED", TEST_B="FAILED", TEST_C="")
    assert found(under(more, fact), TESTS).state == "not_met"
    said = sentence(found(more, TESTS).code, found(more, TESTS).params, names)
    assert "TEST_A ended as FAILED. Not passed either: TEST_B. Not run: TEST_C." in said


def test_failed_tests_hide_none_that_were_not_run() -> None:
    base = replace(complete_case(), holders=(*complete_case().holders, Holder(CAN_WAIVE, "wim")))
    listed = [f"TEST_{number}" for number in range(30)]
    runs = [{"scenario": name, "outcome": "FAILED"} for name in listed[:24]]
    passed = [{"scenario": name, "outcome": "SUCCESS"} for name in listed[24:]]
    case = checks.newer(base, "tests", {"listed": listed, "runs": [*runs, *passed]}, id="y")
    fact = waived(case, TESTS)
    assert found(under(case, fact), TESTS).state == "waived"
    for worse in ([*runs, *passed[1:]], [*runs, *passed[1:], {**passed[0], "outcome": "FAILED"}]):
        now = checks.newer(base, "tests", {"listed": listed, "runs": worse}, id="z")
        assert found(under(now, fact), TESTS).state == "not_met"


def test_a_standard_that_is_broken_hides_none_that_was_not_run() -> None:
    clause = policy.clause("project_standards", {"max_severity": "low"})
    base = replace(complete_case(), requirements=(clause,), holders=(Holder(CAN_WAIVE, "wim"),))

    def ran(id: str, *checked: tuple[str, int | None]) -> Case:
        result = [
            {"name": f"c{n}", "status": status, "severity": severity}
            for n, (status, severity) in enumerate(checked)
        ]
        return checks.newer(base, "project_standards", {"checks": result}, id=id)

    case = ran("y", ("RUN_SUCCESS", 5), ("RUN_SUCCESS", 0))
    fact = waived(case, clause.key)
    assert found(under(case, fact), clause.key).state == "waived"
    broken = ran("z", ("RUN_SUCCESS", 5), ("RUN_ERROR", None))
    assert found(under(broken, fact), clause.key).state == "not_met"
    assert "c1" in sentence(found(broken, clause.key).code, found(broken, clause.key).params, names)
    many = ran("y", *[("RUN_SUCCESS", 5)] * 25)
    fact = waived(many, clause.key)
    assert found(under(many, fact), clause.key).state == "waived"
    assert found(under(ran("z", *[("RUN_SUCCESS", 5)] * 26), fact), clause.key).state == "not_met"


def test_a_waiver_of_what_comes_back_counts_again() -> None:
    case = unfair(complete_case())
    fact = waived(case)
    worse = checks.newer(case, "fairness", counted(300, 1200), id="z")
    again = checks.newer(worse, "fairness", counted(600, 1200), id="zz", at=ago(minutes=1))
    assert found(under(worse, fact)).state == "not_met"
    assert found(under(again, fact)).state == "waived"


def test_the_newest_that_counts_is_told_and_the_newest_of_those_that_do_not() -> None:
    case = unfair(complete_case())
    old, new = waived(case, at=ago(hours=3)), waived(case, id="2", person="ada", at=ago(hours=2))
    assert found(under(case, old, new)).params["waiver"] == "2"
    assert found(under(case, old, replace(new, withdrawn=True))).params["waiver"] == "1"
    both = under(case, replace(old, withdrawn=True), replace(new, until=case.at))
    assert found(both).params["waiver"]["waiver"] == "2"


def test_it_holds_until_the_first_that_may_change_it() -> None:
    case = unfair(complete_case())
    fact = waived(case)
    lent = (*case.holders[:-2], Holder(CAN_WAIVE, "wim", ago(hours=-5)))
    assert found(under(replace(case, holders=lent), fact)).holds_until == ago(hours=-5)
    bar = Barred("wim", "changed_rights", ago(hours=-2))
    barred = found(under(replace(case, barred=(bar,)), fact))
    assert (barred.state, barred.holds_until) == ("not_met", ago(hours=-2))
    later = replace(case, barred=(bar,), at=bar.until)
    assert found(under(later, fact)).state == "waived"


def test_the_policy_may_say_never_and_how_long() -> None:
    case = unfair(complete_case())
    (clause,) = [one for one in case.requirements if one.key == FAIRNESS]

    def with_clause(waive: Any) -> Case:
        params = {**clause.params, "waive": waive}
        other = policy.clause("evidence", params, "fairness")
        rest = tuple(other if one.key == FAIRNESS else one for one in case.requirements)
        return replace(case, requirements=rest)

    never = with_clause("never")
    assert found(under(never, waived(never))).params["waiver"]["why"] == "never"
    short = with_clause({"at_most": 7200})
    assert found(under(short, waived(short))).holds_until == ago(hours=-1)
    assert found(under(short, waived(short, at=ago(hours=2)))).params["waiver"]["why"] == "expired"


def test_who_can_waive() -> None:
    case = unfair(complete_case())
    assert waivers.able(case) == ("ada", "wim")
    assert waivers.able(case, waivers.asker_bars("wim")) == ("ada",)
    assert waivers.able(case, waivers.asker_bars("dev", "ada", [Barred("wim", "let_in")])) == ()
    assert waivers.able(replace(case, barred=(Barred("ada", "requester"),))) == ("wim",)
    let = replace(case, barred=(), holders=(Holder(CAN_WAIVE, "wim", let_in=("dev",)),))
    assert waivers.able(let) == ("wim",)
    assert waivers.able(let, waivers.asker_bars("dev")) == ()
    again = replace(let, holders=(Holder(CAN_WAIVE, "wim", let_in=("dev",), let_back_in=("dev",)),))
    assert waivers.able(again, waivers.asker_bars("olga", behind=[Barred("dev", "let_back_in")])) == ()


def test_nobody_waits_for_what_is_waived_before_they_approve() -> None:
    case = complete_case()
    case = replace(
        case,
        evidence=tuple(one for one in case.evidence if one.kind != "fairness"),
        signoffs=(),
        holders=(*case.holders, Holder(CAN_WAIVE, "wim")),
    )
    assert [one.key for one in waivers.not_there(case)] == [FAIRNESS]
    assert found(case, "sign_off:fairness").params["not_there"]
    passed = under(case, waived(case))
    assert waivers.not_there(passed) == ()
    assert "not_there" not in found(passed, "sign_off:fairness").params
    # It still has to be signed for all that, and by people.
    assert not judge(passed).met


# --- every finding ---


def everything() -> list[tuple[Case, Finding]]:
    """A case for each finding that is not met and no person's word."""
    pairs: dict[str, tuple[Case, Finding]] = {}
    complete = complete_case()
    cases = [
        replace(complete, evidence=(), documents=(), running=()),
        replace(
            complete, evidence=tuple(replace(f, parts=checks.with_parts("flow")) for f in complete.evidence)
        ),
        replace(complete, evidence=tuple(replace(f, at=ago(days=200)) for f in complete.evidence)),
        replace(complete, evidence=tuple(replace(f, result={}) for f in complete.evidence)),
        replace(
            complete, documents=tuple(replace(f, parts=checks.with_parts("flow")) for f in complete.documents)
        ),
        replace(complete, documents=tuple(replace(f, sections=("Purpose",)) for f in complete.documents)),
        *(
            checks.newer(complete, "fairness", counted(*sizes))
            for sizes in ((600, 1200), (12, 15, 60), (9, 9, 20))
        ),
        checks.newer(complete, "fairness", {**counted(1, 2), "attributes": []}),
        checks.newer(
            complete, "tests", {"listed": ["TEST_A"], "runs": [{"scenario": "TEST_A", "outcome": "FAILED"}]}
        ),
        checks.newer(complete, "tests", {"listed": ["TEST_A"], "runs": []}),
        checks.newer(complete, "tests", {"listed": [], "runs": []}),
    ]
    for case in cases:
        able = replace(case, holders=(*case.holders, Holder(CAN_WAIVE, "wim")))
        for finding in judge(able).findings:
            if finding.state != "met" and finding.kind != "sign_off":
                pairs.setdefault(finding.code, (able, finding))
    return list(pairs.values())


@pytest.mark.parametrize(("case", "finding"), everything(), ids=lambda one: getattr(one, "code", ""))
def test_every_finding_can_be_waived_as_itself_and_as_nothing_else(case: Case, finding: Finding) -> None:
    fact = waived(case, finding.key)
    passed = found(under(case, fact), finding.key)
    assert (passed.state, passed.params["was"]["code"]) == ("waived", finding.code)
    assert sentence(passed.code, passed.params, names)
    other = {**fact.finding, "code": "something_else"}
    assert found(under(case, replace(fact, finding=other)), finding.key).state == finding.state
    # What is kept in a row of the database and comes back is the same finding.
    kept = json.loads(canonical(fact.finding))
    assert found(under(case, replace(fact, finding=kept)), finding.key).state == "waived"


def test_of_a_code_that_says_nothing_of_itself_all_of_it_is_bound() -> None:
    one = Finding("x", "x", "not_met", "new_code", {"a": 1})
    assert waivers.same(waivers.mark(one), waivers.mark(replace(one, holds_until=ago())))
    assert not waivers.same(waivers.mark(one), waivers.mark(replace(one, params={"a": 2})))


# --- cases that are kept ---


def test_a_case_without_waivers_is_written_as_it_always_was() -> None:
    assert "waivers" not in case_to_json(complete_case())


def test_a_case_with_waivers_comes_back() -> None:
    case = unfair(complete_case())
    fact = waived(case, let_in=("olga",), behind=(Barred("gil", "let_in"),), asked_for="olga")
    case = under(case, fact, replace(fact, id="2", withdrawn=True))
    again = case_from_json(json.loads(canonical(case_to_json(case))))
    assert again == case
    assert case_digest(again) == case_digest(case) != case_digest(replace(case, waivers=()))
    verdict = judge(case)
    assert verdict_from_json(json.loads(canonical(verdict_to_json(verdict)))) == verdict


def test_a_replay_keeps_what_was_waived() -> None:
    case = unfair(complete_case())
    case = replace(case, evidence=tuple(one for one in case.evidence if one.id != "fairness"))
    seen = tuple(one.digest for one in case.evidence)
    case = replace(case, signoffs=tuple(replace(one, evidence=seen) for one in case.signoffs))
    assert not judge(case).met
    case = under(case, waived(case))
    past = Past(1, 7, "start", case, judge(case).met)
    assert past.met
    assert replay(parse(RULES), [past]).flips == ()
    same = RULES.replace("max_age: 90d\n", "max_age: 80d\n")
    assert replay(parse(same), [past]).flips == ()
    never = RULES.replace("max_age: 90d\n", "max_age: 90d\n              waive: never\n")
    (flip,) = replay(parse(never), [past]).flips
    assert (flip.outcome, [one.key for one in flip.findings]) == ("would_stop", [FAIRNESS])


# --- the language ---


def with_waive(text: str) -> str:
    return RULES.replace("soak: {at: qa, for: 24h}", f"soak: {{at: qa, for: 24h, waive: {text}}}")


def test_the_language_says_never_and_how_long() -> None:
    def soak(text: str) -> Any:
        rules = parse(text).rules("critical", "prod")
        return next(one for one in rules.requirements if one.kind == "soak")

    assert "waive" not in soak(RULES).params
    assert soak(with_waive("never")).params["waive"] == "never"
    assert soak(with_waive("{at_most: 30d}")).params["waive"] == {"at_most": 30 * 86400}
    assert (
        len({soak(text).digest for text in (RULES, with_waive("never"), with_waive("{at_most: 30d}"))}) == 3
    )
    assert not waivers.may_be(soak(with_waive("never")))
    assert waivers.longest(soak(with_waive("{at_most: 30d}"))) == timedelta(days=30)
    for wrong in ("always", "{}", "{at_most: 0d}", "{at_most: 3}", "{for: 3d}", "[never]", "1"):
        with pytest.raises(PolicyError):
            parse(with_waive(wrong))
    with pytest.raises(PolicyError):
        parse(RULES.replace("{role: fairness}", "{role: fairness, waive: never}"))


@pytest.mark.parametrize(
    "said",
    [
        "tests: {at: qa, waive: never}",
        "tests: {at: qa, from: report, waive: never}",
        "tests: {at: design, scenarios: [TEST_A], waive: never}",
        "tests: {at: design, recipes: {lines: 100}, waive: never}",
        "document: {kind: intended-use, waive: never}",
        "evidence: {kind: explainability, forbid: [gender], waive: never}",
        "external_check: {name: scan, waive: never}",
        "project_standards: {waive: never}",
        'change_ticket: {pattern: "CHG[0-9]+", waive: never}',
        'window: {days: mon, hours: "09:00-16:00", zone: UTC, waive: never}',
    ],
)
def test_never_is_kept_of_every_kind_that_takes_it(said: str) -> None:
    text = f"policy: one\ntiers: {{a: {{stages: {{qa: {{requires: []}}, prod: {{requires: [{said}]}}}}}}}}"
    (clause,) = parse(text).rules("a", "prod").requirements
    assert not waivers.may_be(clause)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (RULES, with_waive("never"), "waived never, was as long as the portal allows"),
        (with_waive("never"), RULES, "waived as long as the portal allows, was never"),
        (with_waive("never"), with_waive("{at_most: 30d}"), "waived for at most 30 days, was never"),
    ],
)
def test_what_changes_is_said(old: str, new: str, said: str) -> None:
    (line,) = differences(parse(old), parse(new))
    assert said in line


# --- at random ---


def test_nothing_passes_that_was_not_waived_by_another_who_may(full_size: bool) -> None:
    """However facts fall, what passes was asked by one, granted by another, who holds the right and is not barred."""
    chance = random.Random(20261129)
    people = ["dev", "wim", "ada", "olga"]
    base = unfair(complete_case())
    passed = 0
    for _turn in range(3_000 if full_size else 800):
        some = [one for one in people if chance.random() < 0.5]
        case = replace(
            base,
            holders=tuple(
                Holder(CAN_WAIVE, one, chance.choice([None, None, ago(hours=1), ago(hours=-1)]))
                for one in some
            ),
            barred=tuple(
                Barred(one, chance.choice(["requester", "bundle_author", "let_in"]))
                for one in people
                if chance.random() < 0.15
            ),
        )
        facts = [
            waived(
                base,
                id=str(number),
                person=chance.choice(people),
                asked_by=chance.choice(people),
                asked_for=chance.choice(["", "", *people]),
                withdrawn=chance.random() < 0.2,
                until=chance.choice([ago(hours=2), ago(hours=-2), ago(days=-9)]),
                let_in=tuple(one for one in people if chance.random() < 0.1),
                behind=tuple(Barred(one, "token_maker") for one in people if chance.random() < 0.1),
            )
            for number in range(chance.randint(1, 3))
        ]
        finding = found(under(case, *facts))
        if finding.state != "waived":
            assert finding.params["waiver"]["why"]
            continue
        passed += 1
        fact = next(one for one in facts if one.id == finding.params["waiver"])
        holds = {one.person for one in case.holders if one.until is None or one.until > case.at}
        assert fact.person in holds
        assert fact.person not in {fact.asked_by, fact.asked_for, *(one.person for one in fact.behind)}
        assert fact.person not in {one.person for one in case.barred}
        assert not {fact.asked_by, fact.asked_for} & {*fact.let_in}
        assert not fact.withdrawn
        assert case.at < finding.params["until"] == fact.until
        assert case.at < str(finding.holds_until) <= fact.until
    assert passed > 50
