"""What counts by group come to under a policy's metrics: a state for each metric and column, with its numbers. Pure.

A state rests on the whole 95 % interval: beyond the threshold it fails, on the safe side it passes, across it nobody
can tell. Not in charge of counting (`governance.fairness`), nor of what a finding says (`governance.sentences`).
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from governance import fairness
from governance.calibration import apart, by_score
from governance.facts import CANNOT_TELL, MET, NOT_MET, State
from governance.suppression import hidden

MAX_NAMED = 20

# Which rates a metric compares between groups; a metric of two rates is as bad as the worse of them.
COMPARED = {
    "demographic_parity_ratio": ("selection",),
    "demographic_parity_difference": ("selection",),
    "equal_opportunity_ratio": ("tpr",),
    "equal_opportunity_difference": ("tpr",),
    "false_positive_rate_ratio": ("fpr",),
    "false_positive_rate_difference": ("fpr",),
    "equalized_odds_ratio": ("tpr", "fpr"),
    "equalized_odds_difference": ("tpr", "fpr"),
    "predictive_parity_ratio": ("precision",),
    "predictive_parity_difference": ("precision",),
}
# Of each group alone: how far what happened lies from what was predicted.
CALIBRATION = "calibration_difference"
# The same of those with scores near each other, which cannot cancel out.
BY_SCORE = "calibration_by_score_difference"
METRICS = (*COMPARED, CALIBRATION, BY_SCORE)
RATIO_METRICS = frozenset(name for name in COMPARED if name.endswith("_ratio"))
NOT_COUNTED = frozenset({"not_counted", "no_label", "no_score", "too_many_groups"})
"""Reasons that are none of the numbers: what the metric needs was not there to be counted."""


def assess(
    result: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]], most: int = MAX_NAMED
) -> list[dict[str, Any]]:
    """Each metric by each column, or cross of columns, of a fairness result: state, reason, and what decided.

    A row: metric, by (a column, or a list of several), state, reason, threshold {min|max}, min_group, reference, and
    `group`, `n`, `value`, `interval` of the group that decided (the failing one furthest off, else the one in doubt,
    else the one nearest to the threshold), `small` groups, and `groups` judged, each {group, n, value, interval, state,
    rate, of, reference}; where the metric is by score also `score`, from and to. Reasons: "" and "beyond"; "crosses",
    "small_group", "undefined" (a group has nobody to compute it from), "one_class" (everybody has the same outcome or
    label); and those of `NOT_COUNTED`. Of a group that is not to be published, n and rate are None; its figures, and
    those of who is held against it, are rounded. Of more than `most` groups those worst off stay.
    """
    found = fairness.tables(result)
    away = hidden(result)
    return [
        _assess_one(metric, by, fairness.table_of(found, by), away, int(result.get("v", 1)), most)
        for metric in metrics
        for by in metric["by"]
    ]


def _assess_one(
    metric: Mapping[str, Any],
    by: str | Sequence[str],
    table: fairness.Table | None,
    away: Mapping[tuple[str, ...], frozenset[tuple[str, ...]]],
    shape: int,
    most: int,
) -> dict[str, Any]:
    name, least = metric["name"], int(metric.get("min_group", 1))
    as_ratio = name in RATIO_METRICS
    threshold = float(metric["min"] if as_ratio else metric["max"])
    row: dict[str, Any] = {
        "metric": name,
        "by": by if isinstance(by, str) else list(by),
        "state": CANNOT_TELL,
        "reason": "not_counted",
        "threshold": {"min" if as_ratio else "max": threshold},
        "min_group": least,
        "reference": None,
        "group": None,
        "n": None,
        "value": None,
        "interval": None,
        "small": [],
        "groups": [],
    }
    missing = _not_there(name, table)
    if missing or table is None or not table.groups:
        return row | {"reason": missing or "not_counted"}
    people = {fairness.name_of(fairness.key_of(group)): int(group["n"]) for group in table.groups}
    small = [{"group": group} for group, n in sorted(people.items()) if n < least]
    if name == CALIBRATION:
        judged, undefined = _apart(table.groups, people, least, threshold)
    elif name == BY_SCORE:
        judged, undefined = _apart_by_score(table.groups, people, least, threshold)
    else:
        judged, undefined, row["reference"] = _between(name, table.groups, people, least, threshold)
    secret = {fairness.name_of(key) for key in away.get(table.by, ())}
    shown = [_told(held, secret) for held in judged]
    worst_off = sorted(range(len(judged)), key=lambda at: (_rank(judged[at]), _margin(judged[at], as_ratio)))
    row["small"], row["groups"] = small[:most], [shown[at] for at in sorted(worst_off[:most])]
    for state, reason in ((NOT_MET, "beyond"), (CANNOT_TELL, "crosses"), (MET, "")):
        those = [place for place, held in enumerate(judged) if held["state"] == state]
        if those:
            worst = shown[min(those, key=lambda at: (_margin(judged[at], as_ratio), judged[at]["group"]))]
            row |= {key: worst[key] for key in ("group", "n", "value", "interval", "score") if key in worst}
            row |= {"state": state, "reason": reason, "reference": worst["reference"]}
            break
    if row["state"] != NOT_MET:
        # The first shape of results was judged without asking this, and is judged again as it was.
        if shape >= 2 and _one_class(name, table.groups):
            row |= {"state": CANNOT_TELL, "reason": "one_class"}
        elif undefined:
            row |= {"state": CANNOT_TELL, "reason": "undefined"}
        elif small:
            row |= {
                "state": CANNOT_TELL,
                "reason": row["reason"] if row["reason"] == "crosses" else "small_group",
            }
        elif not judged:  # one group alone: nothing is unequal
            row |= {"state": MET, "reason": ""}
    return row


def _not_there(name: str, table: fairness.Table | None) -> str:
    """What a metric needs and the result does not hold; an empty text where it is all there."""
    if table is None:
        return "not_counted"
    if table.groups is None:
        return "too_many_groups"
    if not table.groups:
        return "not_counted"
    if name in (CALIBRATION, BY_SCORE):
        if "calibration" not in table.groups[0]:
            return "no_score"
        whole = [group["calibration"] for group in table.groups if group["calibration"]]
        return "not_counted" if name == BY_SCORE and any("bins" not in one for one in whole) else ""
    if COMPARED[name] != ("selection",) and "positives" not in table.groups[0]:
        return "no_label"
    return ""


def _one_class(name: str, groups: Sequence[Mapping[str, Any]]) -> bool:
    """Whether everybody has the same outcome, or, where the metric looks at labels, the same label."""
    if name in (CALIBRATION, BY_SCORE):
        held = [group["calibration"] for group in groups if group["calibration"]]
        return sum(one["positives"] for one in held) in (0, sum(one["n"] for one in held))
    if sum(int(group["selected"]) for group in groups) in (0, sum(int(group["n"]) for group in groups)):
        return True
    return COMPARED[name] != ("selection",) and 0 in (
        sum(int(group["positives"]) for group in groups),
        sum(int(group["negatives"]) for group in groups),
    )


def _between(
    name: str, groups: Sequence[Mapping[str, Any]], people: Mapping[str, int], least: int, threshold: float
) -> tuple[list[dict[str, Any]], bool, str | None]:
    """Each group against the one with the highest rate: those judged, whether any is left open, and the reference."""
    judged: list[dict[str, Any]] = []
    undefined, standing = False, None
    for kind in COMPARED[name]:
        found = fairness.rates(groups, kind)
        base = fairness.reference(found, people, least)
        # A group that has nobody to compute the rate from, or a reference that selects nobody, leaves it open.
        has_rate = {rate.group for rate in found}
        undefined = (
            undefined or base is None or any(n >= least and g not in has_rate for g, n in people.items())
        )
        if base is None:
            continue
        standing = standing or base.group
        for rate in found:
            if rate.group != base.group and people[rate.group] >= least:
                judged.append(
                    _compared(rate, base, threshold, name in RATIO_METRICS, kind, people[rate.group])
                )
                undefined = undefined or judged[-1]["value"] is None
    return judged, undefined, standing


def _compared(
    rate: fairness.Rate, base: fairness.Rate, threshold: float, as_ratio: bool, kind: str, people: int
) -> dict[str, Any]:
    found = fairness.against(rate, base, by="ratio" if as_ratio else "difference")
    low, high = found.interval
    if as_ratio:
        safe, beyond = low >= threshold, high is not None and high < threshold
    else:
        safe, beyond = high is not None and high <= threshold, low > threshold
    return {
        "group": rate.group,
        "n": people,
        "rate": rate.value,
        "of": kind,
        "reference": base.group,
        "value": found.value,
        "interval": [low, high],
        "state": _state(safe, beyond),
    }


def _apart(
    groups: Sequence[Mapping[str, Any]], people: Mapping[str, int], least: int, threshold: float
) -> tuple[list[dict[str, Any]], bool]:
    """Each group's distance between what happened and what was predicted, and whether a large enough one has none."""
    judged: list[dict[str, Any]] = []
    undefined = False
    for group in groups:
        name, held = fairness.name_of(fairness.key_of(group)), group["calibration"]
        if people[name] < least:
            continue
        if not held:
            undefined = True
            continue
        told = apart(held["n"], held["positives"], held["mean_score"])
        judged.append({"group": name, "n": people[name], **_distance(told, threshold)})
    return judged, undefined


def _apart_by_score(
    groups: Sequence[Mapping[str, Any]], people: Mapping[str, int], least: int, threshold: float
) -> tuple[list[dict[str, Any]], bool]:
    """The same of each group's people by score, taken together until they are enough to be judged."""
    judged: list[dict[str, Any]] = []
    undefined = False
    for group in groups:
        name, held = fairness.name_of(fairness.key_of(group)), group["calibration"]
        if people[name] < least:
            continue
        parts = by_score(held["bins"], least) if held else []
        undefined = undefined or not parts
        judged += [
            {
                "group": name,
                "n": part["n"],
                "score": [part["from"], part["to"]],
                **_distance(part, threshold),
            }
            for part in parts
        ]
    return judged, undefined


def _distance(told: Mapping[str, Any], threshold: float) -> dict[str, Any]:
    low, high = told["interval"]
    near = 0.0 if low <= 0.0 <= high else min(abs(low), abs(high))
    far = max(abs(low), abs(high))
    return {
        "rate": told["observed"],
        "of": "calibration",
        "reference": None,
        "value": abs(told["gap"]),
        "interval": [near, far],
        "state": _state(far <= threshold, near > threshold),
    }


def _state(safe: bool, beyond: bool) -> State:
    return MET if safe else NOT_MET if beyond else CANNOT_TELL


def _told(held: Mapping[str, Any], secret: Set[str]) -> Mapping[str, Any]:
    """Without what would give away a group too small to publish: by subtraction, or as the other side of a ratio.

    The people of a group with scores near each other are such a group, too.
    """
    alone = (
        held["group"] in secret or "score" in held
    )  # each group's scores are taken together in its own way
    if not alone and held["reference"] not in secret:
        return held
    low, high = held["interval"]
    return {
        **held,
        **({"n": None, "rate": None} if alone else {}),
        "value": _rounded(held["value"]),
        "interval": [_rounded(low), _rounded(high)],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _rank(held: Mapping[str, Any]) -> int:
    return (NOT_MET, CANNOT_TELL, MET).index(held["state"])


def _margin(held: Mapping[str, Any], as_ratio: bool) -> float:
    """Smaller is worse."""
    value = held["value"]
    if value is None:
        return float("-inf")
    return float(value) if as_ratio else -float(value)
