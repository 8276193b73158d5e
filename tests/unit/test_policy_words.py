"""What a next version of a policy changes, in words: nothing is passed over, and nothing said where nothing changes."""

from itertools import product

import pytest

from governance.policy import parse
from governance.policy_words import differences
from tests.unit.test_policy import DEMO

BEGIN = """
policy: p
tiers:
  light:
    stages:
      prod:
        requires:
          - sign_off: {role: fairness, people: 1, covers: [models, data]}
          - tests: {at: qa, max_age: 7d}
          - document: {kind: intended-use, sections: [purpose]}
          - evidence:
              kind: fairness
              metrics: [{name: demographic_parity_ratio, by: [gender], min: 0.8}]
          - evidence: {kind: explainability, forbid: [gender]}
          - soak: {at: qa, for: 24h}
        after: {watch: 2h}
"""


def told(*edits: tuple[str, str]) -> list[str]:
    text = BEGIN
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return differences(parse(BEGIN), parse(text))


AGAIN = " It is asked again of those who signed."
WHERE = "Tier light, stage prod: "


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "people: 1",
            "people: 2",
            "“Fairness signed by two people” changes: number of people 2, was 1." + AGAIN,
        ),
        (
            "covers: [models, data]",
            "covers: all",
            (
                "“Fairness signed by one person” changes: parts covered all, was data, models, other."
                " It is asked again of those who signed."
            ),
        ),
        (
            "forbid: [gender]",
            "forbid: [gender], from: dss",
            (
                "“Gender not among the ten features that matter most” changes: taken from DSS alone, was from where "
                "such results usually come."
            ),
        ),
        ("max_age: 7d", "max_age: 12h", "“Tests passed in QA” changes: greatest age 12 hours, was 7 days."),
        (", max_age: 7d", "", "“Tests passed in QA” changes: no greatest age, was 7 days."),
        (
            "sections: [purpose]",
            "sections: [purpose, limits]",
            "“Intended use with purpose and limits” changes: sections purpose, limits, was purpose.",
        ),
        (
            "min: 0.8",
            "min: 0.9",
            (
                "“Groups treated alike by gender” changes: the ratio of selection rates by gender: at least 0.9,"
                " groups from 30 people, was at least 0.8, groups from 30 people."
            ),
        ),
        (
            "by: [gender]",
            "by: [gender, age_band]",
            (
                "“Groups treated alike by gender and age band” changes: the ratio of selection rates by gender,"
                " age band is asked for, at least 0.8, groups from 30 people; the ratio of selection rates by gender"
                " is not asked for any more."
            ),
        ),
        (
            "forbid: [gender]",
            "top: 3, forbid: [gender, zip]",
            (
                "“Gender and zip not among the three features that matter most” changes: number of features looked"
                " at 3, was 10; forbidden columns gender, zip, was gender."
            ),
        ),
        ("for: 24h", "for: 2d", "“Ran in QA for 2 days” changes: time 2 days, was 24 hours."),
        (
            "          - soak: {at: qa, for: 24h}\n",
            "",
            "does not ask for “Ran in QA for 24 hours” any more.",
        ),
        (
            "          - soak",
            "          - document: privacy\n          - soak",
            "asks for “Privacy written”.",
        ),
        (
            "after: {watch: 2h}",
            "automation: full\n        after: {watch: 2h}",
            "a promotion starts by itself as soon as everything is met.",
        ),
        (
            "after: {watch: 2h}",
            "after: {on_failure: hold}",
            "a promotion is complete once its tests passed; one that fails holds the lane for a person.",
        ),
        (
            "after: {watch: 2h}",
            "after: {watch: 2h}\n        smoke: {scenario: PING}",
            "the smoke test is PING, and its WARNING fails.",
        ),
    ],
)
def test_each_change_is_one_sentence(old: str, new: str, said: str) -> None:
    assert told((old, new)) == [WHERE + said]


def test_tiers_stages_and_titles_that_come_and_go() -> None:
    assert told(("policy: p", "policy: p\ntitle: Rules")) == ["Its title is now “Rules”."]
    assert told(("policy: p", "policy: p\nsmoke: {warning: passes}"))[0] == (
        "Where a stage names no other: the smoke test is TEST_SMOKE, and its WARNING passes."
    )
    assert told(("  light:", "  light:\n    title: Small"), ("prod:", "live:")) == [
        "Tier light: its title is now “Small”.",
        *(line.replace("stage prod", "stage live") for line in _all_of_prod()),
        "Tier light, stage prod: not named any more, so every request for it would be refused.",
    ]
    assert told(("  light:", "  heavy:"))[0] == "New: tier heavy."
    assert told(("  light:", "  heavy:"))[-1] == (
        "Tier light: not there any more, so every request in it would be refused."
    )


def _all_of_prod() -> list[str]:
    first = differences(None, parse(BEGIN))
    assert first[0] == "New: tier light."
    return first[1:]


def test_a_first_version_says_everything_it_asks() -> None:
    assert _all_of_prod() == [
        WHERE + said
        for said in (
            "asks for “Fairness signed by one person” (parts covered data, models, other).",
            "asks for “Tests passed in QA” (greatest age 7 days).",
            "asks for “Intended use with purpose”.",
            "asks for “Groups treated alike by gender”.",
            "asks for “Gender not among the ten features that matter most”.",
            "asks for “Ran in QA for 24 hours”.",
            "a person starts each promotion.",
            "what went live is watched for 2 hours; what fails is rolled back.",
            "the smoke test is TEST_SMOKE, and its WARNING fails.",
        )
    ]


def test_another_order_and_a_stage_that_asks_for_nothing() -> None:
    lines = BEGIN.splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if "sign_off" in line)
    swapped = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
    assert differences(parse(BEGIN), parse("".join(swapped))) == [
        WHERE + "asks for the same in another order."
    ]
    empty = "policy: p\ntiers: {light: {stages: {prod: {requires: []}}}}"
    assert differences(None, parse(empty))[1] == WHERE + "asks for nothing."


EDITS = [
    ("policy: p", "policy: p\ntitle: Rules"),
    ("policy: p", "policy: p\nsmoke: {scenario: PING}"),
    ("people: 1", "people: 2"),
    ("people: 1, covers: [models, data]", "covers: [data, models]"),  # the same
    ("max_age: 7d", "max_age: 168h"),  # the same
    ("max_age: 7d", 'pattern: "CHECK_*"'),
    ("by: [gender], min: 0.8", "by: [gender], min: 0.8, min_group: 50"),
    ("top", "top"),
    ("watch: 2h", "watch: 3h"),
    ("sections: [purpose]", "sections: [limits]"),
]


@pytest.mark.parametrize("pair", list(product(range(len(EDITS)), repeat=2)), ids=str)
def test_words_are_said_exactly_where_what_is_asked_differs(pair: tuple[int, int]) -> None:
    one, other = (parse(BEGIN.replace(*EDITS[number], 1)) for number in pair)
    assert bool(differences(one, other)) == (one.digest != other.digest)


def test_the_demo_policy_has_words_for_all_of_it() -> None:
    demo = parse(DEMO.read_text())
    said = differences(None, demo)
    assert len(said) == len(set(said))
    for tier in demo.tiers.values():
        for stage, rules in tier.stages.items():
            asked = [line for line in said if line.startswith(f"Tier {tier.name}, stage {stage}: asks for “")]
            assert len(asked) == len(rules.requirements)
    assert differences(demo, demo) == []
