"""The files of a saved model version, and every figure drawn from them.

A version's `model.bin` holds its coefficients; performance, importance, group analyses and partial dependence are
computed from it over rows of its population, so they agree with the scored data set. Pure; knows no node.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

from portal.dss.sandbox.population import Category, Formula, Population, Values, sample

Json = dict[str, Any]

_MAGIC = "CSBM1\n"
_TRAIN_ROWS = 2000


def definition(model: str, name: str, active: str) -> Json:
    """The saved model's own settings."""
    return {
        "id": model,
        "name": name,
        "type": "PREDICTION",
        "savedModelType": "DSS_MANAGED",
        "predictionType": "BINARY_CLASSIFICATION",
        "miniTask": {
            "taskType": "PREDICTION",
            "predictionType": "BINARY_CLASSIFICATION",
            "backendType": "PY_MEMORY",
        },
        "publishPolicy": "EXPLICIT",
        "activeVersion": active,
        "tags": [],
    }


def version_files(population: Population, seed: str, formula: Formula, version: str) -> dict[str, Any]:
    """The files under `versions/V/`: split, core parameters, performance and the model itself."""
    return {
        "rsplits.json": {"policy": "RANDOM", "ratio": 0.8, "seed": 1337, "sampleRows": _TRAIN_ROWS},
        "core_params.json": {
            "prediction_type": "BINARY_CLASSIFICATION",
            "target_variable": population.label,
            "backendType": "PY_MEMORY",
            "inputs": list(formula.inputs()),
            "population": seed,
        },
        "perf.json": {
            **performance(population, formula, sample(seed, _TRAIN_ROWS)),
            "trainDate": int(version),
        },
        "model.bin": to_binary(formula),
    }


def to_binary(formula: Formula) -> str:
    """The content of `model.bin`."""
    return _MAGIC + json.dumps(
        {
            "intercept": formula.intercept,
            "weights": formula.weights,
            "centre": formula.centre,
            "threshold": formula.threshold,
        },
        sort_keys=True,
    )


def from_binary(text: str) -> Formula:
    """The formula in `model.bin`. Raises ValueError when it is not one."""
    if not text.startswith(_MAGIC):
        raise ValueError("not a model of this engine")
    stored = json.loads(text[len(_MAGIC) :])
    return Formula(stored["intercept"], stored["weights"], stored["centre"], stored["threshold"])


def _auc(scores: list[tuple[float, int]]) -> float:
    """Area under the ROC curve by ranks (ties share theirs)."""
    scores.sort()
    positives = sum(label for _, label in scores)
    negatives = len(scores) - positives
    if not positives or not negatives:
        return 0.5
    rank_sum = 0.0
    index = 0
    while index < len(scores):
        end = index
        while end < len(scores) and scores[end][0] == scores[index][0]:
            end += 1
        rank_sum += (index + end + 1) / 2 * sum(label for _, label in scores[index:end])
        index = end
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def performance(population: Population, formula: Formula, rows: Sequence[Values]) -> Json:
    """Metrics of the model over rows: auc, accuracy, precision, recall, f1, logLoss."""
    score = formula.odds(population)
    label_at = len(population.columns) - 1
    scores: list[tuple[float, int]] = []
    true_positive = false_positive = false_negative = true_negative = 0
    log_loss = 0.0
    for row in rows:
        label = int(row[label_at])
        probability = 1 / (1 + math.exp(-score(row)))
        scores.append((probability, label))
        log_loss -= math.log(probability if label else 1 - probability)
        if probability >= formula.threshold:
            true_positive += label
            false_positive += 1 - label
        else:
            false_negative += label
            true_negative += 1 - label
    precision = true_positive / (true_positive + false_positive) if true_positive + false_positive else 0.0
    recall = true_positive / (true_positive + false_negative) if true_positive + false_negative else 0.0
    count = max(len(scores), 1)
    return {
        "auc": round(_auc(scores), 6),
        "accuracy": round((true_positive + true_negative) / count, 6),
        "precision": round(precision, 6),
        "recall": round(recall, 6),
        "f1": round(2 * precision * recall / (precision + recall), 6) if precision + recall else 0.0,
        "logLoss": round(log_loss / count, 6),
        "falsePositiveRate": round(false_positive / max(false_positive + true_negative, 1), 6),
    }


def _group_figures(population: Population, formula: Formula, rows: Sequence[Values]) -> Json:
    """Metrics, and average prediction and target, of one group of rows."""
    score = formula.odds(population)
    at_least = cut(formula)
    label_at = len(population.columns) - 1
    selected = sum(1 for row in rows if score(row) >= at_least)
    positive = sum(int(row[label_at]) for row in rows)
    return {
        "performanceMetrics": performance(population, formula, rows),
        "perf": {
            "globalMetrics": {
                "predictionAvg": [selected / len(rows)],
                "targetAvg": [positive / len(rows)],
                "testWeight": len(rows),
            }
        },
    }


_MIN_GROUP = 10
_BINS = 4


def subpopulations(
    population: Population,
    formula: Formula,
    rows: Sequence[Values],
    features: Sequence[str],
    random_state: int,
) -> Json:
    """Sub-population analyses of `features`, in the shape the client reads. Unknown features raise KeyError."""
    analyses = []
    for feature in features:
        column = population.columns.index(feature) if feature in population.columns else -1
        if column <= 0:
            raise KeyError(feature)
        category = next((c for c in population.categories if c.name == feature), None)
        modalities = (
            _by_value(population, formula, rows, column, category)
            if category
            else _by_bounds(population, formula, rows, column)
        )
        analyses.append(
            {
                "feature": feature,
                "computed_as_type": "CATEGORY" if category else "NUMERIC",
                "nbRecords": len(rows),
                "randomState": random_state,
                "onSample": True,
                "modalities": modalities,
            }
        )
    return {"global": _group_figures(population, formula, rows), "subpopulationAnalyses": analyses}


def _modality(
    population: Population, formula: Formula, rows: Sequence[Values], index: int, **bounds: Any
) -> Json:
    excluded = len(rows) < _MIN_GROUP
    figures = {} if excluded else _group_figures(population, formula, rows)
    return {"index": index, "missing_values": False, "excluded": excluded, **bounds, **figures}


def _by_value(
    population: Population, formula: Formula, rows: Sequence[Values], column: int, category: Category
) -> list[Json]:
    return [
        _modality(population, formula, [row for row in rows if row[column] == value], index, value=value)
        for index, value in enumerate(category.shares)
    ]


def _by_bounds(population: Population, formula: Formula, rows: Sequence[Values], column: int) -> list[Json]:
    values = sorted(float(row[column]) for row in rows)
    cuts = [values[len(values) * part // _BINS] for part in range(1, _BINS)]
    lows = [None, *cuts]
    highs = [*cuts, None]
    found = []
    for index, (low, high) in enumerate(zip(lows, highs, strict=True)):
        inside = [
            row
            for row in rows
            if (low is None or float(row[column]) > low) and (high is None or float(row[column]) <= high)
        ]
        bounds = {name: bound for name, bound in (("gt", low), ("lte", high)) if bound is not None}
        found.append(_modality(population, formula, inside, index, **bounds))
    return found


def importance(population: Population, formula: Formula, rows: Sequence[Values]) -> dict[str, float]:
    """Mean absolute Shapley value per input, shares of 1, largest first.

    Exact for a logistic formula: a feature's value is its term minus the term's mean.
    """
    totals: dict[str, float] = {}
    for feature in formula.inputs():
        column = population.columns.index(feature)
        centre = formula.centre.get(feature, 0.0)
        if feature in formula.weights:
            terms = [formula.weights[feature] * (float(row[column]) - centre) for row in rows]
        else:
            terms = [formula.weights.get(f"{feature}={row[column]}", 0.0) for row in rows]
        mean = sum(terms) / len(terms)
        totals[feature] = sum(abs(term - mean) for term in terms) / len(terms)
    whole = sum(totals.values()) or 1.0
    ordered = sorted(totals.items(), key=lambda item: -item[1])
    return {feature: round(value / whole, 6) for feature, value in ordered}


def partial_dependence(
    population: Population, formula: Formula, rows: Sequence[Values], feature: str, random_state: int
) -> Json:
    """Average probability as one feature takes each of its values. Unknown features raise KeyError."""
    column = population.columns.index(feature) if feature in population.columns else -1
    if column <= 0:
        raise KeyError(feature)
    category = next((c for c in population.categories if c.name == feature), None)
    if category:
        points: list[Any] = list(category.shares)
    else:
        values = sorted(float(row[column]) for row in rows)
        points = [values[(len(values) - 1) * part // 10] for part in range(11)]
    score = formula.odds(population)
    data = []
    for point in points:
        moved = (score((*row[:column], point, *row[column + 1 :])) for row in rows)
        data.append({"value": point, "average": sum(1 / (1 + math.exp(-odds)) for odds in moved) / len(rows)})
    return {
        "feature": feature,
        "nbRecords": len(rows),
        "randomState": random_state,
        "onSample": True,
        "data": data,
    }


def cut(formula: Formula) -> float:
    """The threshold as log-odds: a row at or above it is selected."""
    return math.log(formula.threshold / (1 - formula.threshold))
