"""The people and machines behind the demo data sets: made up row by row from a seed, scored by a model's formula.

Rows depend on the population and the row number alone, so any count can be streamed and two reads agree; predictions
come from the coefficients of the model version that is active where the data is read. Real models are not linear; a
logistic formula keeps importance and group rates exact and explainable.
"""

import bisect
import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

_BLOCK = 500

Values = tuple[str | int | float, ...]


@dataclass(frozen=True, slots=True)
class Category:
    """A column of named groups with their shares and how much each shifts the `shifted` numeric column."""

    name: str
    shares: dict[str, float]
    shift: dict[str, float]


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric column, spread over [low, high]; `power` above 1 leans to the low end."""

    name: str
    low: float
    high: float
    power: float
    decimals: int


@dataclass(frozen=True, slots=True)
class Population:
    """How one scored data set is made: its columns, and the true odds of the outcome.

    `truth` maps columns (or column=value) to weights, `centre` the numeric columns to their centre. A row has
    id, categories, numbers, label; a scored row adds prediction and probability.
    """

    seed: str
    id_column: str
    id_prefix: str
    categories: tuple[Category, ...]
    numbers: tuple[Number, ...]
    shifted: str
    label: str
    intercept: float
    truth: dict[str, float]
    centre: dict[str, float]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the raw columns, label included."""
        return (
            self.id_column,
            *(column.name for column in self.categories),
            *(column.name for column in self.numbers),
            self.label,
        )

    def column_type(self, name: str) -> str:
        """The DSS type of a raw column."""
        if name == self.label:
            return "bigint"
        for column in self.numbers:
            if column.name == name:
                return "bigint" if column.decimals == 0 else "double"
        return "string"

    def rows(self, count: int) -> Iterator[Values]:
        """The first `count` rows, each the values of `columns`."""
        for block in range((count + _BLOCK - 1) // _BLOCK):
            yield from itertools.islice(self._block(block), min(_BLOCK, count - block * _BLOCK))

    def _block(self, block: int) -> Iterator[Values]:
        draw = random.Random(f"{self.seed}:{block}").random
        plans = [
            (
                list(column.shares),
                list(itertools.accumulate(column.shares.values())),
                column.shift,
                column.name,
            )
            for column in self.categories
        ]
        shifted = [column.name for column in self.numbers].index(self.shifted)
        weights = [self.truth.get(column.name, 0.0) for column in self.numbers]
        centres = [self.centre.get(column.name, 0.0) for column in self.numbers]
        for offset in range(_BLOCK):
            groups: list[str] = []
            shift = 0.0
            odds = self.intercept
            for names, bounds, shifts, name in plans:
                group = names[min(bisect.bisect(bounds, draw()), len(names) - 1)]
                groups.append(group)
                shift += shifts.get(group, 0.0)
                odds += self.truth.get(f"{name}={group}", 0.0)
            values: list[int | float] = []
            for index, column in enumerate(self.numbers):
                value = column.low + (column.high - column.low) * draw() ** column.power
                if index == shifted:
                    value = min(max(value + shift, column.low), column.high)
                value = round(value, column.decimals) if column.decimals else int(value)
                values.append(value)
                odds += weights[index] * (value - centres[index])
            label = int(draw() < 1 / (1 + math.exp(-odds)))
            yield (f"{self.id_prefix}{block * _BLOCK + offset + 1:07d}", *groups, *values, label)


@dataclass(frozen=True, slots=True)
class Formula:
    """A trained model as its coefficients: numeric inputs by name, groups by `column=value`, and a threshold."""

    intercept: float
    weights: dict[str, float]
    centre: dict[str, float]
    threshold: float

    def inputs(self) -> tuple[str, ...]:
        """The columns the model looks at, in order of their first coefficient."""
        return tuple(dict.fromkeys(name.partition("=")[0] for name in self.weights))

    def odds(self, population: Population) -> Callable[[Values], float]:
        """A fast function from a raw row to its log-odds."""
        first = 1 + len(population.categories)
        groups = [
            (
                1 + index,
                {value: self.weights.get(f"{column.name}={value}", 0.0) for value in column.shares},
            )
            for index, column in enumerate(population.categories)
            if any(f"{column.name}={value}" in self.weights for value in column.shares)
        ]
        numbers = [
            (first + index, self.weights[column.name], self.centre.get(column.name, 0.0))
            for index, column in enumerate(population.numbers)
            if column.name in self.weights
        ]
        intercept = self.intercept

        def score(row: Values) -> float:
            odds = intercept
            for index, by_value in groups:
                odds += by_value[row[index]]  # type: ignore[index]
            for index, weight, centre in numbers:
                odds += weight * (row[index] - centre)  # type: ignore[operator]
            return odds

        return score


@dataclass(frozen=True, slots=True)
class Scored:
    """One scored row: its raw values, the probability, and whether it is selected."""

    row: Values
    probability: float
    selected: bool


def scored(population: Population, formula: Formula, count: int) -> Iterator[Scored]:
    """The first `count` rows with the model's word on each."""
    score = formula.odds(population)
    for row in population.rows(count):
        probability = 1 / (1 + math.exp(-score(row)))
        yield Scored(row, probability, probability >= formula.threshold)


@lru_cache(maxsize=8)
def sample(seed: str, count: int) -> tuple[Values, ...]:
    """A kept sample of a population's rows, for analyses that pass over it more than once."""
    return tuple(POPULATIONS[seed].rows(count))


POPULATIONS: dict[str, Population] = {
    population.seed: population
    for population in (
        Population(
            seed="churn-customers",
            id_column="customer_id",
            id_prefix="C",
            categories=(
                Category("gender", {"female": 0.49, "male": 0.51}, {"female": -2.4}),
                Category("age_band", {"18-29": 0.22, "30-44": 0.34, "45-59": 0.27, "60+": 0.17}, {}),
            ),
            numbers=(
                Number("tenure_months", 1, 72, 1.2, 0),
                Number("monthly_charge", 18, 113, 1.0, 2),
            ),
            shifted="monthly_charge",
            label="churned",
            intercept=-1.0,
            truth={"tenure_months": -0.045, "monthly_charge": 0.03},
            centre={"tenure_months": 33, "monthly_charge": 65},
        ),
        Population(
            seed="card-payments",
            id_column="payment_id",
            id_prefix="P",
            categories=(
                Category("channel", {"in store": 0.55, "online": 0.38, "by phone": 0.07}, {"online": 12}),
                Category("card_country", {"domestic": 0.82, "abroad": 0.18}, {"abroad": 9}),
            ),
            numbers=(
                Number("amount", 1, 900, 3.0, 2),
                Number("hour", 0, 24, 0.9, 0),
            ),
            shifted="amount",
            label="fraud",
            intercept=-3.4,
            truth={
                "amount": 0.004,
                "channel=online": 0.8,
                "channel=by phone": 1.2,
                "card_country=abroad": 0.9,
            },
            centre={"amount": 220, "hour": 12},
        ),
        Population(
            seed="machines",
            id_column="machine_id",
            id_prefix="M",
            categories=(Category("site", {"north": 0.4, "south": 0.35, "harbour": 0.25}, {}),),
            numbers=(
                Number("running_hours", 10, 9000, 1.3, 0),
                Number("vibration", 0.1, 7.5, 1.6, 2),
            ),
            shifted="vibration",
            label="failed",
            intercept=-2.2,
            truth={"running_hours": 0.0004, "vibration": 0.6},
            centre={"running_hours": 3900, "vibration": 2.9},
        ),
    )
}
