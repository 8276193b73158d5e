"""The wait between two looks: short at first, then a share of the elapsed time, never long."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.dss.polling import next_delay, poll_until


@pytest.mark.parametrize(
    "elapsed, delay", [(0, 0.05), (0.5, 0.05), (1, 0.05), (10, 0.5), (40, 2.0), (3600, 2.0), (-5, 0.05)]
)
def test_the_delay_follows_the_elapsed_time(elapsed: float, delay: float) -> None:
    assert next_delay(elapsed) == pytest.approx(delay)


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_the_delay_only_grows(one: float, two: float) -> None:
    low, high = sorted((one, two))
    assert 0.05 <= next_delay(low) <= next_delay(high) <= 2


@given(st.floats(0.1, 5000))
def test_the_end_is_seen_within_a_twentieth_of_the_work(work: float) -> None:
    elapsed = 0.0
    looks = 0
    while elapsed < work:
        elapsed += next_delay(elapsed)
        looks += 1
    assert elapsed - work <= max(0.05, min(2.0, work / 20)) * 1.001
    assert looks < 100 + work / 2


def test_poll_until_returns_the_first_find() -> None:
    answers = iter([None, None, 0])
    slept: list[float] = []
    ticks = itertools.count(0, 10)
    found = poll_until(lambda: next(answers), timeout=100, clock=lambda: next(ticks), sleep=slept.append)
    assert found == 0
    assert slept == [0.5, 1.0]


def test_poll_until_looks_once_more_at_the_deadline() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    looks: list[float] = []

    def look() -> None:
        looks.append(now[0])

    with pytest.raises(TimeoutError, match=r"not over after 0\.12 s"):
        poll_until(look, timeout=0.12, clock=lambda: now[0], sleep=sleep)
    assert looks[-1] == pytest.approx(0.12)
