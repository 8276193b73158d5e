"""Counts, from a stream of scored rows, how each group fares; and the arithmetic on those counts.

Keeps counts only, never a row, so memory does not grow with the data. Not in charge of reading DSS, nor of thresholds:
`governance.checks` judges. What is counted where a value is missing: an empty sensitive value makes the group
"(missing)"; an empty outcome counts as not selected (`unscored` says how many); an empty label leaves the row out of
the label-based rates.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from governance.intervals import Interval, difference, ratio, wilson
from portal.errors import Invalid

MISSING = "(missing)"
MAX_GROUPS = 1000
MAX_INTERSECTIONS = 1000
MAX_OUTCOMES = 100
MAX_TEXT = 200
SHAPE = 1

_BUFFERED = 20_000
_WHOLE = re.compile(r"([+-]?\d{1,15})\.0+")


class FairnessError(Invalid):
    """The rows cannot be counted by group; the sentence names the column and the next step."""


@dataclass(slots=True)
class Tally:
    """Counts of one group: people, selected, and by label where there is one."""

    n: int = 0
    selected: int = 0
    positives: int = 0
    true_positives: int = 0
    negatives: int = 0
    false_positives: int = 0


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

    `attributes` are the sensitive columns, `outcome` the column of the decision, `favourable` its value that counts as
    selected, `label` the column of what really happened, if there is one. Rows are dicts, or sequences when `columns`
    names their fields in order.
    """

    def __init__(
        self,
        attributes: Sequence[str],
        outcome: str,
        favourable: object,
        label: str | None = None,
        *,
        columns: Sequence[str] | None = None,
    ) -> None:
        if not attributes:
            raise FairnessError(
                "No sensitive column is named. Name at least one in the policy.", code="fairness_no_attribute"
            )
        if _text(favourable) == MISSING:
            raise FairnessError(
                "No favourable outcome is named. Name the value that counts as selected in the project's evidence "
                "source.",
                code="fairness_no_favourable",
            )
        self.attributes = tuple(dict.fromkeys(attributes))
        self.outcome = outcome
        self.favourable = _text(favourable)
        self.label = label
        self.rows = 0
        self._wanted = (*self.attributes, outcome, *([label] if label is not None else []))
        self._places: tuple[int, ...] | None = None
        self._seen: set[str] = set()
        if columns is not None:
            self._seen = set(columns)
            self._refuse_absent(columns)
            self._places = tuple(columns.index(column) for column in self._wanted)
        self._buffer: dict[tuple[str, ...], int] = {}
        self._tallies: tuple[dict[str, Tally], ...] = tuple({} for _ in self.attributes)
        self._crossed: dict[tuple[str, ...], list[int]] | None = {} if len(self.attributes) > 1 else None
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
        self._buffer[key] = self._buffer.get(key, 0) + 1
        if len(self._buffer) > _BUFFERED:
            self._settle()

    def feed_all(self, rows: Iterable[Mapping[str, object] | Sequence[object]]) -> None:
        """Counts every row of a stream."""
        for row in rows:
            self.feed(row)

    def result(self, min_group: int = 30) -> dict[str, Any]:
        """The counts and rates as JSON values; raises FairnessError for no rows or a column no row had.

        Per attribute, groups in order of their name with rate and Wilson interval, and ratio and difference to the
        reference (the highest rate among groups of at least `min_group` people) with their intervals. Where a limit is
        infinite or a ratio undefined it is null. `intersections` is null with one attribute or beyond the cap.
        """
        self._settle()
        if not self.rows:
            raise FairnessError(
                "The scored data set holds no rows. Build it in DSS, then count again.", code="fairness_empty"
            )
        self._refuse_absent(self._seen)
        return {
            "v": SHAPE,
            "rows": self.rows,
            "outcome": self.outcome,
            "favourable": self.favourable,
            "label": self.label,
            "unscored": self._outcomes.get(MISSING, 0),
            "outcomes": [{"value": value, "n": self._outcomes[value]} for value in sorted(self._outcomes)],
            "min_group": min_group,
            "attributes": [
                _attribute(name, tallies, min_group, self.label is not None)
                for name, tallies in zip(self.attributes, self._tallies, strict=True)
            ],
            "intersections": self._intersections(),
        }

    def _settle(self) -> None:
        for key, times in self._buffer.items():
            values = [_text(value) for value in key]
            groups = values[: len(self.attributes)]
            outcome = values[len(self.attributes)]
            chosen = times if outcome == self.favourable else 0
            actual = values[-1] if self.label is not None else MISSING
            self._outcomes[outcome] = self._outcomes.get(outcome, 0) + times
            for attribute, group, tallies in zip(self.attributes, groups, self._tallies, strict=True):
                tally = tallies.get(group)
                if tally is None:
                    if len(tallies) >= MAX_GROUPS:
                        raise FairnessError(
                            f"The column {attribute} has more than {MAX_GROUPS} different values, so it does not name "
                            "groups. Name a column with bands or categories in the policy.",
                            code="fairness_too_many_groups",
                            column=attribute,
                        )
                    tally = tallies[group] = Tally()
                tally.n += times
                tally.selected += chosen
                if actual == self.favourable:
                    tally.positives += times
                    tally.true_positives += chosen
                elif actual != MISSING:
                    tally.negatives += times
                    tally.false_positives += chosen
            if self._crossed is not None:
                counts = self._crossed.setdefault(tuple(groups), [0, 0])
                counts[0] += times
                counts[1] += chosen
                if len(self._crossed) > MAX_INTERSECTIONS:
                    self._crossed = None
        if len(self._outcomes) > MAX_OUTCOMES:
            raise FairnessError(
                f"The column {self.outcome} has more than {MAX_OUTCOMES} different values, so it holds no decision. "
                "Name the column with the decision, not the score, as the outcome.",
                code="fairness_no_decision",
                column=self.outcome,
            )
        self._buffer.clear()

    def _intersections(self) -> dict[str, Any] | None:
        if self._crossed is None:
            return None
        return {
            "attributes": list(self.attributes),
            "groups": [
                {
                    "group": list(group),
                    "n": n,
                    "selected": hits,
                    "rate": hits / n,
                    "interval": list(wilson(hits, n)),
                }
                for group, (n, hits) in sorted(self._crossed.items())
            ],
        }

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


def reference(rates: Sequence[Rate], enough: Mapping[str, int], min_group: int) -> Rate | None:
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


def rates(groups: Iterable[Mapping[str, Any]], kind: str) -> list[Rate]:
    """Each group's "selection", "tpr", "fpr" or "precision" from a result's groups; groups without a base left out."""
    hits, base = {
        "selection": ("selected", "n"),
        "tpr": ("true_positives", "positives"),
        "fpr": ("false_positives", "negatives"),
        "precision": ("true_positives", "predicted"),
    }[kind]
    found = []
    for group in groups:
        labelled = group.get("true_positives", 0) + group.get("false_positives", 0)
        n = labelled if base == "predicted" else group[base]
        if n > 0:
            found.append(Rate(str(group["group"]), int(group[hits]), int(n)))
    return found


def spread(found: Sequence[Rate]) -> tuple[float | None, float | None]:
    """The lowest rate over the highest, and the highest less the lowest; None where there is nothing to divide by."""
    if not found:
        return None, None
    low, high = min(rate.value for rate in found), max(rate.value for rate in found)
    return (low / high if high else None), high - low


def _attribute(name: str, tallies: Mapping[str, Tally], min_group: int, labelled: bool) -> dict[str, Any]:
    found = [Rate(group, tally.selected, tally.n) for group, tally in sorted(tallies.items())]
    base = reference(found, {group: tally.n for group, tally in tallies.items()}, min_group)
    groups = []
    for rate in found:
        tally = tallies[rate.group]
        row: dict[str, Any] = {
            "group": rate.group,
            "n": rate.n,
            "selected": rate.hits,
            "rate": rate.value,
            "interval": list(wilson(rate.hits, rate.n)),
        }
        if base is not None:
            by_ratio, by_gap = against(rate, base, by="ratio"), against(rate, base, by="difference")
            row |= {
                "ratio": by_ratio.value,
                "ratio_interval": list(by_ratio.interval),
                "difference": by_gap.value,
                "difference_interval": list(by_gap.interval),
            }
        if labelled:
            chosen = tally.true_positives + tally.false_positives
            row |= {
                "positives": tally.positives,
                "true_positives": tally.true_positives,
                "negatives": tally.negatives,
                "false_positives": tally.false_positives,
                "tpr": tally.true_positives / tally.positives if tally.positives else None,
                "fpr": tally.false_positives / tally.negatives if tally.negatives else None,
                "precision": tally.true_positives / chosen if chosen else None,
            }
        groups.append(row)
    lowest, gap = spread(found)
    figures: dict[str, float | None] = {
        "demographic_parity_ratio": lowest,
        "demographic_parity_difference": gap,
    }
    if labelled:
        gaps = {kind: spread(rates(groups, kind))[1] for kind in ("tpr", "fpr", "precision")}
        both = [gap for gap in (gaps["tpr"], gaps["fpr"]) if gap is not None]
        figures |= {
            "equal_opportunity_difference": gaps["tpr"],
            "equalized_odds_difference": max(both) if len(both) == 2 else None,
            "predictive_parity_difference": gaps["precision"],
        }
    return {
        "attribute": name,
        "reference": base.group if base is not None else None,
        "figures": figures,
        "groups": groups,
    }


def _finite(interval: Interval) -> tuple[float, float | None]:
    low, high = interval
    return low, high if isfinite(high) else None


def _raw(value: object) -> str:
    """A text as it is (normalised once per distinct value, later); anything else normalised at once."""
    return value if type(value) is str else _text(value)


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
    text = str(value).strip()[:MAX_TEXT]
    if not text:
        return MISSING
    whole = _WHOLE.fullmatch(text)
    if whole:
        return str(int(whole[1]))
    if text.lower() in ("true", "false"):
        return text.lower()
    return text
