"""Calibration by score: counted against brute force, judged where the whole group hides it, and told of nobody few."""

import random
from typing import Any

import pytest

from governance.calibration import by_score, shown_by_score
from governance.exhibits import fairness_tables
from governance.fairness import GroupCounter
from governance.intervals import wilson
from governance.parity import assess
from governance.report.findings import score_tables
from governance.sentences import fairness_row
from governance.suppression import published

Row = tuple[str, int, int, float]


def counted(rows: list[Row], least: int = 30) -> dict[str, Any]:
    counter = GroupCounter(["gender"], "out", 1, "real", score="p", columns=["gender", "out", "real", "p"])
    counter.feed_all(rows)
    return counter.result(least)


def people(gender: str, score: float, n: int, qualify: float) -> list[Row]:
    return [(gender, int(score > 0.5), int(at < qualify * n), score) for at in range(n)]


# Of women too much is promised where the score is low, and as much too little where it is high.
TWISTED = [*people("F", 0.25, 2000, 0.05), *people("F", 0.75, 2000, 0.95)]
STRAIGHT = [*people("M", 0.25, 2000, 0.25), *people("M", 0.75, 2000, 0.75)]


def judged(rows: list[Row], name: str = "calibration_by_score_difference", limit: float = 0.1) -> Any:
    (row,) = assess(counted(rows), [{"name": name, "by": ["gender"], "max": limit, "min_group": 50}])
    return row


def test_tenths_of_the_score_equal_brute_force() -> None:
    chance = random.Random(7)
    rows = [
        (
            chance.choice("FM"),
            1,
            chance.randint(0, 1),
            chance.choice((0.0, 0.1, 0.3, 0.7, 1.0, chance.random())),
        )
        for _ in range(3000)
    ]
    (held,) = counted(rows)["attributes"]
    for group in held["groups"]:
        mine = [(real, p) for gender, _out, real, p in rows if gender == group["group"]]
        told = group["calibration"]["bins"]
        assert sum(one["n"] for one in told) == len(mine) == group["calibration"]["n"]
        for one in told:
            inside = [(real, p) for real, p in mine if one["from"] <= p < one["to"] or p == one["to"] == 1.0]
            assert (one["n"], one["positives"]) == (len(inside), sum(real for real, _p in inside))
            assert one["mean_score"] == pytest.approx(sum(p for _real, p in inside) / len(inside), abs=1e-9)


def test_few_are_taken_together_and_nobody_is_left_out() -> None:
    sizes = (3, 60, 20, 0, 35, 50, 1)
    bins = [
        {"from": at / 10, "to": (at + 1) / 10, "n": n, "positives": n // 2, "mean_score": at / 10 + 0.05}
        for at, n in enumerate(sizes)
        if n
    ]
    parts = by_score(bins, 50)
    assert [(one["from"], one["to"], one["n"]) for one in parts] == [
        (0.0, 0.2, 63),
        (0.2, 0.5, 55),
        (0.5, 1.0, 51),
    ]
    first = parts[0]
    mean = (3 * 0.05 + 60 * 0.15) / 63
    assert (first["positives"], first["mean_score"]) == (31, pytest.approx(mean))
    assert first["interval"] == pytest.approx([end - mean for end in wilson(31, 63)])
    assert [one["n"] for one in by_score(bins, 1000)] == [169]


def test_what_cancels_out_in_the_whole_is_found_by_score() -> None:
    rows = TWISTED + STRAIGHT
    assert judged(rows, "calibration_difference")["state"] == "met"
    row = judged(rows)
    assert (row["state"], row["reason"], row["group"], row["score"]) == ("not_met", "beyond", "F", [0.0, 0.3])
    assert row["value"] == 0.2
    assert "of F at scores 0.0 to 0.3 is 0.20 (95 % interval 0.19 to 0.21)" in fairness_row(row)
    assert {one["state"] for one in row["groups"] if one["group"] == "M"} == {"met"}
    assert judged(STRAIGHT)["state"] == "met"


def test_a_border_is_met_at_it_and_open_across_it() -> None:
    far = max(one["interval"][1] for one in assess(counted(STRAIGHT), [METRIC | {"max": 1.0}])[0]["groups"])
    assert judged(STRAIGHT, limit=0.5)["state"] == "met"
    assert judged(STRAIGHT, limit=far / 2)["state"] == "cannot_tell"


METRIC = {"name": "calibration_by_score_difference", "by": ["gender"], "min_group": 50}


def test_what_was_not_counted_by_score_cannot_be_told() -> None:
    held = counted(STRAIGHT)
    for group in held["attributes"][0]["groups"]:
        group["calibration"].pop("bins")
    (row,) = assess(held, [METRIC | {"max": 0.1}])
    assert (row["state"], row["reason"]) == ("cannot_tell", "not_counted")
    few = [*STRAIGHT, *people("X", 0.5, 20, 0.5)]
    assert judged(few)["reason"] == "small_group"


def test_what_is_told_is_of_enough_people_however_it_is_added_up() -> None:
    chance = random.Random(2)
    rows = [row for gender in "FM" for row in people(gender, 0.05, 40, 0.1)]
    rows += [(chance.choice("FM"), 1, chance.randint(0, 1), chance.random()) for _ in range(2000)]
    held = counted(rows) | {"suppress_below": 50}
    (table,) = published(held)["attributes"]
    told = [[(one["from"], one["to"]) for one in g["calibration"]["bins"]] for g in table["groups"]]
    assert told[0] == told[1], "cut alike"
    assert all(one["n"] >= 50 for g in table["groups"] for one in g["calibration"]["bins"])
    assert all(one["n"] is None and one["value"] == round(one["value"], 2) for one in judged(rows)["groups"])
    (small,) = published(counted([*rows, *people("X", 0.5, 5, 0.5)]))["attributes"]
    assert not any("bins" in (group.get("calibration") or {}) for group in small["groups"])
    assert shown_by_score([{"calibration": None}], 50) == []


def test_it_is_shown_on_the_page_and_in_print() -> None:
    held = counted(TWISTED + STRAIGHT)
    (table,) = fairness_tables(held, [METRIC | {"max": 0.1}])
    assert [(row["group"], row["n"], row["hits"]) for row in table["rows"]] == [
        ("F at scores 0.0 to 0.3", 2000, 100),
        ("F at scores 0.3 to 1.0", 2000, 1900),
        ("M at scores 0.0 to 0.3", 2000, 500),
        ("M at scores 0.3 to 1.0", 2000, 1500),
    ]
    assert table["rows"][0]["figure"] == "-0.20 (-0.21 to -0.19)"
    assert "F at scores 0.0 to 0.3" in table["chart"].alternative
    groups = held["attributes"][0]["groups"]
    (printed,) = score_tables("Gender", groups, frozenset(), 30)
    assert printed.rows[0] == ("F", "0.0 to 0.3", "2,000", "25.0 %", "5.0 %", "-20.0 (-20.9 to -19.0)")
    small = counted([*TWISTED, *STRAIGHT, *people("X", 0.5, 5, 0.5)])
    (table,) = fairness_tables(small, [METRIC | {"max": 0.1}])
    assert all(row["secret"] and "n" not in row for row in table["rows"])
    assert score_tables("Gender", small["attributes"][0]["groups"], frozenset({("X",)}), 30) == []
