"""Data sets with rows, saved models with what explains them, and generated documents."""

import io
import zipfile
from collections import Counter
from typing import Any

import defusedxml.ElementTree as ElementTree
import pytest
from dataikuapi.utils import DataikuException

from tests.contract.conftest import Estate, over, read, run_over

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def _rates(project: Any, column: str, rows: int = 4000) -> dict[str, float]:
    """Selection rate per group, of the first rows."""
    seen: Counter[str] = Counter()
    selected: Counter[str] = Counter()
    for number, (group, prediction) in enumerate(
        project.get_dataset("churn_scored").iter_rows(columns=[column, "prediction"])
    ):
        if number < rows:
            seen[group] += 1
            selected[group] += prediction
    return {group: selected[group] / seen[group] for group in seen}


def test_data_sets_are_listed_with_their_connections(estate: Estate) -> None:
    found = {item["name"]: item["params"]["connection"] for item in estate.design().list_datasets()}
    assert found["churn_scored"] == "warehouse"
    assert found["offer_reasons"] == "filesystem_managed"


def test_the_schema_types_every_column(estate: Estate) -> None:
    columns = {
        column["name"]: column["type"]
        for column in estate.design().get_dataset("churn_scored").get_schema()["columns"]
    }
    assert columns == {
        "customer_id": "string",
        "gender": "string",
        "age_band": "string",
        "tenure_months": "bigint",
        "monthly_charge": "double",
        "churned": "bigint",
        "prediction": "bigint",
        "probability": "double",
    }


def test_settings_and_existence(estate: Estate) -> None:
    project = estate.design()
    assert project.get_dataset("churn_scored").get_settings().get_raw()["type"] == "PostgreSQL"
    assert project.get_dataset("churn_scored").exists() is True
    assert project.get_dataset("nope").exists() is False


def test_rows_come_typed_and_repeat(fresh: Estate) -> None:
    fresh.control.set_rows(700)
    dataset = fresh.design().get_dataset("churn_scored")
    rows = list(dataset.iter_rows())
    assert len(rows) == 700
    assert rows == list(dataset.iter_rows())
    first = rows[0]
    assert first[0] == "C0000001"
    assert first[1] in ("female", "male")
    assert isinstance(first[3], int)
    assert isinstance(first[4], float)
    assert {row[6] for row in rows} == {0, 1}
    assert all((row[7] >= 0.5) == bool(row[6]) for row in rows)


def test_more_rows_begin_with_the_same_rows(fresh: Estate) -> None:
    fresh.control.set_rows(120)
    few = list(fresh.design().get_dataset("churn_scored").iter_rows())
    fresh.control.set_rows(1300, "CHURN", "churn_scored")
    assert list(fresh.design().get_dataset("churn_scored").iter_rows())[:120] == few


def test_columns_come_in_the_order_asked_for(fresh: Estate) -> None:
    fresh.control.set_rows(3)
    rows = list(fresh.design().get_dataset("churn_scored").iter_rows(columns=["prediction", "gender"]))
    assert [type(value) for value in rows[0]] == [int, str]


def test_an_unknown_column_is_refused(estate: Estate) -> None:
    with pytest.raises(DataikuException, match="no column nope"):
        list(estate.design().get_dataset("churn_scored").iter_rows(columns=["nope"]))


def test_a_data_set_without_rows(fresh: Estate) -> None:
    assert list(fresh.design().get_dataset("offers").iter_rows()) == []
    fresh.control.set_rows(0)
    assert list(fresh.design().get_dataset("churn_scored").iter_rows()) == []


def test_many_rows_are_streamed(fresh: Estate) -> None:
    fresh.control.set_rows(100_000)
    rows = iter(fresh.design().get_dataset("churn_scored").iter_rows())
    assert next(rows)[0] == "C0000001"
    assert sum(1 for _ in rows) == 99_999


@pytest.mark.parametrize(
    ("project", "dataset"),
    [("FRAUD", "payments_scored"), ("MAINT", "machines_scored"), ("CHURN", "customers")],
)
def test_every_project_has_rows(estate: Estate, project: str, dataset: str) -> None:
    assert len(next(iter(estate.design(project).get_dataset(dataset).iter_rows()))) > 4


def test_the_record_count_is_a_metric(fresh: Estate) -> None:
    fresh.control.set_rows(1234)
    metrics = fresh.design().get_dataset("churn_scored").get_last_metric_values()
    assert metrics.get_global_value("records:COUNT_RECORDS") == 1234


def test_v1_selects_women_less_often(fresh: Estate) -> None:
    rates = _rates(fresh.design(), "gender", 20_000)
    assert 0.66 < rates["female"] / rates["male"] < 0.76


@pytest.mark.parametrize("revision", ["v2", "v3", "v4", "v5"])
def test_later_revisions_select_women_and_men_alike(fresh: Estate, revision: str) -> None:
    fresh.control.apply_revision("CHURN", revision)
    rates = _rates(fresh.design(), "gender", 20_000)
    assert rates["female"] / rates["male"] > 0.94


@pytest.mark.parametrize("revision", ["v1", "v2"])
def test_age_bands_are_selected_alike(fresh: Estate, revision: str) -> None:
    fresh.control.apply_revision("CHURN", revision)
    rates = _rates(fresh.design(), "age_band", 20_000)
    assert len(rates) == 4
    assert min(rates.values()) / max(rates.values()) > 0.9


def test_rows_on_a_node_follow_the_bundle_that_is_active_there(fresh: Estate) -> None:
    fresh.publish("b1", "v1")
    fresh.publish("b2", "v2")
    fresh.deploy("b1")
    unfair = _rates(fresh.on("qa"), "gender")
    fresh.deploy("b2")
    fair = _rates(fresh.on("qa"), "gender")
    assert unfair["female"] < fair["female"]
    assert unfair["male"] == fair["male"]


def test_on_the_design_node_a_data_set_is_as_old_as_the_last_change(fresh: Estate) -> None:
    dataset = fresh.design().get_dataset("churn_scored")
    first = dataset.get_info()
    assert first.is_last_build_successful is True
    assert first.get_raw()["dataset"]["name"] == "churn_scored"
    fresh.control.apply_revision("CHURN", "v2")
    assert dataset.get_info().last_build_start_time > first.last_build_start_time
    with pytest.raises(DataikuException, match="nope"):
        fresh.design().get_dataset("nope").get_info()


@pytest.mark.parametrize("scenario", ["TEST_SCORING", "BUILD_ALL"])
def test_on_a_node_a_scenario_builds_a_data_set_and_activating_does_not(fresh: Estate, scenario: str) -> None:
    fresh.publish("b1", "v1")
    fresh.publish("b2", "v2")
    fresh.deploy("b1")
    dataset = fresh.on("qa").get_dataset("churn_scored")
    assert dataset.get_info().last_build_end_time is None
    run = run_over(fresh.on("qa").get_scenario(scenario))
    built = dataset.get_info()
    assert built.last_build_start_time == run.start_time
    assert built.last_build_end_time == run.end_time
    fresh.deploy("b2")
    run_over(fresh.on("qa").get_scenario("TEST_DRIFT"))
    assert dataset.get_info().get_raw() == built.get_raw()
    run_over(fresh.on("qa").get_scenario(scenario))
    assert dataset.get_info().last_build_start_time > built.last_build_end_time


def test_a_run_that_did_not_get_to_the_build_built_nothing(fresh: Estate) -> None:
    fresh.publish("b1", "v1")
    fresh.deploy("b1")
    fresh.control.fault("scenario_outcome", scenario="TEST_SCORING", node="qa", outcome="FAILED")
    assert run_over(fresh.on("qa").get_scenario("TEST_SCORING")).outcome == "FAILED"
    assert fresh.on("qa").get_dataset("churn_scored").get_info().last_build_start_time is None


def test_a_data_set_built_before_its_project_was_deleted_is_forgotten(fresh: Estate) -> None:
    fresh.publish("b1", "v1")
    fresh.deploy("b1")
    run_over(fresh.on("qa").get_scenario("TEST_SCORING"))
    fresh.on("qa").delete()
    fresh.deploy("b1")
    assert fresh.on("qa").get_dataset("churn_scored").get_info().last_build_start_time is None


# ---------------------------------------------------------------------------------------------------- models


def _version(estate: Estate, revision: str = "v1") -> Any:
    estate.control.apply_revision("CHURN", revision)
    model = estate.design().get_saved_model("churn-rf")
    return model.get_version_details(model.get_active_version()["id"])


def test_saved_models_are_listed(estate: Estate) -> None:
    assert [(model["id"], model["name"]) for model in estate.design().list_saved_models()] == [
        ("churn-rf", "Churn model")
    ]


@pytest.mark.parametrize(("revision", "count"), [("v1", 1), ("v2", 2), ("v4", 2), ("v5", 3)])
def test_versions_and_the_active_one(fresh: Estate, revision: str, count: int) -> None:
    fresh.control.apply_revision("CHURN", revision)
    versions = fresh.design().get_saved_model("churn-rf").list_versions()
    assert len(versions) == count
    assert [version["active"] for version in versions] == [False] * (count - 1) + [True]


def test_another_version_can_be_made_active(fresh: Estate) -> None:
    fresh.control.apply_revision("CHURN", "v2")
    model = fresh.design("CHURN", "olga").get_saved_model("churn-rf")
    first = model.list_versions()[0]["id"]
    model.set_active_version(first)
    assert model.get_active_version()["id"] == first
    rates = _rates(fresh.design(), "gender")
    assert rates["female"] / rates["male"] < 0.8


def test_the_active_version_cannot_be_deleted_another_can(fresh: Estate) -> None:
    fresh.control.apply_revision("CHURN", "v2")
    model = fresh.design().get_saved_model("churn-rf")
    first, second = (version["id"] for version in model.list_versions())
    with pytest.raises(DataikuException, match="active version"):
        model.delete_versions([second])
    model.delete_versions([first])
    assert [version["id"] for version in model.list_versions()] == [second]


def test_details_and_snippet(fresh: Estate) -> None:
    details = _version(fresh)
    assert details.get_raw()["coreParams"]["prediction_type"] == "BINARY_CLASSIFICATION"
    assert details.get_raw()["coreParams"]["target_variable"] == "churned"
    metrics = details.get_performance_metrics()
    assert 0.7 < metrics["auc"] < 0.9
    assert {"precision", "recall", "f1", "accuracy", "logLoss"} <= set(metrics)
    assert details.full_id == "S-CHURN-churn-rf-1785744000000"


def test_metrics_of_a_version(fresh: Estate) -> None:
    model = fresh.design().get_saved_model("churn-rf")
    metrics = model.get_metric_values(model.get_active_version()["id"])
    assert 0.7 < float(metrics.get_metric_by_id("model_perf:AUC")["lastValues"][0]["value"]) < 0.9


def test_usages_of_a_model(estate: Estate) -> None:
    usages = estate.design().get_saved_model("churn-rf").get_usages()
    assert [usage["objectId"] for usage in usages] == ["score_customers"]


def test_importance_must_be_computed_first(fresh: Estate) -> None:
    with pytest.raises(ValueError, match="not been computed"):
        _version(fresh).get_global_explanations()


@pytest.mark.parametrize(("revision", "uses_gender"), [("v1", True), ("v2", False), ("v5", False)])
def test_importance_names_the_inputs(fresh: Estate, revision: str, uses_gender: bool) -> None:
    details = _version(fresh, revision)
    over(details.compute_shapley_feature_importance())
    importance = details.get_global_explanations().get_raw()["absoluteImportance"]
    assert ("gender" in importance) is uses_gender
    assert list(importance.values()) == sorted(importance.values(), reverse=True)
    assert sum(importance.values()) == pytest.approx(1, abs=1e-4)


def test_subpopulations_must_be_computed_first(fresh: Estate) -> None:
    assert _version(fresh).get_subpopulation_analyses().list_analyses() == []


def test_subpopulations_by_group(fresh: Estate) -> None:
    details = _version(fresh)
    over(details.compute_subpopulation_analyses(["gender", "age_band"], wait=False, sample_size=4000))
    analyses = details.get_subpopulation_analyses()
    analysis = analyses.get_analysis("gender")
    rates = {
        value: analysis.get_modality_data(value).get_prediction_info()["predictedPositiveRatio"]
        for value in ("female", "male")
    }
    assert rates["female"] / rates["male"] < 0.8
    weights = [analysis.get_modality_data(value).get_prediction_info()["testWeight"] for value in rates]
    assert sum(weights) == analyses.get_global().get_prediction_info()["testWeight"] == 4000
    assert 0.5 < analysis.get_modality_data("female").get_performance_metrics()["auc"] < 1
    assert len(analyses.get_analysis("age_band").list_modalities()) == 4


def test_subpopulations_of_a_number_have_bounds(fresh: Estate) -> None:
    details = _version(fresh)
    over(details.compute_subpopulation_analyses("tenure_months", wait=False))
    analysis = details.get_subpopulation_analyses().get_analysis("tenure_months")
    young, old = analysis.get_modality_data(2), analysis.get_modality_data(70)
    assert (
        young.get_prediction_info()["predictedPositiveRatio"]
        > old.get_prediction_info()["predictedPositiveRatio"]
    )


def test_subpopulations_agree_with_the_rows(fresh: Estate) -> None:
    details = _version(fresh)
    over(details.compute_subpopulation_analyses("gender", wait=False, sample_size=4000))
    analysis = details.get_subpopulation_analyses().get_analysis("gender")
    for group, rate in _rates(fresh.design(), "gender", 4000).items():
        info = analysis.get_modality_data(group).get_prediction_info()
        assert info["predictedPositiveRatio"] == pytest.approx(rate)


def test_an_analysis_of_an_unknown_column_fails_as_a_task(fresh: Estate) -> None:
    future = _version(fresh).compute_subpopulation_analyses("shoe_size", wait=False)
    with pytest.raises(DataikuException, match="Column shoe_size"):
        over(future)


def test_partial_dependence_falls_with_tenure(fresh: Estate) -> None:
    details = _version(fresh)
    over(details.compute_partial_dependencies(["tenure_months"], wait=False))
    found = details.get_partial_dependencies().get_partial_dependence("tenure_months")
    averages = [point["average"] for point in found.get_raw()["data"]]
    assert averages == sorted(averages, reverse=True)


def _text(body: bytes) -> list[tuple[str, str]]:
    """(style, text) of every paragraph of a Word document."""
    with zipfile.ZipFile(io.BytesIO(body)) as document:
        root = ElementTree.fromstring(document.read("word/document.xml"))
    found = []
    for paragraph in root.iter(f"{WORD}p"):
        style = paragraph.find(f"{WORD}pPr/{WORD}pStyle")
        text = "".join(part.text or "" for part in paragraph.iter(f"{WORD}t"))
        found.append((style.get(f"{WORD}val", "") if style is not None else "", text))
    return found


@pytest.mark.parametrize("revision", ["v1", "v2"])
def test_the_model_document_has_its_headings_and_figures(fresh: Estate, revision: str) -> None:
    details = _version(fresh, revision)
    export = over(details.generate_documentation())["result"]
    paragraphs = _text(read(details.download_documentation_stream(export)))
    assert [text for style, text in paragraphs if style == "Heading1"] == [
        "Purpose",
        "Data",
        "Performance",
        "Limits",
    ]
    whole = " ".join(text for _, text in paragraphs)
    assert f"auc {details.get_performance_metrics()['auc']:.3f}" in whole
    assert ("gender (" in whole) is (revision == "v1")


def test_a_document_from_a_template_of_ours(fresh: Estate) -> None:
    details = _version(fresh)
    future = details.generate_documentation_from_custom_template(io.BytesIO(b"PK template"))
    assert read(details.download_documentation_stream(over(future)["result"]))[:2] == b"PK"


def test_an_unknown_document_is_404(fresh: Estate) -> None:
    with pytest.raises(DataikuException, match="Document nope"):
        _version(fresh).download_documentation_stream("nope")


def test_unknown_models_and_versions_are_404(estate: Estate) -> None:
    with pytest.raises(DataikuException, match="Saved model nope"):
        estate.design().get_saved_model("nope").list_versions()
    with pytest.raises(DataikuException, match="Version nope"):
        estate.design().get_saved_model("churn-rf").get_version_details("nope")
