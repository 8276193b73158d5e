"""Who could take a project through a stage alone or in pairs: tables of rights, and the gate's word on each."""

import itertools
import random
from collections.abc import Mapping
from typing import Any

import pytest

from governance.combinations import (
    Ask,
    Hand,
    Line,
    Profile,
    Reach,
    Reckoner,
    Rule,
    ask_of,
    risks,
)
from governance.facts import Clause
from governance.policy import clause


def sign(role: str, people: int = 1) -> Clause:
    return clause("sign_off", {"role": role, "people": people, "covers": ["other"]}, role)


def ran_at(stage: str) -> Clause:
    return clause(
        "tests", {"at": stage, "pattern": "TEST_*", "warning": "fails", "smoke": "TEST_SMOKE"}, stage
    )


FAIRNESS = clause("evidence", {"kind": "fairness", "metrics": []}, "fairness")


def line(qa: tuple[Clause, ...] | None = (), prod: tuple[Clause, ...] | None = ()) -> Line:
    """Two stages with what each asks; None: the policy says nothing."""
    asks = [
        None if wanted is None else ask_of(stage, wanted) for stage, wanted in (("qa", qa), ("prod", prod))
    ]
    return Line(asks, ["qa", "prod"])


def hands(*told: str) -> Profile:
    """ "request@qa", "promote" (everywhere), "sign_fairness@prod~ann" (lent by ann)."""
    found = set()
    for one in told:
        what, _at, where = one.partition("@")
        what, _tilde, whom = what.partition("~")
        where, _tilde, lender = where.partition("~")
        for stage in [where] if where else ["qa", "prod"]:
            found.add(Hand(stage, what, whom or lender))
    return frozenset(found)


def reached(at: Line, stage: str = "prod", **people: Profile) -> tuple[set[str], set[frozenset[str]]]:
    """Who alone, and which pairs."""
    found = {one.stage: one for one in Reckoner().reach(at, people)}[stage]
    pairs = [frozenset(pair) for one in found.pairs for pair in one.each()]
    assert len(pairs) == found.pair_count == len(set(pairs))
    return {who for one in found.alone for who in one.people}, set(pairs)


ALL = hands("request", "promote")


def test_without_signatures_whoever_asks_and_starts_can_alone() -> None:
    alone, pairs = reached(line(), ann=ALL, bob=hands("request"), cyd=hands("promote"), dee=hands("promote"))
    assert alone == {"ann"}
    assert pairs == {frozenset({"bob", "cyd"}), frozenset({"bob", "dee"})}


@pytest.mark.parametrize(
    "wanted, alone, together",
    [
        ((), True, True),
        ((sign("fairness"),), False, True),
        ((sign("fairness", 2),), False, False),
        ((sign("fairness"), sign("model-risk")), False, False),
    ],
)
def test_each_signature_takes_one_more_person(
    wanted: tuple[Clause, ...], alone: bool, together: bool
) -> None:
    every = hands("request", "promote", "sign_fairness", "sign_model-risk")
    found = reached(line(prod=wanted), ann=every, bob=every)
    assert found == (
        {"ann", "bob"} if alone else set(),
        {frozenset({"ann", "bob"})} if together and not alone else set(),
    )


def test_a_signer_does_not_start_and_who_asks_does_not_sign() -> None:
    at = line(prod=(sign("fairness"),))
    assert reached(at, ann=hands("request"), bob=hands("promote", "sign_fairness")) == (set(), set())
    assert reached(at, ann=hands("request", "sign_fairness"), bob=hands("promote")) == (set(), set())
    asks_and_starts = reached(at, ann=hands("request", "promote"), bob=hands("sign_fairness"))
    assert asks_and_starts == (set(), {frozenset({"ann", "bob"})})


def test_the_bundle_has_to_get_where_the_policy_wants_it_to_have_been() -> None:
    for wanted in ((ran_at("qa"),), (FAIRNESS,)):
        at = line(prod=wanted)
        assert reached(at, ann=hands("request@prod", "promote@prod")) == (set(), set())
        assert reached(at, ann=ALL) == ({"ann"}, set())
        found = reached(at, ann=hands("request@prod", "promote@prod"), bob=hands("request@qa", "promote@qa"))
        assert found == (set(), {frozenset({"ann", "bob"})})
    # Evidence is counted from where the bundle runs: at the first stage there is no such place.
    assert reached(line(qa=(FAIRNESS,)), "qa", ann=ALL) == (set(), set())


def test_signatures_below_count_too() -> None:
    at = line(qa=(sign("fairness"),), prod=(ran_at("qa"),))
    assert reached(at, ann=ALL) == (set(), set())
    assert reached(at, ann=ALL, bob=hands("sign_fairness@qa")) == (set(), {frozenset({"ann", "bob"})})


def test_a_stage_the_policy_is_silent_about_lets_nobody_through() -> None:
    assert reached(line(prod=None), ann=ALL) == (set(), set())
    assert reached(line(qa=None, prod=(ran_at("qa"),)), ann=ALL) == (set(), set())


def test_who_stands_in_is_one_with_whom_they_stand_in_for() -> None:
    at = line(prod=(sign("fairness"),))
    # Bob signs for Ann, who asked: that is Ann's word, and does not count.
    found = reached(at, ann=hands("request", "promote", "sign_fairness"), bob=hands("sign_fairness~ann"))
    assert found == (set(), set())
    # For Cyd, who has nothing to do with it, it does.
    found = reached(
        at, ann=hands("request", "promote"), bob=hands("sign_fairness~cyd"), cyd=hands("sign_fairness")
    )
    assert found == (set(), {frozenset({"ann", "bob"}), frozenset({"ann", "cyd"})})
    # Who starts for Cyd does not count Cyd's signature.
    found = reached(
        at,
        ann=hands("request", "promote~cyd"),
        bob=hands("sign_fairness~cyd"),
        cyd=hands("sign_fairness", "promote"),
    )
    assert frozenset({"ann", "bob"}) not in found[1]


def test_what_ends_it_ends_it() -> None:
    at = line(prod=(ran_at("qa"),))
    cuts = at.cuts({"ann": ALL}, "prod")
    assert {(hand.stage, hand.name) for _who, hand in cuts} == {
        ("qa", "request"), ("qa", "promote"), ("prod", "request"), ("prod", "promote"),
    }  # fmt: skip
    for who, hand in cuts:
        assert at.plan({who: ALL - {hand}}, "prod") is None
    # Two who can each start: only together are these rights what it hangs on.
    pair = {"ann": hands("request@prod", "promote@prod"), "bob": hands("promote@prod", "sign_fairness@prod")}
    assert line(prod=(sign("fairness"),)).cuts(pair, "prod")


def test_the_plan_says_who_does_what() -> None:
    plan = line(prod=(sign("fairness"),)).plan({"ann": ALL, "bob": hands("sign_fairness")}, "prod")
    assert plan is not None
    assert [(step.act, step.person, step.stage) for step in plan] == [
        ("register", "ann", "prod"),
        ("request", "ann", "prod"),
        ("sign", "bob", "prod"),
        ("promote", "ann", "prod"),
    ]


RISKY: list[tuple[Profile, set[Rule]]] = [
    (hands("sign_fairness", "sign_model-risk"), {Rule.TWO_ROLES}),
    (hands("sign_fairness@qa", "sign_model-risk@prod"), set()),
    (hands("manage", "sign_fairness"), {Rule.MANAGES_AND_SIGNS}),
    (hands("manage", "promote"), {Rule.MANAGES_AND_STARTS}),
    (hands("manage", "waive"), {Rule.MANAGES_AND_WAIVES}),
    (hands("manage@qa", "waive@prod"), set()),
    (hands("audit", "request"), {Rule.AUDITS_AND_ACTS}),
    (hands("audit", "manage"), {Rule.AUDITS_AND_ACTS}),
    (hands("audit"), set()),
    (hands("request", "promote"), set()),
]


@pytest.mark.parametrize("profile, rules", RISKY)
def test_risky_rights_are_named(profile: Profile, rules: set[Rule]) -> None:
    assert {one.rule for one in risks({"ann": profile})} == rules


# --- against a slower way to the same answer --------------------------------------------------------------------------


def slow(at: Line, people: Mapping[str, Profile], stage: str) -> tuple[set[str], set[frozenset[str]]]:
    """One by one and two by two, with nothing left out."""
    alone = {who for who in people if at.plan({who: people[who]}, stage) is not None}
    pairs = {
        frozenset(two)
        for two in itertools.combinations(sorted(set(people) - alone), 2)
        if at.plan({who: people[who] for who in two}, stage) is not None
    }
    return alone, pairs


class Patient(Line):
    """Does not leave out what cannot be because of the number of signatures: the gate has to say so."""

    def places(self, stage: str) -> int:
        return 0


KINDS: tuple[tuple[Clause, ...] | None, ...] = (
    (), (ran_at("qa"),), (FAIRNESS,), (sign("fairness"),), (sign("fairness", 2),), (sign("fairness"), ran_at("qa")),
    (sign("fairness"), sign("model-risk")), None,
)  # fmt: skip
RIGHTS = (
    "request@qa",
    "request@prod",
    "promote@qa",
    "promote@prod",
    "sign_fairness@prod",
    "sign_model-risk@prod",
    "manage",
)


def test_grouping_and_shortcuts_change_nothing() -> None:
    chance = random.Random(7)
    reckoner = Reckoner()
    some = 0
    for _ in range(150):
        wanted = chance.choice(KINDS)
        qa = chance.choice([(), (), (sign("fairness"),)])
        at = line(qa=qa, prod=wanted)
        patient = Patient(
            [ask_of("qa", qa), None if wanted is None else ask_of("prod", wanted)], ["qa", "prod"]
        )
        shapes = [hands(*chance.sample(RIGHTS, chance.randrange(1, len(RIGHTS)))) for _ in range(3)]
        people = {f"p{number}": chance.choice(shapes) for number in range(chance.randrange(1, 6))}
        if chance.random() < 0.3:
            people["lent"] = people["p0"] | hands("sign_fairness@prod~p0", "request@prod~p0")
        for stage in ("qa", "prod"):
            found: Reach = {one.stage: one for one in reckoner.reach(at, people)}[stage]
            told = (
                {who for one in found.alone for who in one.people},
                {frozenset(pair) for one in found.pairs for pair in one.each()},
            )
            assert told == slow(patient, people, stage), (people, stage)
            some += bool(told[0] or told[1])
            for one in found.alone:
                assert one.plan
    assert some > 60


def test_a_thousand_people_are_weighed_by_their_rights() -> None:
    people = {f"p{number}": (ALL, hands("request"), hands("promote"))[number % 3] for number in range(1000)}
    (found,) = [one for one in Reckoner().reach(line(prod=(sign("fairness"),)), people) if one.stage == "qa"]
    assert found.alone_count == 334
    assert found.pair_count == 333 * 333


def by_itself(*prod: Clause) -> Line:
    """As `line`, where production starts by itself."""
    return Line([ask_of("qa", ()), ask_of("prod", prod, by_itself=True)], ["qa", "prod"])


def test_where_it_starts_by_itself_whoever_asks_can_alone() -> None:
    asks, starts = hands("request@prod"), hands("promote@prod")
    assert reached(line(), ann=asks, bob=starts) == (set(), {frozenset({"ann", "bob"})})
    assert reached(by_itself(), ann=asks, bob=starts) == ({"ann"}, set())
    (found,) = [one for one in Reckoner().reach(by_itself(), {"ann": asks}) if one.stage == "prod"]
    assert [step.act for step in found.alone[0].plan] == ["register", "request"]


def test_where_it_starts_by_itself_a_signature_still_takes_another() -> None:
    both = hands("request@prod", "sign_fairness@prod")
    alone, pairs = reached(by_itself(sign("fairness")), ann=both, bob=hands("sign_fairness@prod"))
    assert (alone, pairs) == (set(), {frozenset({"ann", "bob"})})


def test_what_ends_it_where_it_starts_by_itself_is_the_right_to_ask() -> None:
    two = {"ann": hands("request@qa", "request@prod"), "bob": hands("promote@prod")}
    assert {hand.name for _person, hand in by_itself().cuts({"ann": two["ann"]}, "prod")} == {"request"}


def test_lines_that_differ_in_who_starts_are_not_taken_for_each_other() -> None:
    reckoner, people = Reckoner(), {"ann": hands("request@prod")}
    assert not {one.stage: one for one in reckoner.reach(line(), people)}["prod"].alone
    assert {one.stage: one for one in reckoner.reach(by_itself(), people)}["prod"].alone


def test_an_ask_counts_places() -> None:
    assert Ask("prod").places == 0
    assert ask_of("prod", (sign("fairness", 2), sign("model-risk"))).places == 3


# --- waivers ---

NEVER = clause("tests", {"at": "qa", "pattern": "TEST_*", "waive": "never"}, "qa")


def test_who_may_waive_helps_another_and_nobody_alone() -> None:
    """Both hold what it takes in production only; the policy wants tests in QA."""
    at = line(prod=(ran_at("qa"),))
    both = hands("request@prod", "promote@prod", "waive@prod")
    assert reached(at, ann=both) == (set(), set())
    assert reached(at, ann=hands("request@prod", "promote@prod"), bob=hands("promote@prod")) == (set(), set())
    assert reached(at, ann=hands("request@prod", "promote@prod"), bob=hands("waive@prod")) == (
        set(),
        {frozenset({"ann", "bob"})},
    )
    (pairs,) = next(
        one
        for one in Reckoner().reach(
            at, {"ann": hands("request@prod", "promote@prod"), "bob": hands("waive@prod")}
        )
        if one.stage == "prod"
    ).pairs
    assert [(step.act, step.person) for step in pairs.plan] == [
        ("register", "ann"),
        ("request", "ann"),
        ("waive", "bob"),
        ("promote", "ann"),
    ]


def test_who_waives_does_not_start_it() -> None:
    at = line(prod=(ran_at("qa"),))
    assert reached(at, ann=hands("request@prod"), bob=hands("waive@prod", "promote@prod")) == (set(), set())


def test_what_the_policy_lets_nobody_waive_needs_the_stage_before() -> None:
    people: dict[str, Any] = {"ann": hands("request@prod", "promote@prod"), "bob": hands("waive@prod")}
    assert reached(line(prod=(NEVER,)), **people) == (set(), set())
    assert reached(line(prod=(ran_at("qa"), NEVER)), **people) == (set(), set())
    assert reached(line(prod=(FAIRNESS,)), **people)[1] == {frozenset({"ann", "bob"})}


def test_whoever_can_without_a_waiver_does() -> None:
    at = line(prod=(ran_at("qa"),))
    assert reached(at, ann=hands("request", "promote"), bob=hands("waive@prod"))[0] == {"ann"}
