"""DSS's importances and sub-populations become one result, whatever they leave out."""

from typing import Any

import pytest

from governance import explainability_charts
from governance.explainability import result, uses

ANALYSES = {
    "global": {"performanceMetrics": {"auc": 0.8}},
    "subpopulationAnalyses": [
        {
            "feature": "gender",
            "computed_as_type": "CATEGORY",
            "modalities": [
                {
                    "value": "F",
                    "missing_values": False,
                    "excluded": False,
                    "performanceMetrics": {"auc": 0.79},
                    "perf": {
                        "globalMetrics": {"predictionAvg": [0.27], "targetAvg": [0.3], "testWeight": 480}
                    },
                },
                {"missing_values": True, "excluded": True},
            ],
        },
        {
            "feature": "age",
            "computed_as_type": "NUMERIC",
            "modalities": [{"gt": 20.0, "lte": 30}, {"gte": 30}],
        },
        {"modalities": []},
        "noise",
    ],
}


def test_features_are_shares_sorted() -> None:
    found = result({"b": -1.0, "a": 3, "c": 1, "bad": None, "nan": float("nan"), "flag": True})
    assert found is not None
    assert [held["feature"] for held in found["features"]] == ["a", "b", "c"]
    assert [held["share"] for held in found["features"]] == pytest.approx([0.6, 0.2, 0.2])


@pytest.mark.parametrize("importance", [None, {}, {"a": 0}, {"a": "x"}, [], "text", {"a": float("inf")}])
def test_without_importances_there_is_no_evidence(importance: Any) -> None:
    assert result(importance, ANALYSES) is None


def test_subpopulations() -> None:
    found = result({"a": 1}, ANALYSES)
    assert found is not None
    age, gender = found["subpopulations"]
    assert [held["modality"] for held in age["modalities"]] == ["above 20 up to 30", "from 30"]
    assert age["modalities"][0]["auc"] is None
    assert gender["modalities"][0] == {
        "modality": "F",
        "n": 480,
        "auc": 0.79,
        "positive_rate": 0.27,
        "actual_rate": 0.3,
        "excluded": False,
    }
    assert gender["modalities"][1]["modality"] == "(missing)"
    assert gender["modalities"][1]["excluded"] is True


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {},
        [],
        {"subpopulationAnalyses": None},
        {
            "subpopulationAnalyses": [
                {"feature": "x", "modalities": [3, {"perf": 7, "performanceMetrics": []}]}
            ]
        },
        {"subpopulationAnalyses": [{"feature": "x", "modalities": {"a": 1}}]},
    ],
)
def test_odd_subpopulations_do_no_harm(raw: Any) -> None:
    found = result({"a": 1}, raw)
    assert found is not None
    assert all(held["auc"] is None for each in found["subpopulations"] for held in each["modalities"])


@pytest.mark.parametrize(
    "feature, forbidden, made_from",
    [
        ("gender", "gender", True),
        ("Gender", "gender ", True),
        ("dummy:gender:F", "gender", True),
        ("engender", "gender", False),
        ("gender_of_owner", "gender", False),
        ("gender=F", "gender", True),
        ("C(gender)[T.F]", "C(gender)", True),
        ("gender[T.F]", "gender", True),
        ("onehot__gender_F", "gender", True),
        ("cat__age_band_18", "age_band", True),
        ("remainder__gender", "gender", True),
        ("num__age_of_account", "age", False),
        ("\uff47ender", "gender", True),
    ],
)
def test_uses(feature: str, forbidden: str, made_from: bool) -> None:
    assert uses(feature, forbidden) is made_from


@pytest.mark.parametrize(
    "sizes, hidden",
    [
        ([400, 500], []),
        ([400, 500, 5], [0, 2]),  # of two groups that are shown the third is what is missing
        ([400, 500, 5, 8], [0, 2, 3]),  # and of thirteen together who they are
        ([400, 500, 25, 8], [2, 3]),
        ([400, 5], [0, 1]),
        ([None, 5, 400, 400], [1, 2]),
    ],
)
def test_a_small_group_is_not_what_is_missing_of_the_whole(
    sizes: list[int | None], hidden: list[int]
) -> None:
    rows = [
        {"modality": str(at), "n": n, "auc": 0.7, "positive_rate": 0.5, "actual_rate": 0.5, "excluded": False}
        for at, n in enumerate(sizes)
    ]
    found = {"subpopulations": [{"feature": "gender", "type": "CATEGORY", "modalities": rows}]}
    (told,) = explainability_charts.published(found)["subpopulations"]
    assert [at for at, row in enumerate(told["modalities"]) if row.get("suppressed")] == hidden
    (shown,) = explainability_charts.subpopulations(found, 30)
    assert [at for at, row in enumerate(shown["modalities"]) if row.get("left_out")] == hidden
    assert all((row["n"] < 30) == ("least" in row) for row in shown["modalities"] if "left_out" in row)
