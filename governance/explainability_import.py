"""Reads explainability figures that were counted elsewhere into the result that collecting from DSS gives. Pure.

One format, mean absolute SHAP values, by `explainability.schema.json`; what may go with them is in it too. Not in
charge of who may bring what, nor of what the figures come to (`governance.explained`).
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from jsonschema import Draft202012Validator

from governance import explainability
from governance.fairness_import import check_values, first_fault, refuse
from portal.errors import Invalid

SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_name("explainability.schema.json").read_text("utf-8"))
FORMATS = {"shap": "SHAP"}
_VALIDATOR = Draft202012Validator(SCHEMA)


class ExplainabilityImportError(Invalid):
    """The figures cannot be taken in; `field` is where, and the sentence says the remedy."""


def read(content: Any) -> dict[str, Any]:
    """The result of mean absolute SHAP values; raises Invalid naming the field and the remedy."""
    check_values(content)
    if error := first_fault(_VALIDATOR, content):
        refuse(error)
    _once("features", (one["feature"] for one in content["features"]))
    result = explainability.result(
        {one["feature"]: one["mean_abs"] for one in content["features"]}, method="shap"
    )
    if result is None:
        _no("features", "No feature matters at all. Send values of at least one that does.", "import_empty")
    errors = {one["feature"]: one["se"] for one in content["features"] if "se" in one}
    whole = sum(one["mean_abs"] for one in content["features"])
    for one in result["features"]:
        if one["feature"] in errors:
            one["share_se"] = errors[one["feature"]] / whole
    known = {one["feature"] for one in result["features"]}
    if "n" in content:
        result["n"] = content["n"]
    if "tool" in content:
        result["tool"] = content["tool"]
    result["subpopulations"] = _subpopulations(content.get("subpopulations", ()))
    if curves := _curves(content.get("dependence", ())):
        result["dependence"] = curves
    if "associations" in content:
        result["associations"] = _associations(content["associations"], known)
    return result


def _subpopulations(said: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    said = list(said)
    _once("subpopulations", (one["feature"] for one in said))
    found = []
    for number, one in enumerate(said):
        _once(f"subpopulations[{number}].groups", (group["group"] for group in one["groups"]))
        rows = [
            {
                "modality": group["group"],
                "n": group["n"],
                "auc": group.get("auc"),
                "positive_rate": group.get("positive_rate"),
                "actual_rate": group.get("actual_rate"),
                "excluded": False,
            }
            for group in one["groups"]
        ]
        found.append({"feature": one["feature"], "type": "CATEGORY", "modalities": rows})
    return sorted(found, key=lambda one: str(one["feature"]))


def _curves(said: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    said = list(said)
    _once("dependence", (one["feature"] for one in said))
    found = []
    for number, one in enumerate(said):
        here = f"dependence[{number}].points"
        places = [point["at"] for point in one["points"]]
        if len({isinstance(at, str) for at in places}) > 1:
            _no(
                here, "Some points are at a number and some at a text. Make all of them one.", "import_points"
            )
        _once(here, places)
        curve = explainability.curve_of(one["feature"], one["points"])
        assert curve is not None  # the schema asks for two points
        found.append(curve | ({"n": one["n"]} if "n" in one else {}))
    return found


def _associations(said: Iterable[Mapping[str, Any]], known: set[str]) -> dict[str, Any]:
    said = list(said)
    _once("associations", ((one["feature"], one["of"]) for one in said))
    rows = []
    for number, one in enumerate(said):
        here = f"associations[{number}]"
        if one["feature"] not in known:
            _no(
                f"{here}.feature",
                "This is none of the features. Name one of them, or leave it out.",
                "import_unknown",
            )
        if not one["low"] <= one["value"] <= one["high"]:
            _no(
                f"{here}.value",
                f"{one['value']} is not between low {one['low']} and high {one['high']}. Correct them.",
                "import_interval",
            )
        rows.append(
            {name: one[name] for name in ("feature", "of", "measure", "value", "n")}
            | {"interval": [one["low"], one["high"]]}
        )
    return {"n": max((row["n"] for row in rows), default=0), "rows": rows, "not_counted": []}


def _once(field: str, names: Iterable[Any]) -> None:
    seen: set[Any] = set()
    for name in names:
        if name in seen:
            told = " with ".join(name) if isinstance(name, tuple) else str(name)
            _no(field, f"{told} is given twice. Give it once.", "import_twice")
        seen.add(name)


def _no(field: str, sentence: str, code: str) -> NoReturn:
    raise ExplainabilityImportError(f"{field}: {sentence}", code=code, field=field)
