"""The demo's story on the estate itself: what each revision of churn does on which node."""

import json
import zipfile
from io import BytesIO

import pytest

from tests.contract.conftest import Estate, read, run_over


def _members(estate: Estate, revision: str) -> dict[str, bytes]:
    estate.control.apply_revision("CHURN", revision)
    estate.design().export_bundle(revision)
    body = read(estate.design().get_exported_bundle_archive_stream(revision))
    with zipfile.ZipFile(BytesIO(body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    rewritten = {"export-manifest.json", "project_config/params.json"}
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} - rewritten


def test_what_each_revision_changes(fresh: Estate) -> None:
    found = {revision: _members(fresh, revision) for revision in ("v1", "v2", "v3", "v4", "v5")}
    v2 = "saved_models/churn-rf/versions/1787558400000/"
    v5 = "saved_models/churn-rf/versions/1789545600000/"
    files = ("core_params.json", "model.bin", "perf.json", "rsplits.json")
    assert _changed(found["v1"], found["v2"]) == {
        "project_config/recipes/score_customers.py",
        "project_config/saved_models/churn-rf.json",
        *(v2 + file for file in files),
    }
    assert _changed(found["v2"], found["v3"]) == {
        "project_config/recipes/select_offers.sql",
        "project_config/scenarios/TEST_SMOKE.json",
    }
    assert _changed(found["v2"], found["v4"]) == {
        "project_config/dashboards/regions.json",
        "project_config/insights/by_tenure.json",
    }
    assert _changed(found["v2"], found["v5"]) == {
        "project_config/saved_models/churn-rf.json",
        *(v5 + file for file in files),
    }


@pytest.mark.parametrize(
    ("revision", "node", "outcome"),
    [
        ("v1", "qa", "SUCCESS"),
        ("v2", "qa", "SUCCESS"),
        ("v2", "prod", "SUCCESS"),
        ("v3", "qa", "SUCCESS"),
        ("v3", "prod", "FAILED"),
        ("v4", "prod", "SUCCESS"),
        ("v5", "prod", "SUCCESS"),
    ],
)
def test_the_smoke_test_of_each_revision(fresh: Estate, revision: str, node: str, outcome: str) -> None:
    fresh.publish(revision, revision)
    fresh.deploy(revision, node)
    assert run_over(fresh.on(node).get_scenario("TEST_SMOKE")).outcome == outcome


@pytest.mark.parametrize("scenario", ["TEST_DATA_QUALITY", "TEST_SCORING", "TEST_DRIFT"])
def test_v3_passes_every_other_test_in_production(fresh: Estate, scenario: str) -> None:
    fresh.publish("v3", "v3")
    fresh.deploy("v3", "prod")
    assert run_over(fresh.on("prod").get_scenario(scenario)).outcome == "SUCCESS"


def test_going_back_from_v3_to_v2_makes_the_smoke_test_pass_again(fresh: Estate) -> None:
    fresh.publish("v2", "v2")
    fresh.publish("v3", "v3")
    outcomes = []
    for bundle in ("v2", "v3", "v2"):
        fresh.deploy(bundle, "prod")
        outcomes.append(run_over(fresh.on("prod").get_scenario("TEST_SMOKE")).outcome)
    assert outcomes == ["SUCCESS", "FAILED", "SUCCESS"]


def test_the_smoke_test_says_which_table_is_missing(fresh: Estate) -> None:
    fresh.publish("v3", "v3")
    fresh.deploy("v3", "prod")
    details = run_over(fresh.on("prod").get_scenario("TEST_SMOKE")).get_details()
    assert (
        'relation "scoring.offer_budget" does not exist'
        in details["stepRuns"][0]["result"]["thrown"]["message"]
    )


def test_creating_the_table_in_production_heals_v3(fresh: Estate) -> None:
    fresh.publish("v3", "v3")
    fresh.deploy("v3", "prod")
    fresh.control.set_connection("prod", "warehouse", ["scoring.churn_scored", "scoring.offer_budget"])
    assert run_over(fresh.on("prod").get_scenario("TEST_SMOKE")).outcome == "SUCCESS"


def test_every_project_has_its_revisions(fresh: Estate) -> None:
    assert fresh.control.revisions() == {
        "CHURN": ["v1", "v2", "v3", "v4", "v5"],
        "FRAUD": ["v1", "v2"],
        "MAINT": ["v1", "v2"],
    }
    with pytest.raises(RuntimeError, match="Revision v9"):
        fresh.control.apply_revision("CHURN", "v9")


@pytest.mark.parametrize(
    ("project", "revision"), [("FRAUD", "v1"), ("FRAUD", "v2"), ("MAINT", "v1"), ("MAINT", "v2")]
)
def test_the_other_projects_deploy_and_pass(fresh: Estate, project: str, revision: str) -> None:
    fresh.publish("one", revision, project)
    deployment = fresh.deploy("one", "qa", project)
    assert deployment.get_status().get_health() == "HEALTHY"
    for scenario in ("TEST_SCORING", "TEST_SMOKE"):
        assert run_over(fresh.on("qa", project).get_scenario(scenario)).outcome == "SUCCESS"


def test_the_archive_of_a_revision_is_the_same_whoever_founded_the_estate(fresh: Estate) -> None:
    first = _members(fresh, "v2")
    second = _members(fresh.fresh(), "v2")
    assert _changed(first, second) == set()
    one, other = (json.loads(found["project_config/params.json"]) for found in (first, second))
    assert one["settings"] == other["settings"]
