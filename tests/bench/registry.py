"""The benchmarks by name, and what one of them returns."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured and its floor, both in the benchmark's unit; without a floor the measurement stands alone."""

    measured: float
    floor: float | None = None


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`goal` bounds the ratio of measured to floor from above, or the measurement itself where there is no floor."""

    name: str
    unit: str
    goal: float
    run: Callable[[], Measured]


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the answer; `ratio` is None where there is no floor."""

    name: str
    measured: float
    floor: float | None
    unit: str
    ratio: float | None
    goal: float
    holds: bool


BENCHMARKS: dict[str, Benchmark] = {}


def benchmark(
    name: str, *, unit: str, goal: float
) -> Callable[[Callable[[], Measured]], Callable[[], Measured]]:
    """Register a function under a name. Its docstring's first line says what is measured against what."""

    def register(run: Callable[[], Measured]) -> Callable[[], Measured]:
        if name in BENCHMARKS:
            raise ValueError(f"two benchmarks are called {name}")
        BENCHMARKS[name] = Benchmark(name, unit, goal, run)
        return run

    return register


def measure(found: Benchmark) -> Result:
    """Run one benchmark and judge it."""
    figures = found.run()
    ratio = figures.measured / figures.floor if figures.floor else None
    return Result(
        name=found.name,
        measured=round(figures.measured, 4),
        floor=None if figures.floor is None else round(figures.floor, 4),
        unit=found.unit,
        ratio=None if ratio is None else round(ratio, 3),
        goal=found.goal,
        holds=(figures.measured if ratio is None else ratio) <= found.goal,
    )
