"""Figures counted elsewhere: each format gives the portal's own result, and each mistake names its field and remedy."""

import copy
import json
import time
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from governance import fairness_import, parity
from governance.fairness import GroupCounter
from governance.fairness_import import LIMIT, FairnessImportError, loads, read

ROWS = [
    {"gender": gender, "age": age, "out": out, "real": real, "p": p}
    for gender, age, out, real, p, times in (
        ("F", "18", 1, 1, 0.75, 60),
        ("F", "18", 0, 0, 0.25, 90),
        ("F", "60", 1, 0, 0.5, 20),
        ("F", "60", 0, 1, 0.25, 30),
        ("M", "18", 1, 1, 0.75, 80),
        ("M", "18", 1, 0, 0.5, 40),
        ("M", "60", 0, 0, 0.25, 70),
        ("M", "60", 1, 1, 0.75, 10),
    )
    for _ in range(times)
]


def counted(**named: Any) -> dict[str, Any]:
    counter = GroupCounter(["gender", "age"], "out", 1, "real", crosses=[("gender", "age")], **named)
    counter.feed_all(ROWS)
    return counter.result(30)


def _row(group: dict[str, Any]) -> dict[str, Any]:
    told = group["calibration"]
    names = ("n", "selected", "positives", "true_positives", "negatives", "false_positives")
    return {
        **{name: group[name] for name in names},
        "group": group["group"] if isinstance(group["group"], list) else [group["group"]],
        "scored": told["n"],
        "scored_positives": told["positives"],
        "mean_score": told["mean_score"],
    }


OURS: dict[str, Any] = {
    "format": "counts",
    "outcome": "out",
    "favourable": "1",
    "label": "real",
    "score": "p",
    "tables": [
        {"by": held["by"], "groups": [_row(group) for group in held["groups"]]}
        for held in (*counted(score="p")["attributes"], *counted(score="p")["intersections"])
    ],
}
CELLS = counted(score="p")["intersections"][0]["groups"]
FAIRLEARN: dict[str, Any] = {
    "format": "fairlearn",
    "by_group": {
        "schema": {"fields": [], "primaryKey": ["gender", "age"], "pandas_version": "1.4.0"},
        "data": [
            {
                "gender": group["group"][0],
                "age": group["group"][1],
                "count": float(group["n"]),
                "selection_rate": round(group["rate"], 10),
                "base_rate": round(group["positives"] / group["n"], 10),
                "true_positive_rate": round(group["tpr"], 10),
                "false_positive_rate": round(group["fpr"], 10),
            }
            for group in CELLS
        ],
    },
}
AIF360: dict[str, Any] = {
    "format": "aif360",
    "privileged_groups": [{"sex": 1.0}],
    "unprivileged_groups": [{"sex": 0.0}],
    "privileged": {"TP": 90.0, "FP": 40.0, "TN": 70.0, "FN": 0.0},
    "unprivileged": {"TP": 60.0, "FP": 20.0, "TN": 90.0, "FN": 30.0},
}


def modality(value: str, n: int, selected: float, actual: float, recall: float) -> dict[str, Any]:
    metrics = {"predictionAvg": [selected], "targetAvg": [actual], "testWeight": n}
    return {"value": value, "performanceMetrics": {"recall": recall}, "perf": {"globalMetrics": metrics}}


DSS: dict[str, Any] = {
    "format": "dss",
    "analyses": {
        "global": {},
        "subpopulationAnalyses": [
            {
                "feature": "gender",
                "modalities": [
                    modality("F", 200, 0.4, 0.45, 0.666667),
                    modality("M", 200, 0.65, 0.45, 1.0),
                    {"value": "X", "excluded": True},
                ],
            }
        ],
    },
}


def stripped(result: dict[str, Any]) -> Any:
    """Without what only counting rows tells, by score too, and rounded: mean scores are rounded when written."""
    attributes = sorted(result["attributes"], key=lambda held: str(held["attribute"]))
    kept = {key: value for key, value in result.items() if key not in ("outcomes", "unscored")}
    return rounded(kept | {"attributes": attributes})


def rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items() if key != "bins"}
    return [rounded(inner) for inner in value] if isinstance(value, list) else value


def test_our_own_json_gives_what_counting_gives() -> None:
    assert stripped(read(OURS, min_group=30)) == stripped(counted(score="p"))


def test_the_single_columns_of_a_cross_are_added_up() -> None:
    only = {**OURS, "tables": OURS["tables"][2:]}
    by_name = {held["attribute"]: held for held in read(only, min_group=30)["attributes"]}
    assert list(by_name) == ["age", "gender"]
    assert rounded(by_name["gender"]) == rounded(counted(score="p")["attributes"][0])


def test_a_metric_frame_gives_what_counting_gives() -> None:
    found = read(FAIRLEARN, min_group=30)
    assert found["intersections"] == counted()["intersections"]
    records = {
        "format": "fairlearn",
        "sensitive_features": ["gender", "age"],
        "by_group": FAIRLEARN["by_group"]["data"],
    }
    assert read(records, min_group=30) == found


def test_a_metric_frame_with_an_empty_combination() -> None:
    given = copy.deepcopy(FAIRLEARN)
    names = ("count", "selection_rate", "base_rate", "true_positive_rate", "false_positive_rate")
    given["by_group"]["data"].append({"gender": "X", "age": "18", **dict.fromkeys(names)})
    found = read(given, min_group=30)
    metric = {"name": "demographic_parity_ratio", "by": [["gender", "age"]], "min": 0.01, "min_group": 30}
    (row,) = parity.assess(found, [metric])
    assert (row["state"], row["reason"], row["small"]) == (
        "cannot_tell",
        "small_group",
        [{"group": "X × 18"}],
    )


def test_confusion_matrices_of_two_groups() -> None:
    (held,) = read(AIF360, min_group=30)["attributes"]
    assert held["attribute"] == "sex"
    names = ("group", "n", "selected", "positives", "true_positives", "negatives", "false_positives")
    assert [tuple(group[name] for name in names) for group in held["groups"]] == [
        ("0", 200, 80, 90, 60, 110, 20),
        ("1", 200, 130, 90, 90, 110, 40),
    ]


def test_sub_populations_of_a_model() -> None:
    (held,) = read(DSS, min_group=30)["attributes"]
    names = ("group", "n", "selected", "positives", "true_positives", "false_positives")
    assert [tuple(group[name] for name in names) for group in held["groups"]] == [
        ("F", 200, 80, 90, 60, 20),
        ("M", 200, 130, 90, 90, 40),
        ("X", 0, 0, 0, 0, 0),  # left out by DSS, so nobody knows
    ]


# --- mistakes ---


def changed(base: dict[str, Any], *path: Any, to: Any = None, drop: bool = False) -> dict[str, Any]:
    """The figures with one value changed, or gone."""
    given = copy.deepcopy(base)
    inner: Any = given
    for step in path[:-1]:
        inner = inner[step]
    if drop:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return given


GROUP = ("tables", 0, "groups", 0)
DATA = ("by_group", "data", 0)
MODALITY = ("analyses", "subpopulationAnalyses", 0, "modalities", 0)


@pytest.mark.parametrize(
    "given, field, says",
    [
        ([], "content", "has to be: object"),
        ({}, "format", "format is missing"),
        ({"format": "excel"}, "format", "counts, fairlearn, aif360, dss"),
        (changed(OURS, "tables", drop=True), "tables", "Add it; docs/policy.md"),
        (changed(OURS, "tabels", to=[]), "tabels", "known are: format, outcome"),
        (changed(OURS, "tables", to=[]), "tables", "at least 1"),
        (changed(OURS, *GROUP, "n", to=-1), "tables[0].groups[0].n", "less than 0"),
        (changed(OURS, *GROUP, "n", to=1.5), "tables[0].groups[0].n", "integer"),
        (changed(OURS, *GROUP, "n", to="200"), "tables[0].groups[0].n", "integer"),
        (changed(OURS, *GROUP, "n", to=10**13), "tables[0].groups[0].n", "more than"),
        (changed(OURS, *GROUP, "n", drop=True), "tables[0].groups[0].n", "n is missing"),
        (changed(OURS, *GROUP, "negatives", drop=True), "tables[0].groups[0].negatives", "is missing"),
        (changed(OURS, *GROUP, "mean_score", to=1.2), "tables[0].groups[0].mean_score", "more than 1"),
        (changed(OURS, *GROUP, "group", to=["F", "18"]), "tables[0].groups[0].group", "one value for each"),
        (changed(OURS, *GROUP, "group", to=["M"]), "tables[0].groups[1]", "given twice"),
        (changed(OURS, *GROUP, "group", to=[" M "]), "tables[0].groups[1]", "given twice"),
        (changed(OURS, "tables", 1, "by", to=["gender"]), "tables[1].by", "given twice"),
        (changed(OURS, "tables", 0, "by", to=["a", "a"]), "tables[0].by", "twice"),
        (
            changed(OURS, *GROUP, "selected", to=10**6),
            "tables[0].groups[0].selected",
            "cannot be more than n",
        ),
        (
            changed(OURS, *GROUP, "true_positives", to=91),
            "tables[0].groups[0].true_positives",
            "cannot be more than positives",
        ),
        (changed(OURS, *GROUP, "scored", to=201), "tables[0].groups[0].scored", "positives and negatives"),
        (
            changed(OURS, *GROUP, to={"group": ["F"], "n": 200, "selected": 80}),
            "tables[0].groups[0].positives",
            "some",
        ),
        (changed(OURS, *GROUP, "n", to=201), "tables", "from the same people"),
        (changed(OURS, *GROUP, "group", to=["F\u202e"]), "content", "cannot be seen"),
        (changed(OURS, *GROUP, "group", to=["\ud800"]), "content", "cannot be seen"),
        (
            {
                **OURS,
                "tables": [
                    {"by": ["g"], "groups": [{"group": [n], "n": 1, "selected": 1} for n in range(1001)]}
                ],
            },
            "tables[0].groups",
            "longer than 1000",
        ),
        (
            {**OURS, "tables": [{"by": ["g"], "groups": [{"group": ["F"], "n": 0, "selected": 0}]}]},
            "content",
            "Nobody",
        ),
        (
            changed(FAIRLEARN, *DATA, "count", drop=True),
            "by_group.data[0].n",
            "the metric count of Fairlearn",
        ),
        (changed(FAIRLEARN, *DATA, "count", to=150.5), "by_group.data[0].count", "Weighted"),
        (changed(FAIRLEARN, *DATA, "count", to=True), "by_group.data[0].count", "no number"),
        (
            changed(FAIRLEARN, *DATA, "selection_rate", to=0.333),
            "by_group.data[0].selection_rate",
            "whole number",
        ),
        (
            changed(FAIRLEARN, *DATA, "selection_rate", to=40),
            "by_group.data[0].selection_rate",
            "between 0 and 1",
        ),
        (
            changed(FAIRLEARN, *DATA, "selection_rate", drop=True),
            "by_group.data[0].selected",
            "how many were",
        ),
        (changed(FAIRLEARN, *DATA, "gender", drop=True), "by_group.data[0]", "no gender"),
        (changed(FAIRLEARN, *DATA, "mean_score", to="high"), "by_group.data[0].mean_score", "no probability"),
        (changed(FAIRLEARN, *DATA, "count", to=[1]), "by_group.data[0].count", "string or number"),
        (changed(FAIRLEARN, "by_group", to=FAIRLEARN["by_group"]["data"]), "sensitive_features", "table"),
        (changed(FAIRLEARN, "by_group", "schema", drop=True), "by_group.schema", "is missing"),
        (changed(AIF360, "privileged", "TP", to=90.5), "privileged.TP", "Weighted"),
        (changed(AIF360, "privileged", to={"TPR": 0.9}), "privileged.n", "num_instances of AIF360"),
        (changed(AIF360, "unprivileged_groups", to=[{"race": 0}]), "unprivileged_groups", "counts instead"),
        (
            changed(AIF360, "privileged_groups", to=[{"sex": 0}, {"sex": 1}]),
            "privileged_groups",
            "format counts",
        ),
        (
            changed(DSS, *MODALITY, "perf", "globalMetrics", "predictionAvg", to=[0.4123]),
            "analyses.subpopulationAnalyses[0].modalities[0].selection_rate",
            "averaged over scores",
        ),
        (
            changed(DSS, *MODALITY, "perf", "globalMetrics", "testWeight", to=None),
            "analyses.subpopulationAnalyses[0].modalities[0].n",
            "number of people is missing",
        ),
        (
            changed(DSS, "analyses", "subpopulationAnalyses", to=[7]),
            "analyses.subpopulationAnalyses[0]",
            "no feature",
        ),
    ],
)
def test_a_mistake_names_its_field_and_the_remedy(given: Any, field: str, says: str) -> None:
    with pytest.raises(FairnessImportError) as refused:
        read(given, min_group=30)
    assert refused.value.field == field
    assert refused.value.sentence.startswith(f"{field}: ")
    assert says in refused.value.sentence
    assert refused.value.sentence.endswith(".")


def nested(depth: int) -> str:
    return '{"format": "dss", "analyses": ' + "[" * depth + "]" * depth + "}"


@pytest.mark.parametrize(
    "body, says",
    [
        (b"", "no JSON: line 1"),
        (b'{"format": ', "no JSON: line 1, column 12"),
        (b"\xff\xfe", "no text in UTF-8"),
        (b'{"format": "counts", "format": "dss"}', "stands twice"),
        (b"{" + b"".join(b'"%d": 0, ' % n for n in range(60_000)) + b'"x": 0, "x": 0}', "stands twice"),
        (b'{"n": NaN}', "NaN is no number"),
        (b'{"n": -Infinity}', "-Infinity is no number"),
        (b" " * (LIMIT + 1), "larger than 1024 KiB"),
        (nested(100_000).encode(), "nested more than 12 deep"),
        (nested(50).encode(), "nested more than 12 deep"),
        (b'{"format": "counts", "n": ' + b"9" * 5000 + b"}", "no JSON"),
    ],
)
def test_a_text_that_cannot_be_read(body: bytes, says: str) -> None:
    with pytest.raises(FairnessImportError) as refused:
        read(loads(body), min_group=30)
    assert says in refused.value.sentence


FLOODS: dict[str, Any] = {
    "very many groups": OURS | {"tables": [{"by": ["gender"], "groups": [1] * 400_000}]},
    "very many faults": OURS | {"tables": [{"by": ["gender"], "groups": [1] * 20_000}]},
    "very many names": OURS | {"tables": [{f"n{place}": 1 for place in range(100_000)}]},
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_list_of_mistakes_is_refused_at_once(name: str) -> None:
    began = time.process_time()
    with pytest.raises(FairnessImportError) as refused:
        read(FLOODS[name], min_group=30)
    assert time.process_time() - began < 2  # looking at every mistake takes half a minute, and gigabytes
    assert refused.value.field.startswith("tables[0]")


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(fairness_import.SCHEMA)
    for given in (OURS, FAIRLEARN, AIF360, DSS):
        Draft202012Validator(fairness_import.SCHEMA).validate(json.loads(json.dumps(given)))
    assert set(fairness_import.FORMATS) == set(fairness_import.SCHEMA["properties"]["format"]["enum"])
