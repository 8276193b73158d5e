"""Calibration within groups by score: of those who got a score near 0.2, did two in ten really qualify?

Of a group as a whole, too high a score for some and too low for others may cancel out. Counts come by tenths of the
score; here tenths of few people are taken together with the next. Pure. Not in charge of counting
(`governance.fairness`) nor of thresholds (`governance.parity`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from governance.intervals import wilson

Bin = Mapping[str, Any]


def apart(n: int, positives: int, mean_score: float) -> dict[str, Any]:
    """How far what happened lies above what was predicted, with its 95 % interval.

    The scores are taken as they are, so what varies is what happened: Wilson's interval of its share, less the mean
    score. Probabilities that differ within the group make that share vary less than Wilson reckons with (a sum of
    unequal trials; Hoeffding 1956), so the interval promises no more than 95 %.
    """
    low, high = wilson(positives, n)
    return {
        "n": n,
        "positives": positives,
        "mean_score": mean_score,
        "observed": positives / n,
        "gap": positives / n - mean_score,
        "interval": [low - mean_score, high - mean_score],
    }


def by_score(bins: Sequence[Bin], least: int) -> list[dict[str, Any]]:
    """The tenths of one group, each taken together with the next until it holds `least` people; the rest with the last.

    Everybody is in one of them, so nothing is left out for being rare.
    """
    return _within(bins, _cuts([bins], least))


def shown_by_score(groups: Iterable[Mapping[str, Any]], least: int) -> list[list[dict[str, Any]]]:
    """The same of each group of a table, for everybody to read: cut alike, so that no group's part is below `least`.

    Cut each in its own way, the parts of one could be had from those of the others. Empty where a group has none.
    """
    held = [(group.get("calibration") or {}).get("bins") or [] for group in groups]
    if not all(held):
        return []
    cuts = _cuts(held, least)
    return [_within(bins, cuts) for bins in held]


def _cuts(held: Sequence[Sequence[Bin]], least: int) -> list[float]:
    """Up to which scores the parts reach; the last is 1."""
    ends = sorted({one["to"] for bins in held for one in bins})
    cuts: list[float] = []
    people = [0] * len(held)
    for end in ends:
        for place, bins in enumerate(held):
            people[place] += sum(one["n"] for one in bins if one["to"] == end)
        if min(people) >= least:
            cuts.append(end)
            people = [0] * len(held)
    return [*cuts[:-1], 1.0]


def _within(bins: Sequence[Bin], cuts: Sequence[float]) -> list[dict[str, Any]]:
    found = []
    start = 0.0
    for end in cuts:
        inside = [one for one in bins if start < one["to"] <= end]
        n = sum(one["n"] for one in inside)
        if n:
            mean = sum(one["n"] * one["mean_score"] for one in inside) / n
            found.append(
                {"from": start, "to": end, **apart(n, sum(one["positives"] for one in inside), mean)}
            )
        start = end
    return found
