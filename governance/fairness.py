"""Counts, from a stream of scored rows, how each group fares; and the arithmetic on those counts.

Keeps counts only, never a row, so memory does not grow with the data. Not in charge of reading DSS, nor of thresholds:
`governance.parity` judges. What is counted where a value is missing: an empty sensitive value makes the group
"(missing)"; an empty outcome counts as not selected (`unscored` says how many); an empty label leaves the row out of
the label-based rates; an empty score, or a score without a label, leaves it out of calibration.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from governance.calibration import apart
from governance.intervals import Interval, difference, ratio, wilson
from portal.errors import Invalid
from portal.texts import HALF, UNSEEN

MISSING = "(missing)"
MAX_GROUPS = 1000
MAX_INTERSECTIONS = 1000
MAX_OUTCOMES = 100
MAX_TEXT = 200
BINS = 10  # tenths of the score
SHAPE = 2

# Sums of scores are whole numbers of this unit: the same rows in another order give the same result, to the last digit.
_UNIT = 10**12

_TENTH = _UNIT // BINS

_BUFFERED = 20_000
_ODD = "\ufffd"
_WHOLE = re.compile(r"([+-]?\d{1,15})\.0+")


class FairnessError(Invalid):
    """The rows cannot be counted by group; the sentence names the column and the next step."""


@dataclass(slots=True)
class Tally:
    """Counts of one group: people, selected, by label where there is one, and of those labelled by score.

    `score_sum` is in units of 10**-12. `bins` is empty, or has people, positives and sum of scores of each tenth of
    the score in turn.
    """

    n: int = 0
    selected: int = 0
    positives: int = 0
    true_positives: int = 0
    negatives: int = 0
    false_positives: int = 0
    scored: int = 0
    scored_positives: int = 0
    score_sum: int = 0
    bins: list[int] = field(default_factory=list)

    def score(self, by_bin: Sequence[int], qualify: bool) -> None:
        """Count people with a score: how many, and the sum of theirs, of each tenth in turn."""
        if not self.bins:
            self.bins = [0] * (3 * BINS)
        for at in range(BINS):
            n, sum_ = by_bin[2 * at], by_bin[2 * at + 1]
            if not n:
                continue
            positives = n if qualify else 0
            self.scored += n
            self.scored_positives += positives
            self.score_sum += sum_
            self.bins[3 * at] += n
            self.bins[3 * at + 1] += positives
            self.bins[3 * at + 2] += sum_

    def take(self, other: "Tally") -> None:
        """Add another's counts, those by score left out: they have to be of all or of none."""
        for name in self.__slots__:
            if name != "bins":
                setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True, slots=True)
class Table:
    """The groups of one sensitive column, or of several crossed; `groups` None where they were too many to count."""

    by: tuple[str, ...]
    groups: Sequence[Mapping[str, Any]] | None
    reference: tuple[str, ...] | None = None

    @property
    def is_crossed(self) -> bool:
        """Whether it is of several columns."""
        return len(self.by) > 1


@dataclass(frozen=True, slots=True)
class Rate:
    """One group's share: `hits` of `n`."""

    group: str
    hits: int
    n: int

    @property
    def value(self) -> float:
        """The share itself; n is above 0 wherever a Rate is made."""
        return self.hits / self.n


@dataclass(frozen=True, slots=True)
class Comparison:
    """One group against the reference: the ratio (None where the reference has none) or difference, with interval."""

    group: str
    value: float | None
    interval: tuple[float, float | None]


class GroupCounter:
    """Feed it rows, ask it for the result.

    `attributes` are the sensitive columns, `crosses` which of them to cross, `outcome` the column of the decision,
    `favourable` its value that counts as selected, `label` the column of what really happened, `score` that of the
    predicted probability (0 to 1) of it, if there are. Rows are dicts, or sequences when `columns` names their fields
    in order.
    """

    def __init__(
        self,
        attributes: Sequence[str],
        outcome: str,
        favourable: object,
        label: str | None = None,
        *,
        score: str | None = None,
        crosses: Sequence[Sequence[str]] = (),
        columns: Sequence[str] | None = None,
    ) -> None:
        if not attributes and not crosses:
            raise FairnessError(
                "No sensitive column is named. Name at least one in the policy.", code="fairness_no_attribute"
            )
        if _text(favourable) == MISSING:
            raise FairnessError(
                "No favourable outcome is named. Name the value that counts as selected in the project's evidence "
                "source.",
                code="fairness_no_favourable",
            )
        if score is not None and label is None:
            raise FairnessError(
                f"The column {score} holds scores, and no label column says what really happened. Name one in the "
                "project's evidence source, or leave the score out.",
                code="fairness_score_alone",
                column=score,
            )
        alone = tuple(dict.fromkeys([*attributes, *(column for cross in crosses for column in cross)]))
        self.attributes = alone
        self.crosses = tuple(
            sorted({tuple(column for column in alone if column in cross) for cross in crosses})
        )
        self.outcome = outcome
        self.favourable = _text(favourable)
        self.label = label
        self.score = score
        self.rows = 0
        named = [one for one in (label, score) if one is not None]
        self._wanted = (*self.attributes, outcome, *named)
        self._places: tuple[int, ...] | None = None
        self._seen: set[str] = set()
        if columns is not None:
            self._seen = set(columns)
            self._refuse_absent(columns)
            self._places = tuple(columns.index(column) for column in self._wanted)
        self._buffer: dict[tuple[str, ...], int] = {}
        self._scores: dict[tuple[str, ...], list[int]] = {}
        self._tallies: dict[tuple[str, ...], dict[tuple[str, ...], Tally] | None] = {
            by: {} for by in (*((one,) for one in alone), *self.crosses)
        }
        self._outcomes: dict[str, int] = {}

    def feed(self, row: Mapping[str, object] | Sequence[object]) -> None:
        """Counts one row; raises FairnessError for a row that has another shape than announced."""
        key: tuple[str, ...]
        if isinstance(row, Mapping):
            if len(self._seen) < len(self._wanted):
                self._seen.update(column for column in self._wanted if column in row)
            key = tuple([_raw(row.get(column)) for column in self._wanted])
        else:
            if self._places is None:
                raise FairnessError(
                    "The rows came without column names. Read the data set's schema first.",
                    code="fairness_no_columns",
                )
            try:
                key = tuple([_raw(row[place]) for place in self._places])
            except IndexError:
                raise FairnessError(
                    f"Row {self.rows + 1} has {len(row)} values, fewer than the data set has columns. "
                    "Rebuild the data set and count again.",
                    code="fairness_short_row",
                    row=self.rows + 1,
                ) from None
        self.rows += 1
        if self.score is not None:
            key, said = key[:-1], key[-1]
            probability = self._probability(said)
            if probability is not None:
                held = self._scores.get(key)
                if held is None:
                    held = self._scores[key] = [0] * (2 * BINS)
                at = 2 * (probability // _TENTH) if probability < _UNIT else 2 * BINS - 2
                held[at] += 1
                held[at + 1] += probability
        self._buffer[key] = self._buffer.get(key, 0) + 1
        if len(self._buffer) > _BUFFERED:
            self._settle()

    def feed_all(self, rows: Iterable[Mapping[str, object] | Sequence[object]]) -> None:
        """Counts every row of a stream."""
        for row in rows:
            self.feed(row)

    def result(self, min_group: int = 30) -> dict[str, Any]:
        """The counts and rates as JSON values; raises FairnessError for no rows or a column no row had.

        Per attribute, and per cross of attributes, groups in order of their name with rates and Wilson intervals, and
        ratio and difference to the reference (the highest rate among groups of at least `min_group` people) with their
        intervals. Where a limit is infinite or a figure undefined it is null; `groups` of a cross beyond the cap, too.
        """
        self._settle()
        if not self.rows:
            raise FairnessError(
                "The scored data set holds no rows. Build it in DSS, then count again.", code="fairness_empty"
            )
        self._refuse_absent(self._seen)
        return compose(
            self._tallies,
            outcome=self.outcome,
            favourable=self.favourable,
            label=self.label,
            score=self.score,
            rows=self.rows,
            unscored=self._outcomes.get(MISSING, 0),
            outcomes=self._outcomes,
            min_group=min_group,
        )

    def _settle(self) -> None:
        columns = len(self.attributes)
        for key, times in self._buffer.items():
            values = [_text(value) for value in key]
            group_of = dict(zip(self.attributes, values[:columns], strict=True))
            outcome = values[columns]
            chosen = times if outcome == self.favourable else 0
            actual = values[-1] if self.label is not None else MISSING
            scores = self._scores.get(key) if actual != MISSING else None
            self._outcomes[outcome] = self._outcomes.get(outcome, 0) + times
            for by, tallies in self._tallies.items():
                if tallies is None:
                    continue
                group = tuple([group_of[column] for column in by])
                tally = tallies.get(group)
                if tally is None:
                    if len(tallies) >= (MAX_GROUPS if len(by) == 1 else MAX_INTERSECTIONS):
                        self._too_many(by)
                        continue
                    tally = tallies[group] = Tally()
                tally.n += times
                tally.selected += chosen
                if actual == self.favourable:
                    tally.positives += times
                    tally.true_positives += chosen
                elif actual != MISSING:
                    tally.negatives += times
                    tally.false_positives += chosen
                if scores is not None:
                    tally.score(scores, actual == self.favourable)
        if len(self._outcomes) > MAX_OUTCOMES:
            raise FairnessError(
                f"The column {self.outcome} has more than {MAX_OUTCOMES} different values, so it holds no decision. "
                "Name the column with the decision, not the score, as the outcome.",
                code="fairness_no_decision",
                column=self.outcome,
            )
        self._buffer.clear()
        self._scores.clear()

    def _too_many(self, by: tuple[str, ...]) -> None:
        """A column with so many values names no groups; a cross with so many is left out, and the columns stay."""
        if len(by) == 1:
            raise FairnessError(
                f"The column {by[0]} has more than {MAX_GROUPS} different values, so it does not name "
                "groups. Name a column with bands or categories in the policy.",
                code="fairness_too_many_groups",
                column=by[0],
            )
        self._tallies[by] = None

    def _probability(self, said: str) -> int | None:
        """In units of 10**-12; None where there is none. The refusal does not tell the value: it may be a name."""
        if said == MISSING or not said.strip():
            return None
        try:
            found = float(said)
        except ValueError:
            found = -1.0
        if found != found:
            return None
        if not 0.0 <= found <= 1.0:
            raise FairnessError(
                f"The column {self.score} holds something in row {self.rows} that is no probability between 0 and 1. "
                "Name the column with the predicted probability of the favourable outcome, or none, in the project's "
                "evidence source.",
                code="fairness_no_probability",
                column=self.score,
            )
        return round(found * _UNIT)

    def _refuse_absent(self, columns: Iterable[str]) -> None:
        known = set(columns)
        for column in self._wanted:
            if column not in known:
                raise FairnessError(
                    f"The scored data set has no column {column}. Add it to the data set, or name another column in "
                    "the policy or the project's evidence source.",
                    code="fairness_no_column",
                    column=column,
                )


def compose(
    tallies: Mapping[tuple[str, ...], Mapping[tuple[str, ...], Tally] | None],
    *,
    outcome: str,
    favourable: str,
    label: str | None,
    score: str | None,
    rows: int,
    unscored: int,
    outcomes: Mapping[str, int],
    min_group: int,
) -> dict[str, Any]:
    """The result of counts by columns and group, as it is kept. `tallies` of one column come before those crossed."""
    tables = [
        _table(by, held, min_group, label is not None, score is not None) for by, held in tallies.items()
    ]
    return {
        "v": SHAPE,
        "rows": rows,
        "outcome": outcome,
        "favourable": favourable,
        "label": label,
        "score": score,
        "unscored": unscored,
        "outcomes": [{"value": value, "n": outcomes[value]} for value in sorted(outcomes)],
        "min_group": min_group,
        "attributes": [{"attribute": one["by"][0], **one} for one in tables if len(one["by"]) == 1],
        "intersections": [{"attributes": one["by"], **one} for one in tables if len(one["by"]) > 1],
    }


def tables(result: Mapping[str, Any]) -> list[Table]:
    """The tables of a result, of this shape or the first, those of single columns first."""
    found = [
        Table((str(held["attribute"]),), held["groups"], _key(held.get("reference")))
        for held in result["attributes"]
    ]
    crossed = result.get("intersections") or []
    for held in [crossed] if isinstance(crossed, Mapping) else crossed:
        by = tuple(str(column) for column in held["attributes"])
        found.append(Table(by, held["groups"], _key(held.get("reference"))))
    return found


def table_of(found: Iterable[Table], by: str | Sequence[str]) -> Table | None:
    """The table of a column, or of several in whichever order, as a policy's `by` names them."""
    wanted = {by} if isinstance(by, str) else set(by)
    return next((table for table in found if set(table.by) == wanted), None)


def key_of(group: Mapping[str, Any]) -> tuple[str, ...]:
    """The values that make a group, one for each column."""
    return _key(group["group"]) or ()


def name_of(key: Sequence[str]) -> str:
    """A group as people read it: `F`, or `F × 18-30`. No two groups of a table have one name.

    Groups are held against each other by it, so a value that could be read as two stands in quotes.
    """
    if len(key) == 1:
        return key[0]
    return " × ".join(_quoted(one) if "×" in one or one.startswith("“") else one for one in key)


def _quoted(value: str) -> str:
    return f"“{value.replace('”', '””')}”"


def _key(group: Any) -> tuple[str, ...] | None:
    if group is None:
        return None
    return tuple(str(one) for one in group) if isinstance(group, list | tuple) else (str(group),)


def reference(rates: Sequence[Rate], enough: Mapping[Any, int], min_group: int) -> Rate | None:
    """The highest rate among groups with at least `min_group` people (the first by name among equals), or None."""
    able = [rate for rate in rates if enough[rate.group] >= min_group]
    return min(able, key=lambda rate: (-rate.value, rate.group), default=None)


def against(rate: Rate, base: Rate, *, by: str) -> Comparison:
    """One group's ratio ("ratio": rate / base) or shortfall ("difference": base - rate) with its 95 % interval."""
    if by == "ratio":
        value = rate.value / base.value if base.hits else None
        return Comparison(rate.group, value, _finite(ratio(rate.hits, rate.n, base.hits, base.n)))
    gap = difference(base.hits, base.n, rate.hits, rate.n)
    return Comparison(rate.group, base.value - rate.value, gap)


COUNTED = {
    "selection": ("selected", "n"),
    "tpr": ("true_positives", "positives"),
    "fpr": ("false_positives", "negatives"),
    "precision": ("true_positives", "predicted"),
}
"""Each rate as hits of a base; `predicted` are those selected whose label is known."""


def base_of(group: Mapping[str, Any], kind: str) -> tuple[int, int]:
    """Hits and base of a group's "selection", "tpr", "fpr" or "precision"."""
    hits, base = COUNTED[kind]
    labelled = group.get("true_positives", 0) + group.get("false_positives", 0)
    return int(group[hits]), int(labelled if base == "predicted" else group[base])


def rates(groups: Iterable[Mapping[str, Any]], kind: str) -> list[Rate]:
    """Each group's "selection", "tpr", "fpr" or "precision" from a result's groups; groups without a base left out."""
    found = []
    for group in groups:
        hits, n = base_of(group, kind)
        if n > 0:
            found.append(Rate(name_of(key_of(group)), hits, n))
    return found


def spread(found: Sequence[Rate]) -> tuple[float | None, float | None]:
    """The lowest rate over the highest, and the highest less the lowest; None where there is nothing to divide by."""
    if not found:
        return None, None
    low, high = min(rate.value for rate in found), max(rate.value for rate in found)
    return (low / high if high else None), high - low


def _table(
    by: Sequence[str],
    tallies: Mapping[tuple[str, ...], Tally] | None,
    min_group: int,
    labelled: bool,
    scored: bool,
) -> dict[str, Any]:
    if tallies is None:
        return {"by": list(by), "reference": None, "figures": {}, "groups": None}
    groups = [
        dict(_row(key if len(by) > 1 else key[0], tally, labelled, scored))
        for key, tally in sorted(tallies.items())
    ]
    found = {kind: rates(groups, kind) for kind in (COUNTED if labelled else ("selection",))}
    base = reference(found["selection"], {name_of(key): tally.n for key, tally in tallies.items()}, min_group)
    standing = None
    by_name = {rate.group: rate for rate in found["selection"]}
    for row in groups:
        rate = by_name.get(name_of(key_of(row)))
        if base is None or rate is None:
            continue
        if rate.group == base.group:
            standing = row["group"]
        by_ratio, by_gap = against(rate, base, by="ratio"), against(rate, base, by="difference")
        row |= {
            "ratio": by_ratio.value,
            "ratio_interval": list(by_ratio.interval),
            "difference": by_gap.value,
            "difference_interval": list(by_gap.interval),
        }
    return {"by": list(by), "reference": standing, "figures": _figures(found, groups), "groups": groups}


def _figures(
    found: Mapping[str, Sequence[Rate]], groups: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """Each metric of a policy by its name, over all groups: the worst ratio or difference that there is."""
    ratios, gaps = {}, {}
    for kind, those in found.items():
        ratios[kind], gaps[kind] = spread(those)
    figures = {
        "demographic_parity_ratio": ratios["selection"],
        "demographic_parity_difference": gaps["selection"],
    }
    if "tpr" in found:
        figures |= {
            "equal_opportunity_ratio": ratios["tpr"],
            "equal_opportunity_difference": gaps["tpr"],
            "false_positive_rate_ratio": ratios["fpr"],
            "false_positive_rate_difference": gaps["fpr"],
            "equalized_odds_ratio": _worst(min, ratios["tpr"], ratios["fpr"]),
            "equalized_odds_difference": _worst(max, gaps["tpr"], gaps["fpr"]),
            "predictive_parity_ratio": ratios["precision"],
            "predictive_parity_difference": gaps["precision"],
        }
    apart = [abs(held["gap"]) for row in groups if (held := row.get("calibration"))]
    if apart:
        figures["calibration_difference"] = max(apart)
    return figures


def _worst(of: Callable[[float, float], float], one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else of(one, other)


def _row(
    group: str | tuple[str, ...], tally: Tally, labelled: bool, scored: bool
) -> Iterator[tuple[str, Any]]:
    """What is kept of one group: its counts, then each rate with its 95 % interval; null where it has no base."""
    yield "group", list(group) if isinstance(group, tuple) else group
    yield "n", tally.n
    yield "selected", tally.selected
    yield from _rate("rate", "interval", tally.selected, tally.n)
    if labelled:
        yield "positives", tally.positives
        yield "true_positives", tally.true_positives
        yield "negatives", tally.negatives
        yield "false_positives", tally.false_positives
        chosen = tally.true_positives + tally.false_positives
        yield from _rate("tpr", "tpr_interval", tally.true_positives, tally.positives)
        yield from _rate("fpr", "fpr_interval", tally.false_positives, tally.negatives)
        yield from _rate("precision", "precision_interval", tally.true_positives, chosen)
    if scored:
        yield "calibration", _calibration(tally)


def _rate(name: str, interval: str, hits: int, n: int) -> Iterator[tuple[str, Any]]:
    yield name, hits / n if n else None
    yield interval, list(wilson(hits, n)) if n else None


def _calibration(tally: Tally) -> dict[str, Any] | None:
    if not tally.scored:
        return None
    whole = apart(tally.scored, tally.scored_positives, tally.score_sum / (tally.scored * _UNIT))
    bins = [
        {
            "from": at / BINS,
            "to": (at + 1) / BINS,
            "n": n,
            "positives": positives,
            "mean_score": sum_ / (n * _UNIT),
        }
        for at in range(len(tally.bins) // 3)
        for n, positives, sum_ in [tally.bins[3 * at : 3 * at + 3]]
        if n
    ]
    return whole | ({"bins": bins} if bins else {})


def _finite(interval: Interval) -> tuple[float, float | None]:
    low, high = interval
    return low, high if isfinite(high) else None


def spelling(value: object) -> str:
    """The one spelling of a value: two that are spelt alike are one group."""
    return _text(value)


def _raw(value: object) -> str:
    """A text as it is (normalised once per distinct value, later); anything else, or a long one, at once."""
    return value if type(value) is str and len(value) <= 2 * MAX_TEXT else _text(value)


def _text(value: object) -> str:
    """One spelling per value: 1, 1.0 and "1.0" are "1"; true and "True" are "true"; None, NaN and "" are missing."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value != value:
            return MISSING
        return (
            str(int(value)) if isfinite(value) and value == int(value) and abs(value) < 1e15 else repr(value)
        )
    if isinstance(value, int):
        return str(value)
    # What nobody can see is marked, not dropped: `F` and `F` with something in it are two values.
    text = HALF.sub(_ODD, UNSEEN.sub(_ODD, str(value).strip()))
    if not text:
        return MISSING
    if len(text) > MAX_TEXT:  # two that begin alike stay two
        text = f"{text[: MAX_TEXT - 10]}… {hashlib.sha256(text.encode()).hexdigest()[:8]}"
    whole = _WHOLE.fullmatch(text)
    if whole:
        return str(int(whole[1]))
    if text.lower() in ("true", "false"):
        return text.lower()
    return text
