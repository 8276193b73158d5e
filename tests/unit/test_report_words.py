"""How times, spans, sizes and the answers of steps are written in print."""

from datetime import UTC, datetime

import pytest

from deployments.steps import STEPS
from governance.report import words

AT = datetime(2026, 11, 21, 8, 52, 18, tzinfo=UTC)


def test_times_carry_their_zone() -> None:
    assert words.instant(AT) == "21 November 2026, 08:52:18 UTC"
    assert words.local(AT, "Europe/Paris") == "21 Nov 2026 09:52:18 +01:00"
    assert words.local(AT, "Asia/Kolkata") == "21 Nov 2026 14:22:18 +05:30"
    assert words.local(AT, "Nowhere/Atall") == "21 Nov 2026 08:52:18 +00:00"


@pytest.mark.parametrize(
    "seconds, written",
    [
        (-1, "0.00 s"),
        (0.416, "0.42 s"),
        (9.4, "9.40 s"),
        (12.2, "12 s"),
        (59.7, "1 min 0 s"),
        (72, "1 min 12 s"),
        (7380, "2 h 3 min"),
    ],
)
def test_spans_have_the_unit_that_reads_best(seconds: float, written: str) -> None:
    assert words.span(seconds) == written


@pytest.mark.parametrize(
    "facts, written",
    [
        ({"node": "qa", "promotion": 4}, "Scenarios that promotion 4 ran on the node qa."),
        (
            {
                "node": "qa",
                "dataset": "scored",
                "outcome": "won",
                "favourable": "1",
                "built_at": "2026-11-21T08:52:18.642000Z",
            },
            "Dataset scored on the node qa, built on 21 November 2026, 08:52:18 UTC. Outcome won; favourable is 1.",
        ),
        (
            {"node": "qa", "dataset": "scored", "outcome": "prediction", "favourable": "1", "built_at": None},
            "Dataset scored on the node qa. Outcome prediction; favourable is 1.",
        ),
        (
            {"model": "churn", "version": "1795251138000"},
            "Model churn, version 1795251138000, made on 21 November 2026, 08:52:18 UTC.",
        ),
        ({"model": "churn", "version": "initial"}, "Model churn, version initial."),
        ({"notebook": "a-b", "rows": None}, "notebook a-b; rows \u2013"),
        ({}, "\u2013"),
    ],
)
def test_a_source_is_a_sentence(facts: dict[str, object], written: str) -> None:
    assert words.source(facts) == written


@pytest.mark.parametrize(
    "count, written",
    [
        (1, "1 byte"),
        (412, "412 bytes"),
        (12_900, "12.9 kB"),
        (4_100_000, "4.1 MB"),
        (5 * 10**12, "5000.0 GB"),
    ],
)
def test_sizes_have_the_unit_that_reads_best(count: int, written: str) -> None:
    assert words.size(count) == written


def test_a_digest_is_grouped_by_four() -> None:
    assert words.grouped("4e0740856") == "4e07 4085 6"


def test_an_open_interval_says_so() -> None:
    assert words.range_of((0.5, 0.75), words.ratio) == "0.50 to 0.75"
    assert words.range_of((0.5, None), words.ratio) == "from 0.50 upwards"
    assert words.range_of((None, None), words.ratio) == words.NOT_SAID
    assert words.range_of(None, words.ratio) == words.NOT_SAID


@pytest.mark.parametrize(
    "name, written",
    [("Production", "production"), ("QA", "QA"), ("EU production", "EU production"), ("qa", "qa")],
)
def test_a_stage_inside_a_sentence_keeps_its_abbreviation(name: str, written: str) -> None:
    assert words.inside(name) == written


def test_every_step_has_words_of_its_own() -> None:
    plain = {name for name in STEPS if words.step(name) == words.capital(words.topic(name))}
    assert not plain


def test_an_answer_of_another_shape_is_told_field_by_field() -> None:
    assert (
        words.answer("check_target", {"infra": "prod", "active": None})
        == "prod takes deployments of the portal; it ran nothing yet."
    )
    assert (
        words.answer("check_target", {"infra": "prod", "found": True, "deep": {"left": "out"}})
        == "infra: prod; found: yes"
    )
    assert (
        words.answer("a_step_to_come", {"some_count": 3, "nothing": None})
        == f"some count: 3; nothing: {words.NOT_SAID}"
    )
    assert (
        words.answer("await_update", {"answer": "", "running_ms": 400})
        == "Ended without a message; DSS worked for 0.40 s."
    )


def test_figures_that_were_brought_say_so() -> None:
    said = words.source({"format": "fairlearn", "upload": "ab12" * 16})
    assert said.startswith("Figures counted elsewhere, brought in the format fairlearn (SHA-256 of them ab12")
