"""The benchmarks' frame: ratios, goals and the three ways to ask for them."""

import json
import os
import subprocess
import sys

import pytest

from tests.bench.__main__ import main
from tests.bench.registry import Benchmark, Measured, measure
from tests.conventions.tree import ROOT


@pytest.mark.parametrize(
    ("figures", "goal", "ratio", "holds"),
    [
        (Measured(3.0, 2.0), 1.5, 1.5, True),
        (Measured(3.1, 2.0), 1.5, 1.55, False),
        (Measured(300.0), 400.0, None, True),
        (Measured(500.0), 400.0, None, False),
    ],
)
def test_a_goal_bounds_the_ratio_or_what_has_no_floor(
    figures: Measured, goal: float, ratio: float | None, holds: bool
) -> None:
    result = measure(Benchmark("x", "s", goal, lambda: figures))
    assert (result.ratio, result.holds) == (ratio, holds)


def test_json_is_one_object_a_line() -> None:
    fresh = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_TEST_RUN")}
    command = [sys.executable, "-m", "tests.bench", "canonical-digest", "--json"]
    answer = subprocess.run(command, cwd=ROOT, env=fresh, capture_output=True, text=True)
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [line["name"] for line in lines] == ["canonical-digest"], answer.stderr
    assert set(lines[0]) == {"name", "measured", "floor", "unit", "ratio", "goal", "holds"}
    assert lines[0]["ratio"] == pytest.approx(lines[0]["measured"] / lines[0]["floor"], rel=0.05)


def test_an_unknown_name_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing-of-the-kind"]) == 2
    assert "canonical-digest" in capsys.readouterr().err
