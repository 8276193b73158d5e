"""The figures against Fairlearn and AIF360: every metric on fifty random data sets, equal to 1e-9.

Two groups, for AIF360 knows no more, and six of two columns crossed.
"""

import random
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import pytest

from governance.fairness import GroupCounter, Rate, against, key_of, rates
from tests.late import Late

fairlearn = Late("fairlearn.metrics")
pandas = Late("pandas")
aif360_datasets = Late("aif360.datasets")
aif360_metrics = Late("aif360.metrics")

DATA_SETS = 50
# Crossed groups are compared, too, on so many of them: a frame of those takes as long as all the rest.
CROSSED = 15
AGES = ("18", "40", "60")


class Held(NamedTuple):
    """One data set by our counting, by Fairlearn's arrays, and by AIF360 (F unprivileged, M privileged)."""

    seed: int
    table: Mapping[str, Any]
    cross: Mapping[str, Any]
    arrays: dict[str, Any]
    crossed: dict[str, Any]
    scores: Any
    aif: Any

    def group(self, name: str) -> Mapping[str, Any]:
        return next(group for group in self.table["groups"] if group["group"] == name)

    def rate(self, name: str, kind: str) -> Rate:
        return next(rate for rate in rates(self.table["groups"], kind) if rate.group == name)

    def ratio(self, kind: str) -> float:
        value = against(self.rate("F", kind), self.rate("M", kind), by="ratio").value
        assert value is not None
        return value

    def gap(self, kind: str) -> float:
        value = against(self.rate("M", kind), self.rate("F", kind), by="difference").value
        assert value is not None
        return value  # F less M, as AIF360 has it


@cache
def data_set(seed: int) -> Held:
    chance = random.Random(seed)
    lean = {"F": chance.uniform(0.2, 0.8), "M": chance.uniform(0.2, 0.8)}
    rows = []
    # Each combination is there, so that neither oracle divides by nothing.
    for gender in "FM":
        for age in AGES:
            rows += [(gender, age, real, out, chance.random()) for real in (0, 1) for out in (0, 1)]
    for _ in range(chance.randint(60, 500)):
        gender, age = chance.choice("FM"), chance.choice(AGES)
        real = int(chance.random() < 0.4)
        rows.append((gender, age, real, int(chance.random() < (lean[gender] + real) / 2), chance.random()))
    counter = GroupCounter(
        ["gender", "age"],
        "out",
        1,
        "real",
        score="p",
        crosses=[("gender", "age")],
        columns=["gender", "age", "real", "out", "p"],
    )
    counter.feed_all(rows)
    result = counter.result(1)
    frame = pandas.DataFrame(rows, columns=["gender", "age", "real", "out", "p"])
    arrays = {"y_true": frame["real"], "y_pred": frame["out"]}
    coded = pandas.DataFrame(
        {"sex": (frame["gender"] == "M").astype(float), "label": frame["real"].astype(float)}
    )
    truth = aif360_datasets.BinaryLabelDataset(
        df=coded, label_names=["label"], protected_attribute_names=["sex"]
    )
    said = truth.copy()
    said.labels = frame["out"].to_numpy(dtype=float).reshape(-1, 1)
    aif = aif360_metrics.ClassificationMetric(
        truth, said, unprivileged_groups=[{"sex": 0.0}], privileged_groups=[{"sex": 1.0}]
    )
    return Held(
        seed,
        result["attributes"][0],
        result["intersections"][0],
        {**arrays, "sensitive_features": frame["gender"]},
        {**arrays, "sensitive_features": frame[["gender", "age"]]},
        frame["p"].to_numpy(),
        aif,
    )


def precision(y_true: Any, y_pred: Any) -> float:
    """By definition: Fairlearn has none of its own, and scikit-learn's takes most of the time of a frame."""
    return float(y_true[y_pred == 1].mean())


def mean_of_scores(y_true: Any, y_pred: Any, p: Any) -> float:
    return float(fairlearn.mean_prediction(y_true, p))


def distance_of_scores(y_true: Any, y_pred: Any, p: Any) -> float:
    return float((y_true - p).mean())


SCORED: dict[str, Callable[..., float]] = {"mean_score": mean_of_scores, "gap": distance_of_scores}


class Frames(NamedTuple):
    """Fairlearn's frames of one data set: by gender, and by gender and age."""

    alone: Any
    crossed: Any


@cache
def frames(seed: int) -> Frames:
    # One frame for all rates: making a frame is what takes the time.
    held = data_set(seed)
    rates = {
        "n": fairlearn.count,
        "rate": fairlearn.selection_rate,
        "tpr": fairlearn.true_positive_rate,
        "fpr": fairlearn.false_positive_rate,
        "precision": precision,
    }
    given = {name: {"p": held.scores} for name in SCORED}
    return Frames(
        fairlearn.MetricFrame(metrics=rates | SCORED, sample_params=given, **held.arrays),
        fairlearn.MetricFrame(metrics=rates, **held.crossed) if seed < CROSSED else None,
    )


def by_group(ours: str) -> Callable[[Held], tuple[list[float], list[float]]]:
    """A rate of each group, and of each crossed group."""

    def pairs(held: Held) -> tuple[list[float], list[float]]:
        found = frames(held.seed)
        groups, cross = held.table["groups"], held.cross["groups"] if found.crossed else []
        theirs = [float(found.alone.by_group[ours][group["group"]]) for group in groups]
        theirs += [float(found.crossed.by_group[ours][key_of(group)]) for group in cross]
        return [group[ours] for group in (*groups, *cross)], theirs

    return pairs


def spread(rate: str, way: str, ours: str) -> Callable[[Held], tuple[list[float], list[float]]]:
    """The frame's own difference() or ratio() between groups, and between crossed groups."""

    def pairs(held: Held) -> tuple[list[float], list[float]]:
        found = frames(held.seed)
        mine, theirs = [held.table["figures"][ours]], [float(getattr(found.alone, way)()[rate])]
        if found.crossed:
            mine.append(held.cross["figures"][ours])
            theirs.append(float(getattr(found.crossed, way)()[rate]))
        return mine, theirs

    return pairs


def figure(metric: str, ours: str) -> Callable[[Held], tuple[list[float], list[float]]]:
    """A figure over the groups."""
    return lambda held: ([held.table["figures"][ours]], [float(getattr(fairlearn, metric)(**held.arrays))])


def of_scores(ours: str) -> Callable[[Held], tuple[list[float], list[float]]]:
    def pairs(held: Held) -> tuple[list[float], list[float]]:
        theirs = frames(held.seed).alone.by_group[ours]
        groups = held.table["groups"]
        return [g["calibration"][ours] for g in groups], [float(theirs[g["group"]]) for g in groups]

    return pairs


def furthest(held: Held) -> tuple[list[float], list[float]]:
    theirs = frames(held.seed).alone.by_group["gap"]
    return [held.table["figures"]["calibration_difference"]], [float(theirs.abs().max())]


def aif(method: str, ours: Callable[[Held], float]) -> Callable[[Held], tuple[list[float], list[float]]]:
    return lambda held: ([ours(held)], [float(getattr(held.aif, method)())])


def aif_both(method: str, kind: str) -> Callable[[Held], tuple[list[float], list[float]]]:
    """Of the privileged and of the unprivileged group."""
    return lambda held: (
        [held.rate("M", kind).value, held.rate("F", kind).value],
        [float(getattr(held.aif, method)(privileged=one)) for one in (True, False)],
    )


def aif_counts(held: Held) -> tuple[list[float], list[float]]:
    mine: list[float] = []
    theirs: list[float] = []
    for name, privileged in (("M", True), ("F", False)):
        group, counts = held.group(name), held.aif.binary_confusion_matrix(privileged=privileged)
        mine += [
            group["true_positives"],
            group["false_positives"],
            group["positives"],
            group["negatives"],
            group["n"],
        ]
        theirs += [counts["TP"], counts["FP"], counts["TP"] + counts["FN"], counts["FP"] + counts["TN"]]
        theirs += [sum(counts.values())]
    return mine, theirs


METRICS: dict[str, Callable[[Held], tuple[list[float], list[float]]]] = {
    "fairlearn count": by_group("n"),
    "fairlearn selection_rate": by_group("rate"),
    "fairlearn true_positive_rate": by_group("tpr"),
    "fairlearn false_positive_rate": by_group("fpr"),
    "fairlearn precision": by_group("precision"),
    "fairlearn mean_prediction of scores": of_scores("mean_score"),
    "fairlearn mean distance of scores": of_scores("gap"),
    "fairlearn largest distance of scores": furthest,
    "fairlearn ratio of selection_rate": spread("rate", "ratio", "demographic_parity_ratio"),
    "fairlearn difference of selection_rate": spread("rate", "difference", "demographic_parity_difference"),
    "fairlearn ratio of true_positive_rate": spread("tpr", "ratio", "equal_opportunity_ratio"),
    "fairlearn difference of true_positive_rate": spread("tpr", "difference", "equal_opportunity_difference"),
    "fairlearn ratio of false_positive_rate": spread("fpr", "ratio", "false_positive_rate_ratio"),
    "fairlearn difference of false_positive_rate": spread(
        "fpr", "difference", "false_positive_rate_difference"
    ),
    "fairlearn ratio of precision": spread("precision", "ratio", "predictive_parity_ratio"),
    "fairlearn difference of precision": spread("precision", "difference", "predictive_parity_difference"),
    "fairlearn equalized_odds_ratio": figure("equalized_odds_ratio", "equalized_odds_ratio"),
    "aif360 binary_confusion_matrix": aif_counts,
    "aif360 selection_rate": aif_both("selection_rate", "selection"),
    "aif360 true_positive_rate": aif_both("true_positive_rate", "tpr"),
    "aif360 false_positive_rate": aif_both("false_positive_rate", "fpr"),
    "aif360 positive_predictive_value": aif_both("positive_predictive_value", "precision"),
    "aif360 statistical_parity_difference": aif(
        "statistical_parity_difference", lambda held: held.gap("selection")
    ),
    "aif360 disparate_impact": aif("disparate_impact", lambda held: held.ratio("selection")),
    "aif360 true_positive_rate_difference": aif(
        "true_positive_rate_difference", lambda held: held.gap("tpr")
    ),
    "aif360 equal_opportunity_difference": aif("equal_opportunity_difference", lambda held: held.gap("tpr")),
    "aif360 false_positive_rate_difference": aif(
        "false_positive_rate_difference", lambda held: held.gap("fpr")
    ),
    "aif360 false_positive_rate_ratio": aif("false_positive_rate_ratio", lambda held: held.ratio("fpr")),
    "aif360 false_discovery_rate_difference": aif(
        "false_discovery_rate_difference", lambda held: -held.gap("precision")
    ),
    "aif360 average_odds_difference": aif(
        "average_odds_difference", lambda held: (held.gap("tpr") + held.gap("fpr")) / 2
    ),
    "aif360 average_abs_odds_difference": aif(
        "average_abs_odds_difference", lambda held: (abs(held.gap("tpr")) + abs(held.gap("fpr"))) / 2
    ),
    "aif360 equalized_odds_difference": aif(
        "equalized_odds_difference", lambda held: held.table["figures"]["equalized_odds_difference"]
    ),
}


def test_enough_metrics_are_compared() -> None:
    assert len(METRICS) >= 25


@pytest.mark.parametrize("seed", range(DATA_SETS))
def test_equal_to_the_oracles(seed: int) -> None:
    held = data_set(seed)
    for name, compared in METRICS.items():
        mine, theirs = compared(held)
        assert mine == pytest.approx(theirs, rel=1e-9, abs=1e-9), name
