"""What counts by group come to: every metric, crosses of columns, and each reason why nobody can tell."""

from typing import Any

import pytest

from governance import parity
from governance.fairness import GroupCounter

METRIC = {"name": "demographic_parity_ratio", "by": ["gender"], "min": 0.8, "min_group": 50}


def group(
    name: str | list[str], n: int = 4000, tpr: float = 0.75, fpr: float = 0.25, mean_score: float = 0.5
) -> dict[str, Any]:
    """Half of them qualify."""
    half = n // 2
    found, wrong = round(half * tpr), round(half * fpr)
    return {
        "group": name,
        "n": n,
        "selected": found + wrong,
        "positives": half,
        "true_positives": found,
        "negatives": half,
        "false_positives": wrong,
        "calibration": {
            "n": n,
            "positives": half,
            "mean_score": mean_score,
            "observed": 0.5,
            "bins": [{"from": 0.5, "to": 0.6, "n": n, "positives": half, "mean_score": mean_score}],
        },
    }


def result(*groups: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"v": 2, "min_group": 50, "attributes": [{"attribute": "gender", "groups": groups}], **more}


def assessed(
    held: dict[str, Any], name: str, limit: float, by: Any = "gender", least: int = 50
) -> dict[str, Any]:
    threshold = {"min" if name.endswith("_ratio") else "max": limit}
    (row,) = parity.assess(held, [{"name": name, "by": [by], "min_group": least, **threshold}])
    return row


EVEN = result(group("F"), group("M"))
FOUND_LESS = result(group("F", tpr=0.5), group("M"))
WRONG_MORE = result(group("F", fpr=0.5), group("M"))


@pytest.mark.parametrize(
    "name, limit, bad",
    [
        ("demographic_parity_ratio", 0.8, FOUND_LESS),
        ("demographic_parity_difference", 0.1, FOUND_LESS),
        ("equal_opportunity_ratio", 0.8, FOUND_LESS),
        ("equal_opportunity_difference", 0.1, FOUND_LESS),
        ("false_positive_rate_ratio", 0.8, WRONG_MORE),
        ("false_positive_rate_difference", 0.1, WRONG_MORE),
        ("equalized_odds_ratio", 0.8, FOUND_LESS),
        ("equalized_odds_ratio", 0.8, WRONG_MORE),
        ("equalized_odds_difference", 0.1, WRONG_MORE),
        ("predictive_parity_ratio", 0.9, WRONG_MORE),
        ("predictive_parity_difference", 0.1, WRONG_MORE),
        ("calibration_difference", 0.1, result(group("F", mean_score=0.65), group("M"))),
        ("calibration_by_score_difference", 0.1, result(group("F", mean_score=0.65), group("M"))),
    ],
)
def test_every_metric_tells_even_from_uneven(name: str, limit: float, bad: dict[str, Any]) -> None:
    better = 0.6 if name == "false_positive_rate_ratio" or name == "equalized_odds_ratio" else limit
    assert assessed(EVEN, name, min(limit, better))["state"] == "met"
    row = assessed(bad, name, limit)
    assert (row["state"], row["reason"]) == ("not_met", "beyond")
    assert row["interval"][0] <= row["value"] <= row["interval"][1]


def test_every_metric_is_tried() -> None:
    (mark,) = test_every_metric_tells_even_from_uneven.pytestmark
    tried = {case[0] for case in mark.args[1]}
    assert tried == set(parity.METRICS)


def test_a_group_is_held_against_what_was_predicted_of_it_alone() -> None:
    row = assessed(result(group("F", mean_score=0.65), group("M")), "calibration_difference", 0.1)
    assert (row["group"], row["reference"], row["value"]) == ("F", None, pytest.approx(0.15))
    assert [(held["group"], held["state"]) for held in row["groups"]] == [("F", "not_met"), ("M", "met")]
    doubt = assessed(result(group("F", mean_score=0.41)), "calibration_difference", 0.1)
    assert (doubt["state"], doubt["reason"]) == ("cannot_tell", "crosses")
    within = assessed(result(group("F", mean_score=0.501)), "calibration_difference", 0.1)
    assert within["interval"][0] == 0.0  # below and above what happened are both possible
    nobody = result({**group("F"), "calibration": None}, group("M"))
    assert assessed(nobody, "calibration_difference", 0.1)["reason"] == "undefined"


def crossed(*cells: dict[str, Any] | None) -> dict[str, Any]:
    groups = [cell for cell in cells if cell]
    held = {"attributes": ["gender", "age"], "groups": groups}
    return result(group("F"), group("M"), intersections=[held])


FOUR = [group([gender, age]) for gender in "FM" for age in ("18", "60")]


def test_a_cross_is_judged_where_each_column_alone_is_well() -> None:
    held = crossed(group(["F", "60"], tpr=0.4, fpr=0.1), *FOUR[:1], *FOUR[2:])
    assert assessed(held, "demographic_parity_ratio", 0.8)["state"] == "met"
    row = assessed(held, "demographic_parity_ratio", 0.8, ["gender", "age"])
    assert (row["state"], row["by"], row["group"]) == ("not_met", ["gender", "age"], "F × 60")
    assert assessed(held, "equal_opportunity_difference", 0.1, ["age", "gender"])["state"] == "not_met"


def test_a_cross_of_the_first_shape_is_read() -> None:
    held = {**EVEN, "v": 1, "intersections": {"attributes": ["gender", "age"], "groups": FOUR}}
    assert assessed(held, "demographic_parity_ratio", 0.8, ["gender", "age"])["state"] == "met"
    for nothing in (None, {**EVEN}.get("intersections")):
        none = {**EVEN, "v": 1, "intersections": nothing}
        assert assessed(none, "demographic_parity_ratio", 0.8, ["gender", "age"])["reason"] == "not_counted"


NO_LABEL = {key: value for key, value in group("F").items() if key in ("group", "n", "selected")}


@pytest.mark.parametrize(
    "held, name, by, reason",
    [
        (EVEN, "demographic_parity_ratio", "age", "not_counted"),
        (EVEN, "demographic_parity_ratio", ["gender", "age"], "not_counted"),
        (result(NO_LABEL), "equal_opportunity_ratio", "gender", "no_label"),
        (result(NO_LABEL), "calibration_difference", "gender", "no_score"),
        (
            result(group("F"), intersections=[{"attributes": ["gender", "age"], "groups": None}]),
            "demographic_parity_ratio",
            ["gender", "age"],
            "too_many_groups",
        ),
        (result(), "demographic_parity_ratio", "gender", "not_counted"),
        (
            crossed(*FOUR[:3], {**FOUR[3], "n": 0, "selected": 0}),
            "demographic_parity_ratio",
            ["gender", "age"],
            "small_group",
        ),
    ],
)
def test_what_was_not_there_cannot_be_told(held: dict[str, Any], name: str, by: Any, reason: str) -> None:
    row = assessed(held, name, 0.6, by)
    assert (row["state"], row["reason"]) == ("cannot_tell", reason)


def of_rows(*rows: tuple[str, int, int, float]) -> dict[str, Any]:
    """Counted as the portal counts: gender, outcome, label, score, a hundred times each."""
    counter = GroupCounter(["gender"], "out", 1, "real", score="p")
    for gender, out, real, score in rows:
        counter.feed_all([{"gender": gender, "out": out, "real": real, "p": score}] * 100)
    return counter.result(50)


@pytest.mark.parametrize("name", parity.METRICS)
@pytest.mark.parametrize(
    "held",
    [
        of_rows(*((g, 1, real, 0.5) for g in "FM" for real in (1, 1))),
        of_rows(*((g, 0, real, 0.5) for g in "FM" for real in (0, 0))),
    ],
    ids=["everybody", "nobody"],
)
def test_one_class_alone_cannot_be_told(held: dict[str, Any], name: str) -> None:
    row = assessed(held, name, 0.5)
    assert (row["state"], row["reason"]) == ("cannot_tell", "one_class")


def test_one_label_alone_cannot_be_told_but_selection_can() -> None:
    held = of_rows(*((g, out, 1, 0.5) for g in "FM" for out in (0, 1)))
    assert assessed(held, "equalized_odds_difference", 0.3)["reason"] == "one_class"
    assert assessed(held, "demographic_parity_difference", 0.3)["state"] == "met"


def test_the_first_shape_is_judged_as_it_was() -> None:
    everybody = {"F": (400, 400), "M": (400, 400)}
    groups = [{"group": name, "n": n, "selected": hits} for name, (hits, n) in everybody.items()]
    assert assessed({**result(*groups), "v": 1}, "demographic_parity_ratio", 0.8)["state"] == "met"
    assert assessed(result(*groups), "demographic_parity_ratio", 0.8)["reason"] == "one_class"


def test_a_violation_stands_though_another_rate_cannot_be_told() -> None:
    held = of_rows(("F", 0, 1, 0.5), ("F", 0, 1, 0.5), ("M", 1, 1, 0.5), ("M", 1, 1, 0.5))
    assert assessed(held, "equalized_odds_difference", 0.3)["state"] == "not_met"


def test_of_many_groups_the_worst_off_are_told() -> None:
    many = [group(f"g{n:03}") for n in range(100)] + [group("zz", tpr=0.1)]
    row = assessed(result(*many), "equal_opportunity_difference", 0.1)
    assert len(row["groups"]) == parity.MAX_NAMED
    assert row["groups"][-1]["group"] == row["group"] == "zz"


def test_what_is_told_of_groups_does_not_give_a_small_one_away() -> None:
    held = result(group("F", tpr=0.5), group("M"), group("X", n=7), rows=8007)
    row = assessed(held, "equal_opportunity_difference", 0.1)
    assert row["small"] == [{"group": "X"}]
    assert (row["state"], row["group"], row["n"], row["value"]) == ("not_met", "F", None, 0.25)
    assert row["interval"] == [round(end, 2) for end in row["interval"]]
    open_ = assessed(result(group("F", tpr=0.5), group("M")), "equal_opportunity_difference", 0.1)
    assert open_["n"] == 4000


def test_a_reference_that_is_not_published_is_not_told_by_who_is_held_against_it() -> None:
    held = result(group("F", n=4000, tpr=0.5), group("M", n=46, tpr=0.87), group("X", n=7), rows=4053)
    row = assessed(held, "equal_opportunity_ratio", 0.9, least=40)
    (female,) = row["groups"]
    assert (female["group"], female["reference"], female["n"]) == ("F", "M", 4000)
    told = [female["value"], *female["interval"]]
    assert told == [round(one, 2) for one in told], (
        "a rate over another to the last digit is the other's count"
    )
    assert row["value"] == female["value"]
