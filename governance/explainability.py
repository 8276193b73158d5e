"""Turns what DSS answers about a model into one evidence result: which features matter, and how subgroups fare.

Tolerant of missing fields, since not every engine computes them; a model without importances gives no evidence, which
is never a pass. Not in charge of asking DSS, nor of judging (`governance.checks`).
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any

SHAPE = 1
MISSING = "(missing)"
MAX_FEATURES = 5000
MAX_MODALITIES = 200


def result(
    importance: Mapping[str, Any] | None,
    subpopulations: Mapping[str, Any] | None = None,
    *,
    method: str = "shapley",
) -> dict[str, Any] | None:
    """The evidence as JSON values, or None where there is none.

    `importance` maps feature to (absolute) importance, as in DSS's `absoluteImportance`; `subpopulations` is DSS's
    sub-population object (`{global, subpopulationAnalyses}`) or its list of analyses. Features come sorted by their
    share of the whole, largest first.
    """
    features = _features(importance)
    if not features:
        return None
    return {
        "v": SHAPE,
        "method": method,
        "features": features,
        "subpopulations": _subpopulations(subpopulations),
    }


def uses(feature: str, forbidden: str) -> bool:
    """Whether a feature is the forbidden column or was made from it: `gender`, `dummy:gender:F`, in any case."""
    wanted = forbidden.strip().casefold()
    name = feature.strip().casefold()
    return name == wanted or wanted in name.split(":")


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
