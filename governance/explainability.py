"""Turns what DSS answers about a model into one evidence result: which features matter, and how subgroups fare.

Tolerant of missing fields, since not every engine computes them; a model without importances gives no evidence, which
is never a pass. Not in charge of asking DSS, nor of judging (`governance.checks`).
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from math import isfinite
from typing import Any

SHAPE = 1
MISSING = "(missing)"
MAX_FEATURES = 5000
MAX_MODALITIES = 200
MOST_DRAWN = 6  # features whose partial dependence is asked of DSS
MOST_CURVES = 20  # features whose partial dependence is kept
MOST_POINTS = 60  # of one feature
MAX_NAME = 300
MOST_METRICS = 50
_MADE_FROM = re.compile(r"[:=\[\]]|__")
_ENCODER = re.compile(r"one.?hot|\bohe|dumm|\bcat|encod")
METHODS = {"shapley": "DSS Shapley", "shap": "SHAP"}


def result(
    importance: Mapping[str, Any] | None,
    subpopulations: Mapping[str, Any] | None = None,
    *,
    method: str = "shapley",
    dependence: Any = None,
    associations: Mapping[str, Any] | None = None,
    model: Mapping[str, Any] | None = None,
) -> dict[str, Any] | None:
    """The evidence as JSON values, or None where there is none.

    `importance` maps feature to (absolute) importance, as in DSS's `absoluteImportance`; `subpopulations` is DSS's
    sub-population object (`{global, subpopulationAnalyses}`) or its list of analyses. Features come sorted by their
    share of the whole, largest first. `dependence` is DSS's list of partial dependences; `associations` what
    `governance.association` counted, `model` what DSS tells of the version. What was not asked for is not written.
    """
    features = _features(importance)
    if not features:
        return None
    return {
        "v": SHAPE,
        "method": method,
        "features": features,
        "subpopulations": _subpopulations(subpopulations),
        **({"dependence": curves} if (curves := _dependence(dependence)) else {}),
        **({"associations": dict(associations)} if associations is not None else {}),
        **({"model": dict(model)} if model else {}),
    }


def ranked(importance: Mapping[str, Any]) -> list[str]:
    """The names of the features, the one that matters most first."""
    return [one["feature"] for one in _features(importance)]


def of_features(
    told: Mapping[str, Any],
    columns: Mapping[str, str | None],
    of: Sequence[str],
    dropped: Collection[str] = (),
) -> dict[str, Any]:
    """What was counted by column, told by feature: `columns` is the column of each, None where it has none.

    What was not counted, or not of a sensitive column that is not there, has its reason.
    """
    counted = {(row["feature"], row["of"]): row for row in told["rows"]}
    reasons = {(row["feature"], row["of"]): row["reason"] for row in told["not_counted"]}
    rows, missing = [], []
    for feature, column in columns.items():
        for name in of:
            if (column, name) in counted:
                rows.append({**counted[column or "", name], "feature": feature})
                continue
            reason = (
                "too_many_features" if column in dropped else reasons.get((column or "", name), "no_column")
            )
            missing.append({"feature": feature, "of": name, "reason": reason})
    return {"n": told["n"], "rows": rows, "not_counted": missing}


def told_of(
    name: str, prediction_type: str, target: str, metrics: Mapping[str, float], raw: Mapping[str, Any]
) -> dict[str, Any]:
    """What DSS tells of a model version, cut and read tolerantly: what is not told is not there."""
    details, snippet = _mapping(raw.get("details")), _mapping(raw.get("snippet"))
    algorithm = _mapping(details.get("modeling")).get("algorithm") or snippet.get("algorithm")
    features = _mapping(_mapping(details.get("preprocessing")).get("per_feature"))
    inputs = sorted(
        str(key)[:MAX_NAME] for key, held in features.items() if _mapping(held).get("role") == "INPUT"
    )
    trained = _number(_mapping(details.get("trainInfo")).get("endTime")) or _number(snippet.get("trainDate"))
    threshold = _number(_mapping(details.get("modeling")).get("forcedClassifierThreshold"))
    found = {
        "name": name[:MAX_NAME],
        "algorithm": str(algorithm or "")[:MAX_NAME],
        "prediction_type": prediction_type[:MAX_NAME],
        "target": target[:MAX_NAME],
        "metrics": dict(sorted(metrics.items())[:MOST_METRICS]),
        "inputs": inputs[:MAX_FEATURES],
        "trained_ms": trained,
        "threshold": threshold,
    }
    return {key: held for key, held in found.items() if held not in ("", None, [], {})}


def column_of(feature: str, columns: Collection[str]) -> str | None:
    """The column a feature is, or was made from: `country` of `dummy:country:FR`; None where no column is known."""
    if feature in columns:
        return feature
    return next((part for part in feature.split(":") if part in columns), None)


def uses(feature: str, forbidden: str) -> bool:
    """Whether a feature is the forbidden column or was made from it, in any case.

    As DSS names it (`dummy:gender:F`), scikit-learn (`onehot__gender_F`, `gender=F`) or patsy (`gender[T.F]`).
    """
    wanted, name = _folded(forbidden), _folded(feature)
    if wanted in (name, *_MADE_FROM.split(name)):
        return True
    # Where an encoder is named its columns are; alone, `age_of_account` may be no age.
    encoder, _between, column = name.rpartition("__")
    return bool(_ENCODER.search(encoder)) and column.startswith(f"{wanted}_")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _features(importance: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if not isinstance(importance, Mapping):
        return []
    sizes = {
        str(name): abs(number) for name, value in importance.items() if (number := _number(value)) is not None
    }
    whole = sum(sizes.values())
    if not whole or not isfinite(whole):
        return []
    ordered = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:MAX_FEATURES]
    return [{"feature": name, "importance": size, "share": size / whole} for name, size in ordered]


def _subpopulations(raw: Any) -> list[dict[str, Any]]:
    analyses = raw.get("subpopulationAnalyses") if isinstance(raw, Mapping) else raw
    found = []
    for analysis in analyses if isinstance(analyses, list) else []:
        if not isinstance(analysis, Mapping) or not analysis.get("feature"):
            continue
        modalities = analysis.get("modalities")
        rows = [
            _modality(modality)
            for modality in (modalities if isinstance(modalities, list) else [])[:MAX_MODALITIES]
            if isinstance(modality, Mapping)
        ]
        found.append(
            {
                "feature": str(analysis["feature"]),
                "type": str(analysis.get("computed_as_type") or "CATEGORY"),
                "modalities": rows,
            }
        )
    return sorted(found, key=lambda analysis: str(analysis["feature"]))


def _dependence(raw: Any) -> list[dict[str, Any]]:
    """Curves of DSS's partial dependences, cut; what the points are called is UNCONFIRMED, so several names are read.

    A point of a category is `{"at": text, "value": number}`, one of a number has a number there, and rises.
    """
    found = []
    for one in raw if isinstance(raw, list) else []:
        if not isinstance(one, Mapping) or not one.get("feature"):
            continue
        data = one.get("data")
        points = [
            point for held in (data if isinstance(data, list) else []) if (point := _point(held)) is not None
        ]
        curve = curve_of(str(one["feature"]), points)
        if curve is not None:
            rows = _number(one.get("nbRecords"))
            found.append(curve | ({"n": rows} if rows is not None else {}))
    return found[:MOST_CURVES]


def curve_of(feature: str, points: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """A curve of points `{at, value}`, numbers in order where all are; thinned to `MOST_POINTS`, None without two."""
    known = {point["at"]: dict(point) for point in points}
    numeric = all(isinstance(at, int | float) for at in known)
    held = [known[at] for at in sorted(known)] if numeric else list(known.values())
    if len(held) < 2:
        return None
    if len(held) > MOST_POINTS:
        places = [round(step * (len(held) - 1) / (MOST_POINTS - 1)) for step in range(MOST_POINTS)]
        held = [held[place] for place in places] if numeric else held[:MOST_POINTS]
    if not numeric:
        held = [point | {"at": str(point["at"])} for point in held]
    return {"feature": feature[:MAX_NAME], "type": "number" if numeric else "category", "points": held}


def _point(raw: Any) -> dict[str, Any] | None:
    if not isinstance(raw, Mapping):
        return None
    at = next((raw[name] for name in ("value", "x", "modality") if raw.get(name) is not None), None)
    value = next(
        (
            number
            for name in ("average", "prediction", "y")
            if (number := _number(_first(raw.get(name)))) is not None
        ),
        None,
    )
    if value is None or at is None or isinstance(at, dict | list):
        return None
    number = _number(at)
    return {"at": str(at)[:MAX_NAME] if number is None else number, "value": value}


def _modality(raw: Mapping[str, Any]) -> dict[str, Any]:
    metrics = _mapping(raw.get("performanceMetrics"))
    overall = _mapping(_mapping(raw.get("perf")).get("globalMetrics"))
    return {
        "modality": modality_name(raw),
        "n": _number(overall.get("testWeight")),
        "auc": _number(metrics.get("auc")),
        "positive_rate": _number(_first(overall.get("predictionAvg"))),
        "actual_rate": _number(_first(overall.get("targetAvg"))),
        "excluded": bool(raw.get("excluded")),
    }


def modality_name(raw: Mapping[str, Any]) -> str:
    """A group of a sub-population analysis as people read it: its value, or the bounds it lies between."""
    if raw.get("missing_values"):
        return MISSING
    if raw.get("value") is not None:
        return str(raw["value"])
    bounds = [
        f"{word} {number:g}"
        for key, word in (("gt", "above"), ("gte", "from"), ("lt", "below"), ("lte", "up to"))
        if (number := _number(raw.get(key))) is not None
    ]
    return " ".join(bounds) or "(unnamed)"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _first(value: Any) -> Any:
    if isinstance(value, list):
        return value[0] if value else None
    return value


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return value
