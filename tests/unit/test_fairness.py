"""Counting by group: against brute force, and at the edges of what data hold."""

import math
import os
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.fairness import (
    MAX_GROUPS,
    MAX_TEXT,
    MISSING,
    FairnessError,
    GroupCounter,
    key_of,
    name_of,
    spelling,
    tables,
)
from governance.intervals import wilson
from governance.parity import assess

QUICK = settings(database=None, deadline=None, max_examples=100)
GROUPS = st.sampled_from(["F", "M", "", None, float("nan"), 1, 1.0, "1", "1.0", True, "True", " F "])
ROWS = st.lists(
    st.fixed_dictionaries(
        {"gender": GROUPS, "age": st.sampled_from(["18-30", "31-60"]), "out": GROUPS, "real": GROUPS}
    ),
    min_size=1,
    max_size=60,
)


def _spelt(value: Any) -> str:
    """The normal form, written a second time and plainly."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or value == "":
        return MISSING
    if value is True or value == "True":
        return "true"
    return "1" if value in (1, 1.0, "1", "1.0") else str(value).strip()


def count(rows: list[dict[str, Any]], *by: str, **named: Any) -> dict[str, Any]:
    counter = GroupCounter(
        by or ("gender",), named.pop("outcome", "out"), named.pop("favourable", 1), **named
    )
    counter.feed_all(rows)
    return counter.result(min_group=1)


@QUICK
@given(ROWS)
def test_counts_equal_brute_force(rows: list[dict[str, Any]]) -> None:
    result = count(rows, "gender", "age", label="real", crosses=[("age", "gender")])
    assert result["rows"] == len(rows)
    assert result["unscored"] == sum(_spelt(row["out"]) == MISSING for row in rows)
    for held in result["attributes"]:
        expected: dict[str, list[tuple[bool, str]]] = defaultdict(list)
        for row in rows:
            expected[_spelt(row[held["attribute"]])].append((_spelt(row["out"]) == "1", _spelt(row["real"])))
        assert [group["group"] for group in held["groups"]] == sorted(expected)
        for group in held["groups"]:
            pairs = expected[group["group"]]
            assert group["n"] == len(pairs)
            assert group["selected"] == sum(chosen for chosen, _ in pairs)
            assert group["positives"] == sum(real == "1" for _, real in pairs)
            assert group["true_positives"] == sum(chosen and real == "1" for chosen, real in pairs)
            assert group["negatives"] == sum(real not in ("1", MISSING) for _, real in pairs)
            assert group["false_positives"] == sum(
                chosen and real not in ("1", MISSING) for chosen, real in pairs
            )
    crossed: dict[tuple[str, ...], list[tuple[bool, str]]] = defaultdict(list)
    for row in rows:
        crossed[_spelt(row["gender"]), row["age"]].append((_spelt(row["out"]) == "1", _spelt(row["real"])))
    (cross,) = result["intersections"]
    assert cross["attributes"] == ["gender", "age"]
    assert {
        tuple(g["group"]): (g["n"], g["selected"], g["positives"], g["true_positives"], g["false_positives"])
        for g in cross["groups"]
    } == {
        key: (
            len(pairs),
            sum(chosen for chosen, _ in pairs),
            sum(real == "1" for _, real in pairs),
            sum(chosen and real == "1" for chosen, real in pairs),
            sum(chosen and real not in ("1", MISSING) for chosen, real in pairs),
        )
        for key, pairs in crossed.items()
    }


@QUICK
@given(ROWS, st.randoms(use_true_random=False))
def test_order_and_row_shape_do_not_matter(rows: list[dict[str, Any]], chance: random.Random) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)
    by_place = GroupCounter(["gender"], "out", "1", columns=["age", "out", "gender"])
    by_place.feed_all([(row["age"], row["out"], row["gender"]) for row in shuffled])
    assert by_place.result(min_group=1) == count(rows, "gender")


def test_the_reference_has_enough_people() -> None:
    rows = [{"gender": "F", "out": i < 20} for i in range(100)]
    rows += [{"gender": "M", "out": i < 30} for i in range(100)]
    rows += [{"gender": "X", "out": True} for _ in range(3)]
    counter = GroupCounter(["gender"], "out", True)
    counter.feed_all(rows)
    (held,) = counter.result(min_group=50)["attributes"]
    assert held["reference"] == "M"
    female, male, other = held["groups"]
    assert female["ratio"] == pytest.approx(2 / 3)
    assert female["ratio_interval"][0] < 2 / 3 < female["ratio_interval"][1]
    assert female["difference"] == pytest.approx(0.1)
    assert male["ratio"] == 1
    assert other["n"] == 3


def test_nobody_selected_leaves_ratios_undefined() -> None:
    (held,) = count([{"gender": "F", "out": 0}, {"gender": "M", "out": 0}])["attributes"]
    assert held["figures"]["demographic_parity_ratio"] is None
    assert held["groups"][0]["ratio"] is None
    assert held["groups"][0]["ratio_interval"] == [0.0, None]


def test_everybody_selected_is_equal() -> None:
    (held,) = count([{"gender": "F", "out": 1}, {"gender": "M", "out": 1}])["attributes"]
    assert held["figures"]["demographic_parity_ratio"] == 1


def test_a_column_that_no_row_has_is_named() -> None:
    with pytest.raises(FairnessError, match="no column age_band") as refused:
        count([{"gender": "F", "out": 1}], "gender", "age_band")
    assert refused.value.params == {"column": "age_band"}
    with pytest.raises(FairnessError, match="no column score"):
        GroupCounter(["gender"], "score", 1, columns=["gender"])


def test_a_column_that_some_rows_omit_is_missing_there() -> None:
    (held,) = count([{"out": 1}, {"gender": "F", "out": 1}])["attributes"]
    assert [group["group"] for group in held["groups"]] == [MISSING, "F"]


def test_values_that_only_look_alike_stay_two() -> None:
    alike = ["F", "F\u202e", "F\0", "é", "x" * 200, "x" * 300, "x" * 299 + "y", "x" * 500 + "z"]
    (held,) = count([{"gender": one, "out": 1} for one in alike])["attributes"]
    names = [group["group"] for group in held["groups"]]
    assert len(names) == len(alike) - 1, "what cannot be seen is one mark, whatever it is"
    assert all(name.isprintable() and len(name) <= MAX_TEXT for name in names)
    assert [spelling(name) for name in names] == names


def test_crossed_groups_of_one_spelling_have_two_names() -> None:
    rows = [{"a": "A", "b": "B × C", "out": n < 500} for n in range(600)]
    rows += [{"a": "A × B", "b": "C", "out": 0} for _ in range(600)]
    (cross,) = count(rows, "a", "b", crosses=[("a", "b")], favourable=True)["intersections"]
    assert [name_of(key_of(group)) for group in cross["groups"]] == ["A × “B × C”", "“A × B” × C"]
    metric = {"name": "demographic_parity_ratio", "by": [["a", "b"]], "min": 0.8}
    (row,) = assess(count(rows, "a", "b", crosses=[("a", "b")], favourable=True), [metric])
    assert (row["state"], row["group"], row["value"]) == ("not_met", "“A × B” × C", 0.0)


@QUICK
@given(st.lists(st.tuples(*[st.text("a×“” ", min_size=1, max_size=6)] * 2), unique=True, max_size=30))
def test_no_two_groups_have_one_name(keys: list[tuple[str, str]]) -> None:
    assert len({name_of(key) for key in keys}) == len(keys)


def test_names_that_are_no_groups_are_refused_in_bounded_memory() -> None:
    counter = GroupCounter(["gender"], "out", 1)
    with pytest.raises(FairnessError, match=f"column gender has more than {MAX_GROUPS}"):
        counter.feed_all({"gender": f"person {n}", "out": 1} for n in range(10**9))


def test_a_score_is_no_decision() -> None:
    with pytest.raises(FairnessError, match="column out has more than 100 different values"):
        count([{"gender": "F", "out": n / 1000} for n in range(1000)])


def test_no_rows_and_no_names_are_refused() -> None:
    with pytest.raises(FairnessError, match="holds no rows"):
        count([])
    with pytest.raises(FairnessError, match="No sensitive column"):
        GroupCounter([], "out", 1)
    with pytest.raises(FairnessError, match="No favourable outcome"):
        GroupCounter(["gender"], "out", "")


def test_a_short_row_and_rows_without_names_are_refused() -> None:
    counter = GroupCounter(["gender"], "out", 1, columns=["gender", "out"])
    counter.feed(("F", 1))
    with pytest.raises(FairnessError, match="Row 2 has 1 values"):
        counter.feed(("F",))
    with pytest.raises(FairnessError, match="without column names"):
        GroupCounter(["gender"], "out", 1).feed(("F", 1))


def test_too_many_intersections_are_left_out() -> None:
    rows = [{"a": i, "b": j, "out": 1} for i in range(40) for j in range(40)]
    result = count(rows, "a", "b", crosses=[("a", "b")])
    assert [(held["attributes"], held["groups"]) for held in result["intersections"]] == [(["a", "b"], None)]
    assert [held["attribute"] for held in result["attributes"]] == ["a", "b"]
    assert count(rows, "a")["intersections"] == []


def test_a_cross_is_counted_once_in_the_order_of_the_columns() -> None:
    rows = [{"gender": "F", "age": "1", "out": 1}]
    result = count(rows, "gender", "age", crosses=[("age", "gender"), ("gender", "age")])
    assert [held["attributes"] for held in result["intersections"]] == [["gender", "age"]]


def scored(*rows: tuple[object, object, object]) -> list[dict[str, Any]]:
    return [{"gender": "F", "out": 1, "real": real, "p": p} for real, p, times in rows for _ in range(times)]  # type: ignore[call-overload]


def test_calibration_is_what_happened_less_what_was_predicted() -> None:
    rows = scored(
        (1, 0.75, 30), (0, 0.25, 70), (None, 0.5, 9), (1, None, 9), (0, float("nan"), 9), (0, "", 9)
    )
    ((group,),) = (held["groups"] for held in count(rows, label="real", score="p")["attributes"])
    told = group["calibration"]
    assert (told["n"], told["positives"], told["observed"]) == (100, 30, 0.3)
    assert told["mean_score"] == pytest.approx(0.4, abs=1e-12)
    assert told["gap"] == pytest.approx(-0.1, abs=1e-12)
    low, high = wilson(30, 100)
    assert told["interval"] == pytest.approx([low - 0.4, high - 0.4], abs=1e-12)


@QUICK
@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.floats(0, 1)), min_size=1, max_size=50), st.randoms())
def test_scores_add_up_alike_in_any_order(pairs: list[tuple[int, float]], chance: random.Random) -> None:
    rows = [{"gender": "F", "out": 1, "real": real, "p": p} for real, p in pairs]
    shuffled = list(rows)
    chance.shuffle(shuffled)
    assert count(rows, label="real", score="p") == count(shuffled, label="real", score="p")


@pytest.mark.parametrize("value", [1.5, -0.1, "high", True, "inf", "0,5"])
def test_what_is_no_probability_is_refused_without_telling_it(value: object) -> None:
    with pytest.raises(FairnessError, match="column p holds something in row 1 that is no probability") as no:
        count([{"gender": "F", "out": 1, "real": 1, "p": value}], label="real", score="p")
    assert str(value) not in str(no.value).replace("row 1 ", "").replace("between 0 and 1", "")
    assert no.value.params == {"column": "p"}


def test_scores_without_labels_say_nothing() -> None:
    with pytest.raises(FairnessError, match="no label column"):
        GroupCounter(["gender"], "out", 1, score="p")


def test_many_rows_hold_only_counts() -> None:
    counter = GroupCounter(["gender", "age"], "out", "1", columns=["gender", "age", "out"])
    for n in range(60_000):
        counter.feed((("F", "M")[n % 2], str(n % 7), str(n % 3 % 2)))
    assert len(counter._buffer) <= 2 * 7 * 2
    assert sum(group["n"] for group in counter.result()["attributes"][1]["groups"]) == 60_000


def resident() -> int:
    """Bytes of memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("rows", [100_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_memory_does_not_grow_with_the_rows(rows: int) -> None:
    """Every row another score, labels and crosses: at most 4 MiB more, however many rows there are."""
    columns = ["gender", "age", "region", "out", "real", "p"]
    counter = GroupCounter(
        ["gender", "age", "region"],
        "out",
        "1",
        "real",
        score="p",
        crosses=[("gender", "age"), ("gender", "age", "region")],
        columns=columns,
    )

    def stream() -> Iterator[list[str]]:
        for n in range(rows):
            score = f"{n * 0.61803 % 1:.9f}"
            yield ["FMX"[n % 3], str(n % 7), str(n % 11), str(n % 5 % 2), str(n % 13 % 2), score]

    before = resident()
    counter.feed_all(stream())
    result = counter.result()
    assert resident() - before < 4 * 2**20
    assert result["rows"] == rows
    for table in tables(result):
        assert table.groups is not None
        assert sum(group["n"] for group in table.groups) == rows
        assert sum(group["calibration"]["n"] for group in table.groups) == rows
