"""The intervals against published figures, against their definition, and at the edges where others break."""

from math import inf, isclose

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.intervals import Z95, difference, ratio, score, wilson

QUICK = settings(database=None, deadline=None, max_examples=150)
COUNTS = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_wilson_as_published() -> None:
    # Newcombe 1998 (a), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (hits, n), limits in published.items():
        assert wilson(hits, n) == pytest.approx(limits, abs=5e-5)


def test_difference_as_published() -> None:
    # Newcombe 1998 (b), table II, method 10: 56/70 - 48/80 and 10/10 - 0/20.
    assert difference(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference(10, 10, 0, 20) == pytest.approx((0.6791, 1.0), abs=5e-5)


def test_ratio_as_published() -> None:
    # Koopman 1984: 36 of 40 against 16 of 80.
    assert ratio(36, 40, 16, 80) == pytest.approx((2.94, 7.15), abs=5e-3)


def test_ratio_without_hits() -> None:
    assert ratio(0, 40, 0, 80) == (0.0, inf)
    low, high = ratio(0, 40, 16, 80)
    assert low == 0
    assert 0.3 < high < 0.6
    low, high = ratio(5, 40, 0, 80)
    assert low > 1
    assert high == inf


def test_ratio_where_everybody_is_selected() -> None:
    low, high = ratio(50, 50, 80, 80)
    assert low < 1 < high
    assert isclose(low, 50 / (50 + Z95**2), rel_tol=1e-6)


def test_ratio_of_large_counts_is_narrow() -> None:
    low, high = ratio(2_800_000, 10_000_000, 3_000_000, 10_000_000)
    assert 0.930 < low < 28 / 30 < high < 0.936


@pytest.mark.parametrize("hits, n", [(1, 0), (-1, 5), (6, 5), (0, -1)])
def test_no_count_is_refused(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="is not a count"):
        wilson(hits, n)
    with pytest.raises(ValueError, match="is not a count"):
        ratio(hits, n, 1, 2)


@QUICK
@given(COUNTS)
def test_wilson_holds_its_rate(count: tuple[int, int]) -> None:
    low, high = wilson(*count)
    assert 0 <= low <= count[0] / count[1] <= high <= 1
    assert high - low < 1


@QUICK
@given(COUNTS, COUNTS)
def test_ratio_is_the_inverted_score(one: tuple[int, int], base: tuple[int, int]) -> None:
    low, high = ratio(*one, *base)
    if low > 0:
        assert score(*one, *base, low) == pytest.approx(Z95, abs=1e-5)
    if high < inf:
        assert score(*one, *base, high) == pytest.approx(-Z95, abs=1e-5)
    if base[0]:
        assert low <= one[0] / one[1] / (base[0] / base[1]) <= high


@QUICK
@given(COUNTS, COUNTS)
def test_swapping_the_groups_inverts_the_ratio(one: tuple[int, int], base: tuple[int, int]) -> None:
    low, high = ratio(*one, *base)
    other_low, other_high = ratio(*base, *one)
    assert low == pytest.approx(1 / other_high if other_high < inf else 0.0, rel=1e-6, abs=1e-12)
    assert other_low == pytest.approx(1 / high if high < inf else 0.0, rel=1e-6, abs=1e-12)


@QUICK
@given(COUNTS, COUNTS)
def test_swapping_the_groups_turns_the_difference(one: tuple[int, int], base: tuple[int, int]) -> None:
    low, high = difference(*one, *base)
    other_low, other_high = difference(*base, *one)
    assert -1 <= low <= one[0] / one[1] - base[0] / base[1] <= high <= 1
    assert (low, high) == pytest.approx((-other_high, -other_low))
