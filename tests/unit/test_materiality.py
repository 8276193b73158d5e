"""Materiality: every pair of answers leads to a tier, and what has a hole is refused where it is."""

from dataclasses import replace

import pytest

from governance.policy import parse
from governance.policy_words import differences
from tests.cast import MATERIAL, POLICY
from tests.unit.test_policy import problems

TABLE = parse(MATERIAL).materiality


def edited(old: str, new: str) -> str:
    assert old in MATERIAL
    return MATERIAL.replace(old, new, 1)


def test_every_pair_of_answers_leads_to_a_tier() -> None:
    assert TABLE is not None
    found = {
        (purpose, exposure): TABLE.leads_to(exposure, purpose)
        for purpose in TABLE.purpose.answers
        for exposure in TABLE.exposure.answers
    }
    assert found == {
        ("internal", "few"): "light",
        ("internal", "many"): "light",
        ("people", "few"): "light",
        ("people", "many"): "critical",
    }
    assert TABLE.leads_to("none", "people") is None
    assert TABLE.leads_to("few", "none") is None


def test_which_tier_is_below_which() -> None:
    assert TABLE is not None
    assert TABLE.is_below("light", "critical")
    assert not TABLE.is_below("critical", "light")
    assert not TABLE.is_below("light", "light")
    assert TABLE.is_below("gone", "light")
    assert not TABLE.is_below("light", "gone")


def test_a_policy_without_it_is_what_it_was() -> None:
    plain, asks = parse(POLICY), parse(MATERIAL)
    assert plain.materiality is None
    assert plain.digest != asks.digest
    assert plain == replace(asks, materiality=None, digest=plain.digest)
    other = edited("people: {few: light, many: critical}", "people: {many: critical, few: light}")
    assert parse(other).digest == asks.digest, "the order of the table says nothing"
    turned = edited(
        "internal: Inside only, people: Decisions about people",
        "people: Decisions about people, internal: Inside only",
    )
    assert parse(turned).digest != asks.digest, "the order of the answers is that of the form"


@pytest.mark.parametrize(
    "old, new, path, message",
    [
        ("few: light, many: critical", "few: light", "tiers.people", "Nothing is said of many."),
        ("    internal: {few: light, many: light}\n", "", "tiers", "Nothing is said of internal."),
        ("many: critical", "many: grave", "tiers.people.many", "There is no tier grave"),
        ("people: {few", "folk: {few", "tiers", "Nothing is said of people."),
        ("many: critical", "many: light, most: critical", "tiers.people", "There is no most here."),
        ("order: [light, critical]", "order: [light]", "order", "Nothing is said of critical."),
        ("order: [light, critical]", "order: [light, critical, grave]", "order", "There is no grave here."),
        ("order: [light, critical]", "order: [light, light]", "order", "listed twice"),
        ("  order: [light, critical]\n", "", "materiality", "The key order is missing."),
        ("answers: {internal", "answers: {}\n  else: {internal", "purpose.answers", "nothing in this mapping"),
        ("{few: light, many: c", "{few: 1 + 1, many: c", "tiers.people.few", "does not have the right form"),
    ],
)  # fmt: skip
def test_a_hole_is_said_where_it_is(old: str, new: str, path: str, message: str) -> None:
    found = problems(edited(old, new))
    assert any(one.path.endswith(path) and message in one.message and one.remedy for one in found), found
    assert all(one.line > 1 for one in found)


def test_what_changes_is_told() -> None:
    assert [line for line in differences(parse(POLICY), parse(MATERIAL)) if "Materiality" in line] == [
        (
            "Materiality: about the exposure it asks “How many people does it decide about in a year?”"
            " (few: Fewer than 1,000; many: More)."
        ),
        (
            "Materiality: about the purpose it asks “What is it used for?”"
            " (internal: Inside only; people: Decisions about people)."
        ),
        "Materiality: purpose internal with exposure few leads to light.",
        "Materiality: purpose internal with exposure many leads to light.",
        "Materiality: purpose people with exposure few leads to light.",
        "Materiality: purpose people with exposure many leads to critical.",
        "Materiality: from the least strict on the tiers are light, critical.",
    ]
    stricter = edited("people: {few: light", "people: {few: critical")
    assert differences(parse(MATERIAL), parse(stricter)) == [
        "Materiality: purpose people with exposure few leads to critical, was light."
    ]
    assert differences(parse(MATERIAL), parse(POLICY)) == [
        "Materiality: answers of owners lead to no tier any more."
    ]
    assert differences(parse(MATERIAL), parse(MATERIAL)) == []
