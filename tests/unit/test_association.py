"""How closely two columns go together: held to SciPy, to what is true, and to the promised coverage."""

import random
import tracemalloc
from typing import Any

import numpy
import pytest

from governance.association import (
    CRAMERS_V,
    MOST_VALUES,
    ONE_GROUP,
    TOO_FEW,
    TOO_MANY,
    Association,
    AssociationCounter,
    _below,
    _Sums,
    correlation_ratio,
    cramers_v,
)
from tests.late import Late

scipy_stats = Late("scipy.stats")


def counted(rows: list[tuple[Any, Any]], *, numeric: bool = False) -> dict[str, Any]:
    counter = AssociationCounter(
        ["feature"], ["group"], numeric=["feature"] if numeric else (), columns=["feature", "group"]
    )
    for row in rows:
        counter.feed(row)
    return counter.result()


def only(rows: list[tuple[Any, Any]], *, numeric: bool = False) -> dict[str, Any]:
    (found,) = counted(rows, numeric=numeric)["rows"]
    return dict(found)


def test_cramers_v_agrees_with_scipy_on_many_rows() -> None:
    rng = numpy.random.default_rng(5)
    for _case in range(50):
        shape = rng.integers(2, 6, size=2)
        table = rng.integers(200, 3000, size=shape)
        counts = {(i, j): int(table[i, j]) for i in range(shape[0]) for j in range(shape[1])}
        found = cramers_v(counts)
        assert isinstance(found, Association)
        n = int(table.sum())
        chi = scipy_stats.chi2_contingency(table, correction=False).statistic
        df = (shape[0] - 1) * (shape[1] - 1)
        corrected = max(0.0, chi / n - df / (n - 1))
        side = min(s - (s - 1) ** 2 / (n - 1) for s in shape) - 1
        assert found.value == pytest.approx((corrected / side) ** 0.5, abs=1e-9)
        assert found.value == pytest.approx(
            scipy_stats.contingency.association(table, method="cramer"), abs=0.02
        )


@pytest.mark.parametrize("df", [1, 2, 3, 4, 20])
@pytest.mark.parametrize("noncentrality", [0.5, 5.0, 80.0, 5000.0])
def test_the_noncentral_chi_square_is_near_scipys(df: int, noncentrality: float) -> None:
    for share in (0.025, 0.3, 0.5, 0.8, 0.975):
        chi = float(scipy_stats.ncx2.ppf(share, df, noncentrality))
        assert _below(chi, df, noncentrality) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("true", [0.1, 0.3, 0.5])
def test_the_interval_of_a_fourfold_table_holds_what_is_true(true: float) -> None:
    """Two halves and two halves, at phi `true`: the four cells are drawn at once, 2,000 times."""
    rng = numpy.random.default_rng(11)
    cells = [(1 + true) / 4, (1 - true) / 4, (1 - true) / 4, (1 + true) / 4]
    drawn = rng.multinomial(500, cells, size=2000)
    held = 0
    for a, b, c, d in drawn.tolist():
        found = cramers_v({(0, 0): a, (0, 1): b, (1, 0): c, (1, 1): d})
        assert isinstance(found, Association)
        held += found.interval[0] <= true <= found.interval[1]
    assert 0.92 <= held / 2000 <= 0.985


def test_what_tells_the_group_is_one_and_what_does_not_is_nought() -> None:
    rng = random.Random(3)
    groups = [rng.choice("FM") for _row in range(3000)]
    same = only([(group.lower(), group) for group in groups])
    assert (same["measure"], same["n"]) == (CRAMERS_V, 3000)
    assert same["value"] == pytest.approx(1.0, abs=0.001)
    apart = only([(rng.choice("abcd"), group) for group in groups])
    assert apart["value"] < 0.06
    assert apart["interval"][1] < 0.1
    shifted = only([(rng.gauss(3.0 if g == "F" else 0.0, 1.0), g) for g in groups], numeric=True)
    assert shifted["value"] + 0.01 >= 0.83
    assert shifted["value"] < 0.9


def test_the_correlation_ratio_is_that_of_the_sums() -> None:
    rng = numpy.random.default_rng(12)
    drawn = [rng.normal(place, 2.0, 400) for place in (0.0, 0.5, 2.0)]
    sums = []
    for values in drawn:
        held = _Sums()
        for value in values.tolist():
            held.add(value)
        sums.append(held)
    every = numpy.concatenate(drawn)
    between = sum(400 * (values.mean() - every.mean()) ** 2 for values in drawn)
    share = between / ((every - every.mean()) ** 2).sum()
    found = correlation_ratio(sums)
    assert isinstance(found, Association)
    assert found.value == pytest.approx((1 - (1 - share) * 1199 / 1197) ** 0.5, abs=1e-9)
    assert found.interval[0] < found.value < found.interval[1] < found.value + 0.06


def test_a_shape_without_another_mean_is_seen() -> None:
    rng = random.Random(4)
    rows = [(rng.gauss(0, 5.0 if number % 2 else 0.2), "FM"[number % 2]) for number in range(4000)]
    found = only(rows, numeric=True)
    assert found["measure"] == CRAMERS_V
    assert found["value"] > 0.7


def test_many_rare_values_do_not_look_like_a_proxy() -> None:
    rng = random.Random(6)
    rows = [(rng.randrange(45), rng.choice("FM")) for _row in range(1200)]
    assert only(rows)["interval"][1] < 0.3


@pytest.mark.parametrize(
    "rows, reason",
    [
        ([("a", "F")] * 29, TOO_FEW),
        ([("a", "F"), ("b", "F")] * 50, ONE_GROUP),
        ([("a", None), ("b", ""), ("b", "F")] * 25, TOO_FEW),
        ([("a", number) for number in range(MOST_VALUES + 1)] * 3, TOO_MANY),
    ],
)
def test_what_cannot_be_counted_says_why(rows: list[tuple[Any, Any]], reason: str) -> None:
    found = counted(rows)
    assert found["rows"] == []
    assert found["not_counted"] == [{"feature": "feature", "of": "group", "reason": reason}]


def test_odd_numbers_are_missing_values() -> None:
    odd = [float("nan"), "x", None, float("inf"), 1e300, True, ""]
    rows: list[tuple[Any, Any]] = [(odd[n % len(odd)] if n % 2 else str(n), "FM"[n % 2]) for n in range(600)]
    found = only(rows, numeric=True)
    assert found["value"] == pytest.approx(1.0, abs=0.01)  # that it is missing tells the group


def test_a_constant_tells_nothing() -> None:
    assert only([("a", "F"), ("a", "M")] * 50)["value"] == 0
    assert only([(1, "F"), (1, "M")] * 50, numeric=True)["value"] == 0


def test_memory_does_not_grow_with_the_rows() -> None:
    features = [f"f{number}" for number in range(4)]
    counter = AssociationCounter(features, ["g", "h"], numeric=features[:2], columns=[*features, "g", "h"])
    rng = random.Random(8)

    def rows(count: int) -> None:
        for _row in range(count):
            counter.feed([rng.random() for _one in features] + [rng.choice("ab"), rng.choice("cd")])

    rows(5_000)
    tracemalloc.start()
    rows(20_000)
    grown, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 200_000
