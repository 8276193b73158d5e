"""How closely the features of a model go with sensitive columns, counted from a stream of scored rows. Pure.

Keeps counts and sums only: of a column of numbers the first `PREVIEW` values stand by until its bins are known. Two
measures, both 0 where nothing goes together and 1 where one tells the other: Cramér's V of categories and of numbers
in bins, corrected for bias (W. Bergsma, J. Korean Stat. Soc. 42 (2013) 323), and the correlation ratio of numbers,
adjusted likewise. Of a column of numbers the larger of the two is told: a mean and a shape may each give a group away.
Not in charge of which features to count, of reading DSS, nor of thresholds (`governance.explained`).
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import erf, isfinite, sqrt
from typing import Any

from governance.fairness import MISSING, spelling
from governance.intervals import Interval

PREVIEW = 2000
BINS = 10
MOST_VALUES = 50  # of one column; what comes later is counted together
FEWEST = 20  # rows of a value that is looked at by itself
FEWEST_ROWS = 30
MOST_FEATURES = 50
OTHERS = "(others)"
CRAMERS_V = "cramers_v"
CORRELATION_RATIO = "correlation_ratio"
# Why an association could not be counted.
TOO_FEW, ONE_GROUP, TOO_MANY = "too_few", "one_group", "too_many_groups"


@dataclass(frozen=True, slots=True)
class Association:
    """How closely two columns go together, from 0 to 1, with its 95 % interval, of `n` rows."""

    measure: str
    value: float
    interval: Interval
    n: int


class AssociationCounter:
    """Feed it rows (sequences of the values of `columns`), ask it for the result.

    `numeric` names the features that are numbers; the others are categories. A row without a value of the sensitive
    column says nothing and is left out; a feature without one has the value "(missing)".
    """

    def __init__(
        self,
        features: Sequence[str],
        sensitive: Sequence[str],
        *,
        numeric: Sequence[str] = (),
        columns: Sequence[str],
    ) -> None:
        self.rows = 0
        self._at = {name: columns.index(name) for name in {*features, *sensitive}}
        self._groups = {name: _Values() for name in sensitive}
        self._features: dict[str, _Category | _Number] = {
            name: _Number(sensitive) if name in numeric else _Category(sensitive) for name in features
        }

    def feed(self, row: Sequence[object]) -> None:
        """Count one row."""
        self.rows += 1
        groups = {
            name: held.place(said)
            for name, held in self._groups.items()
            if (said := spelling(row[self._at[name]])) != MISSING
        }
        for name, feature in self._features.items():
            feature.feed(row[self._at[name]], groups)

    def result(self) -> dict[str, Any]:
        """JSON values: `n` rows read, `rows` a line for each pair that was counted, `not_counted` why another was not.

        Each line is `{feature, of, measure, value, interval: [low, high], n}`.
        """
        counted, missing = [], []
        for feature, of, found in self._pairs():
            if isinstance(found, str):
                missing.append({"feature": feature, "of": of, "reason": found})
                continue
            counted.append(
                {
                    "feature": feature,
                    "of": of,
                    "measure": found.measure,
                    "value": found.value,
                    "interval": list(found.interval),
                    "n": found.n,
                }
            )
        return {"n": self.rows, "rows": counted, "not_counted": missing}

    def _pairs(self) -> Iterator[tuple[str, str, Association | str]]:
        for name, feature in self._features.items():
            for of, groups in self._groups.items():
                yield name, of, TOO_MANY if groups.overflowed else feature.with_(of)


class _Values:
    """The values of a column by number, the first `MOST_VALUES` of them; what comes later is one more."""

    def __init__(self) -> None:
        self.overflowed = False
        self._known: dict[str, int] = {}

    def place(self, value: str) -> int:
        found = self._known.get(value)
        if found is None:
            if len(self._known) >= MOST_VALUES:
                self.overflowed = True
                return MOST_VALUES
            found = self._known[value] = len(self._known)
        return found


class _Category:
    def __init__(self, sensitive: Sequence[str]) -> None:
        self._values = _Values()
        self._counts: dict[str, dict[tuple[int, int], int]] = {of: {} for of in sensitive}

    def feed(self, value: object, groups: Mapping[str, int]) -> None:
        self.count(self._values.place(spelling(value)), groups)

    def count(self, place: int, groups: Mapping[str, int]) -> None:
        for of, group in groups.items():
            counts = self._counts[of]
            counts[place, group] = counts.get((place, group), 0) + 1

    def with_(self, of: str) -> Association | str:
        return cramers_v(self._counts[of])


@dataclass(slots=True)
class _Sums:
    n: int = 0
    mean: float = 0.0
    squares: float = 0.0  # summed distances from the mean, squared

    def add(self, value: float) -> None:
        self.n += 1
        gap = value - self.mean
        self.mean += gap / self.n
        self.squares += gap * (value - self.mean)


@dataclass(slots=True)
class _Number:
    sensitive: Sequence[str]
    waiting: list[tuple[float | None, Mapping[str, int]]] = field(default_factory=list)
    edges: list[float] | None = None
    binned: _Category = field(init=False)
    sums: dict[str, dict[int, _Sums]] = field(init=False)

    def __post_init__(self) -> None:
        self.binned = _Category(self.sensitive)
        self.sums = {of: {} for of in self.sensitive}

    def feed(self, value: object, groups: Mapping[str, int]) -> None:
        number = _number(value)
        if number is not None:
            for of, group in groups.items():
                self.sums[of].setdefault(group, _Sums()).add(number)
        if self.edges is None:
            self.waiting.append((number, groups))
            if len(self.waiting) >= PREVIEW:
                self._open_bins()
        else:
            self.binned.count(self._bin(number), groups)

    def _open_bins(self) -> None:
        known = sorted(number for number, _groups in self.waiting if number is not None)
        cuts = (known[len(known) * part // BINS] for part in range(1, BINS)) if known else ()
        self.edges = sorted(set(cuts))
        for number, groups in self.waiting:
            self.binned.count(self._bin(number), groups)
        self.waiting = []

    def _bin(self, number: float | None) -> int:
        return -1 if number is None else bisect_left(self.edges or [], number)

    def with_(self, of: str) -> Association | str:
        if self.edges is None:
            self._open_bins()
        shape, mean = self.binned.with_(of), correlation_ratio(self.sums[of].values())
        if isinstance(shape, str) or isinstance(mean, str):
            return mean if isinstance(shape, str) else shape
        return max(shape, mean, key=lambda one: one.value)


def cramers_v(counts: Mapping[tuple[Any, Any], int]) -> Association | str:
    """Of counts by (value, group); or why there is none. Values and groups of few rows are taken together."""
    n = sum(counts.values())
    if n < FEWEST_ROWS:
        return TOO_FEW
    table = _together(_together(counts, 0), 1)
    values, groups = _margin(table, 0), _margin(table, 1)
    if len(groups) < 2:
        return ONE_GROUP
    if len(values) < 2:  # a constant tells nothing
        return Association(CRAMERS_V, 0.0, (0.0, 0.0), n)
    # Of all cells, also those without a row: sum of (o - e)^2 / e is n * (sum of o^2 / (row * column) - 1).
    chi = n * (
        sum(held * held / (values[value] * groups[group]) for (value, group), held in table.items()) - 1
    )
    rows, columns = len(values), len(groups)
    least, df = min(rows, columns) - 1, (rows - 1) * (columns - 1)
    shrunk = min(side - (side - 1) ** 2 / (n - 1) - 1 for side in (rows, columns))
    value = min(1.0, sqrt(max(0.0, chi / n - df / (n - 1)) / shrunk)) if shrunk > 0 else 0.0
    low, high = (min(1.0, sqrt(bound / (n * least))) for bound in _noncentral(max(chi, 0.0), df))
    return Association(CRAMERS_V, value, (min(low, value), max(high, value)), n)


def correlation_ratio(groups: Any) -> Association | str:
    """Of the sums of a number in each group; or why there is none."""
    held = [one for one in groups if one.n]
    n = sum(one.n for one in held)
    if n < FEWEST_ROWS:
        return TOO_FEW
    if len(held) < 2:
        return ONE_GROUP
    mean = sum(one.n * one.mean for one in held) / n
    between = sum(one.n * (one.mean - mean) ** 2 for one in held)
    within = sum(one.squares for one in held)
    if not isfinite(between + within):
        return TOO_FEW
    if between + within <= 0:
        return Association(CORRELATION_RATIO, 0.0, (0.0, 0.0), n)
    if within <= 1e-12 * between or n <= len(held):
        return Association(CORRELATION_RATIO, 1.0, (1.0, 1.0), n)
    share = between / (between + within)
    value = sqrt(max(0.0, 1 - (1 - share) * (n - 1) / (n - len(held))))
    bounds = _noncentral((n - len(held)) * between / within, len(held) - 1)
    low, high = (sqrt(bound / (bound + n)) for bound in bounds)
    return Association(CORRELATION_RATIO, value, (min(low, value), max(high, value)), n)


def _together(counts: Mapping[tuple[Any, Any], int], side: int) -> dict[tuple[Any, Any], int]:
    """The same counts, with what has fewer than FEWEST rows on one side taken together."""
    few = {name for name, held in _margin(counts, side).items() if held < FEWEST}
    if len(few) < 2:
        return dict(counts)
    found: dict[tuple[Any, Any], int] = {}
    for pair, held in counts.items():
        named = tuple(OTHERS if place == side and name in few else name for place, name in enumerate(pair))
        key = (named[0], named[1])
        found[key] = found.get(key, 0) + held
    return found


def _margin(counts: Mapping[tuple[Any, Any], int], side: int) -> dict[Any, int]:
    found: dict[Any, int] = {}
    for pair, held in counts.items():
        found[pair[side]] = found.get(pair[side], 0) + held
    return found


def _noncentral(chi: float, df: int) -> Interval:
    """The 95 % interval of the noncentrality of which a chi-square was drawn."""
    return _solve(chi, df, 0.975), _solve(chi, df, 0.025)


def _solve(chi: float, df: int, tail: float) -> float:
    low, high = 0.0, max(1.0, chi)
    if _below(chi, df, 0.0) <= tail:
        return 0.0
    while _below(chi, df, high) > tail:
        high *= 2
    for _step in range(60):
        middle = (low + high) / 2
        if _below(chi, df, middle) > tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _below(chi: float, df: int, noncentrality: float) -> float:
    """How likely a noncentral chi-square is at most `chi`: M. Sankaran, Biometrika 50 (1963) 199, near enough."""
    if df == 1:  # the square of a normal, where the approximation is worst
        root, middle = sqrt(chi), sqrt(noncentrality)
        return _normal(root - middle) - _normal(-root - middle)
    k, bound = df, noncentrality
    h = 1 - 2 * (k + bound) * (k + 3 * bound) / (3 * (k + 2 * bound) ** 2)
    p = (k + 2 * bound) / (k + bound) ** 2
    m = (h - 1) * (1 - 3 * h)
    middle = 1 + h * p * (h - 1 - 0.5 * (2 - h) * m * p)
    return _normal(((chi / (k + bound)) ** h - middle) / (h * sqrt(2 * p) * (1 + 0.5 * m * p)))


def _normal(z: float) -> float:
    return 0.5 * (1 + erf(z / sqrt(2)))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) and abs(number) < 1e150 else None
