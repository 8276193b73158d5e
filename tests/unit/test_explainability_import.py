"""SHAP values from elsewhere: what is read, and what each mistake is told, by field and remedy."""

import copy
from typing import Any

import pytest

from governance.explainability_import import read
from governance.explained import assess
from portal.errors import Invalid

SHAP: dict[str, Any] = {
    "format": "shap",
    "n": 5000,
    "tool": "shap 0.46",
    "features": [
        {"feature": "calls", "mean_abs": 0.1},
        {"feature": "tenure", "mean_abs": 0.3, "se": 0.02},
        {"feature": "noise", "mean_abs": 0},
    ],
    "subpopulations": [
        {
            "feature": "gender",
            "groups": [{"group": "F", "n": 90, "auc": 0.8}, {"group": "M", "n": 12, "positive_rate": 0.25}],
        }
    ],
    "dependence": [
        {"feature": "tenure", "n": 500, "points": [{"at": 9, "value": 0.1}, {"at": 1, "value": 0.4}]},
        {"feature": "calls", "points": [{"at": "few", "value": 0.1}, {"at": "many", "value": 0.2}]},
    ],
    "associations": [
        {
            "feature": "tenure",
            "of": "gender",
            "measure": "cramers_v",
            "value": 0.2,
            "low": 0.1,
            "high": 0.25,
            "n": 5000,
        }
    ],
}


def changed(*path: Any, to: Any) -> dict[str, Any]:
    found = copy.deepcopy(SHAP)
    held: Any = found
    for step in path[:-1]:
        held = held[step]
    held[path[-1]] = to
    return found


def test_what_is_read() -> None:
    found = read(SHAP)
    assert (found["v"], found["method"], found["n"]) == (1, "shap", 5000)
    assert [one["feature"] for one in found["features"]] == ["tenure", "calls", "noise"]
    assert found["features"][0]["share"] == pytest.approx(0.75)
    assert found["features"][0]["share_se"] == pytest.approx(0.05)
    (gender,) = found["subpopulations"]
    assert [row["n"] for row in gender["modalities"]] == [90, 12]
    tenure, calls = found["dependence"]
    assert [point["at"] for point in tenure["points"]] == [1, 9]
    assert (tenure["type"], calls["type"]) == ("number", "category")
    assert found["associations"]["rows"][0]["interval"] == [0.1, 0.25]


def test_it_is_judged_like_what_was_collected() -> None:
    asked = {"top": 1, "forbid": ["gender"], "proxies": {"of": ["gender"], "max": 0.3}}
    assert assess(read(SHAP), asked)[0] == "met"
    assert assess(read(SHAP), asked | {"top": 2})[1] == "explainability_proxy_unclear"
    without = {name: held for name, held in SHAP.items() if name != "associations"}
    assert assess(read(without), asked)[0] == "cannot_tell"


@pytest.mark.parametrize(
    "content, field, says",
    [
        (7, "content", "object"),
        ({}, "format", "missing"),
        ({"format": "shap"}, "features", "missing"),
        (changed("format", to="lime"), "format", "Choose|same value"),
        (changed("features", to=[]), "features", "at least 1"),
        (changed("features", 0, to={"feature": "a"}), "features[0].mean_abs", "missing"),
        (changed("features", 0, "mean_abs", to=-1), "features[0].mean_abs", "less than 0"),
        (changed("features", 0, "mean_abs", to="much"), "features[0].mean_abs", "number"),
        (changed("features", 0, "mean_abs", to=10**400), "features[0].mean_abs", "more than"),
        (changed("features", 0, "feature", to="tenure"), "features", "given twice"),
        (changed("features", to=[{"feature": "a", "mean_abs": 0}]), "features", "No feature matters"),
        (changed("features", 0, "feature", to="a\u202eb"), "content", "cannot be seen"),
        (changed("rows", to=[]), "rows", "no such field"),
        (changed("dependence", 0, "points", 1, "at", to="x"), "dependence[0].points", "Make all of them one"),
        (changed("dependence", 0, "points", 1, "at", to=9), "dependence[0].points", "given twice"),
        (changed("dependence", 1, "feature", to="tenure"), "dependence", "given twice"),
        (changed("subpopulations", 0, "groups", 1, "group", to="F"), "subpopulations[0].groups", "twice"),
        (changed("associations", 0, "value", to=0.5), "associations[0].value", "not between"),
        (changed("associations", 0, "value", to=1.5), "associations[0].value", "more than 1"),
        (changed("associations", 0, "feature", to="x"), "associations[0].feature", "none of the features"),
        (changed("associations", 0, "of", to=["g"]), "associations[0].of", "string"),
    ],
)
def test_what_cannot_be_read_names_the_field_and_the_remedy(content: Any, field: str, says: str) -> None:
    with pytest.raises(Invalid, match=says) as caught:
        read(content)
    assert caught.value.field == field


def test_many_points_are_thinned_and_keep_their_ends() -> None:
    points = [{"at": place, "value": place / 1000} for place in range(1000)]
    found = read(changed("dependence", 0, "points", to=points))
    (tenure, _calls) = found["dependence"]
    assert len(tenure["points"]) == 60
    assert (tenure["points"][0]["at"], tenure["points"][-1]["at"]) == (0, 999)
