"""Misbehaviour on request: each wire fault, its matcher and count, and that nothing happens that should not."""

import io
import time
import zipfile
from typing import Any

import pytest
import requests
from dataikuapi.utils import DataikuException

from tests.contract.conftest import Estate, over, read, run_over, until

BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


def _bundles(estate: Estate) -> list[str]:
    return [item["bundleId"] for item in estate.design().list_exported_bundles()["bundles"]]


def test_a_delay(fresh: Estate) -> None:
    fresh.control.fault("delay", node="design", path="^/auth/info$", ms=80)
    started = time.monotonic()
    fresh.client("design").get_auth_info()
    assert time.monotonic() - started >= 0.08


def test_a_connection_dropped_before_the_effect(fresh: Estate) -> None:
    fresh.control.fault("drop_before", method="PUT", path="/bundles/exported/b1")
    with pytest.raises(BROKEN):
        fresh.design().export_bundle("b1")
    assert _bundles(fresh) == []
    assert fresh.control.count("exports", "design/CHURN/b1") == 0


@pytest.mark.parametrize("kind", ["drop_after", "status_after"])
def test_an_answer_lost_after_the_effect(fresh: Estate, kind: str) -> None:
    fresh.control.fault(kind, method="PUT", path="/bundles/exported/b1")
    with pytest.raises((*BROKEN, DataikuException)):
        fresh.design().export_bundle("b1")
    assert _bundles(fresh) == ["b1"]
    assert fresh.control.count("exports", "design/CHURN/b1") == 1


def test_a_started_update_whose_answer_is_lost_goes_on(fresh: Estate) -> None:
    fresh.publish("b1")
    deployment = fresh.deployer().create_deployment("D", "CHURN", "qa-automation", "b1")
    fresh.control.fault("drop_after", method="POST", deployment="D", path="actions/update")
    with pytest.raises(BROKEN):
        deployment.start_update()
    assert fresh.control.count("updates", "D") == 1
    until(lambda: deployment.get_status().get_health() == "HEALTHY")
    assert fresh.control.count("activations", "qa/CHURN/b1") == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
def test_a_status_with_a_dss_error_body(fresh: Estate, status: int) -> None:
    fresh.control.fault(
        "status", node="qa", status=status, error_type="java.io.IOException", message="Disk full"
    )
    with pytest.raises(DataikuException, match=r"^java\.io\.IOException: Disk full$"):
        fresh.client("qa").list_projects()
    assert fresh.client("qa").list_projects() == []


def test_an_error_that_is_not_json(fresh: Estate) -> None:
    fresh.control.fault("not_json", node="design", path="^/projects$")
    with pytest.raises(DataikuException, match="Unknown error: <html>"):
        fresh.client("design").list_projects()


def test_a_success_that_is_not_json(fresh: Estate) -> None:
    fresh.control.fault("not_json", node="design", path="^/projects$", status=200)
    with pytest.raises(requests.exceptions.JSONDecodeError):
        fresh.client("design").list_projects()


def test_an_archive_cut_short_openly(fresh: Estate) -> None:
    fresh.design().export_bundle("b1")
    whole = read(fresh.design().get_exported_bundle_archive_stream("b1"))
    fresh.control.fault("truncate", path="/archive$", keep=0.5, honest=True)
    part = read(fresh.design().get_exported_bundle_archive_stream("b1"))
    assert part == whole[: len(whole) // 2]
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(part))


def test_an_archive_that_breaks_off(fresh: Estate) -> None:
    fresh.design().export_bundle("b1")
    fresh.control.fault("truncate", path="/archive$", keep=0.5)
    response = fresh.design().get_exported_bundle_archive_stream("b1")
    with pytest.raises(BROKEN):
        read(response)


def test_an_archive_with_a_flipped_bit(fresh: Estate) -> None:
    fresh.design().export_bundle("b1")
    whole = read(fresh.design().get_exported_bundle_archive_stream("b1"))
    fresh.control.fault("corrupt", path="/archive$")
    spoilt = read(fresh.design().get_exported_bundle_archive_stream("b1"))
    assert len(spoilt) == len(whole)
    assert sum(one != other for one, other in zip(spoilt, whole, strict=True)) == 1


def test_rows_that_break_off(fresh: Estate) -> None:
    fresh.control.fault("truncate", path="/data$")
    with pytest.raises(Exception, match=r"Connection broken|IncompleteRead|ended prematurely"):
        list(fresh.design().get_dataset("churn_scored").iter_rows())


def test_rows_that_end_early_are_told_when_streaming_is_finished(fresh: Estate) -> None:
    fresh.control.fault("truncate", path="/data$", honest=True)
    with pytest.raises(DataikuException, match="failed while its rows were streamed"):
        list(fresh.design().get_dataset("churn_scored").iter_rows())


def test_an_activation_that_fails_inside_a_200(fresh: Estate) -> None:
    fresh.publish("b1")
    fresh.deploy("b1")
    fresh.publish("b2", "v2")
    fresh.deploy("b2")
    fresh.control.fault("activation_error", node="qa", bundle="b1", message="Migration failed")
    result = fresh.on("qa").activate_bundle("b1")["result"]
    assert (result["error"], result["messages"][0]["message"]) == (True, "Migration failed")
    assert fresh.on("qa").get_summary()["activeBundleState"]["bundleId"] == "b2"


def test_an_activation_that_fails_during_an_update(fresh: Estate) -> None:
    fresh.publish("b1")
    fresh.control.fault("activation_error", node="qa")
    assert fresh.deploy("b1").get_status().get_health() == "ERROR"


@pytest.mark.parametrize("health", ["UNKNOWN", "WARNING", "UNHEALTHY", "ERROR", "OUT_OF_SYNC"])
def test_a_health_that_is_told_until_cleared(fresh: Estate, health: str) -> None:
    fresh.publish("b1")
    deployment = fresh.deploy("b1")
    fault = fresh.control.fault("health", deployment="CHURN-on-qa", health=health, times=None)
    assert [deployment.get_status().get_health() for _ in range(2)] == [health, health]
    fresh.control.clear_faults(fault)
    assert deployment.get_status().get_health() == "HEALTHY"


@pytest.mark.parametrize("outcome", ["SUCCESS", "FAILED", "WARNING", "ABORTED"])
def test_the_outcome_of_one_run(fresh: Estate, outcome: str) -> None:
    fresh.control.fault("scenario_outcome", scenario="TEST_DRIFT", outcome=outcome)
    scenario = fresh.design().get_scenario("TEST_DRIFT")
    assert run_over(scenario).outcome == outcome
    assert run_over(scenario).outcome == "SUCCESS"


def test_a_fault_is_used_as_often_as_told(fresh: Estate) -> None:
    fresh.control.fault("status", node="qa", times=2)
    failures = 0
    for _ in range(4):
        try:
            fresh.client("qa").list_projects()
        except DataikuException:
            failures += 1
    assert failures == 2
    fault = fresh.control.faults()[0]
    assert (fault["times"], fault["hits"]) == (0, 2)


def test_a_fault_meets_only_what_it_names(fresh: Estate) -> None:
    fresh.control.fault("status", node="prod", method="GET", path="^/projects$", times=None)
    assert fresh.client("qa").list_projects() == []
    assert fresh.client("prod").get_auth_info()
    with pytest.raises(DataikuException):
        fresh.client("prod").list_projects()


def test_a_fault_can_name_the_deployment(fresh: Estate) -> None:
    fresh.publish("b1")
    for id in ("D1", "D2"):
        fresh.deployer().create_deployment(id, "CHURN", "qa-automation", "b1")
    fresh.control.fault("status", deployment="D2", times=None)
    assert fresh.deployer().get_deployment("D1").get_status()
    with pytest.raises(DataikuException):
        fresh.deployer().get_deployment("D2").get_status()


@pytest.mark.parametrize(
    "wanted", [{"kind": "nonsense"}, {"kind": "status", "path": "("}, {"kind": "status", "times": 0}]
)
def test_nonsense_faults_are_refused(fresh: Estate, wanted: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError):
        fresh.control.fault(**wanted)
    assert fresh.control.faults() == []


def test_documentation_may_fail(fresh: Estate) -> None:
    fresh.control.fault("future_fails", job_type="documentation", message="Graphics export is not installed")
    model = fresh.design().get_saved_model("churn-rf")
    details = model.get_version_details(model.get_active_version()["id"])
    with pytest.raises(DataikuException, match="Graphics export"):
        over(details.generate_documentation())


def test_durations_can_be_set_in_milliseconds(fresh: Estate) -> None:
    fresh.control.set_durations(update=123)
    assert fresh.control.durations()["update"] == 123
    with pytest.raises(RuntimeError):
        fresh.control.set_durations(lunch=1)


def test_requests_are_seen_with_their_caller(fresh: Estate) -> None:
    fresh.client("design", "olga").list_projects()
    entry = fresh.control.requests()[-1]
    assert (entry["node"], entry["login"], entry["method"], entry["path"]) == (
        "design",
        "olga",
        "GET",
        "/projects",
    )
    assert entry["status"] == 200


def test_a_reset_forgets_everything_but_the_keys(fresh: Estate) -> None:
    fresh.publish("b1", "v2")
    fresh.control.fault("status", times=None, node="prod")
    fresh.fresh()
    assert fresh.control.faults() == []
    assert fresh.control.counters() == {}
    assert _bundles(fresh) == []
    assert fresh.client("prod").list_projects() == []


def test_an_estate_that_was_kept_comes_back_whole(fresh: Estate) -> None:
    fresh.publish("b1", "v2")
    fresh.control.fault("status", times=None, node="prod")
    before = fresh.control.counters()
    archive = fresh.design().get_exported_bundle_archive_stream("b1").content
    fresh.control.keep("published")
    fresh.fresh()
    fresh.control.back_to("published")
    assert (_bundles(fresh), fresh.control.counters()) == (["b1"], before)
    assert [fault["kind"] for fault in fresh.control.faults()] == ["status"]
    assert fresh.design().get_exported_bundle_archive_stream("b1").content == archive
    with pytest.raises(Exception, match="never-kept"):
        fresh.control.back_to("never-kept")
