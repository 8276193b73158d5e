"""Long-running tasks: start, poll, peek, read again, abort, and tasks that end badly."""

import time
from typing import Any

import pytest
from dataikuapi.dss.future import DSSFuture
from dataikuapi.utils import DataikuException

from tests.contract.conftest import Estate, over, until


@pytest.fixture
def deployment(fresh: Estate) -> Any:
    """A deployment of churn on QA that was never updated."""
    fresh.publish("b1")
    return fresh.deployer().create_deployment("D", "CHURN", "qa-automation", "b1")


def _error(future: Any) -> str:
    """What a poll of the task is refused with, or empty while it is not."""
    try:
        future.get_state()
    except DataikuException as error:
        return str(error)
    return ""


def test_a_start_response_has_a_job_id_and_no_result(deployment: Any) -> None:
    future = deployment.start_update()
    assert future.job_id
    assert (future.state["hasResult"], future.state["alive"]) == (False, True)
    over(future)


def test_a_peek_leaves_the_result_out(deployment: Any) -> None:
    future = deployment.start_update()
    over(future)
    assert "result" not in future.peek_state()
    assert future.peek_state()["hasResult"] is True
    assert "result" in future.get_state()


def test_a_result_can_be_read_again(deployment: Any) -> None:
    future = deployment.start_update()
    over(future)
    assert future.get_result() == future.wait_for_result() == future.get_result()


def test_the_clients_own_waiting_works(deployment: Any) -> None:
    assert deployment.start_update().wait_for_result()["success"] is True


def test_times_are_told(estate: Estate, deployment: Any) -> None:
    estate.control.set_durations(update=40)
    future = deployment.start_update()
    state = over(future)
    assert state["runningTime"] == pytest.approx(40, abs=2)
    assert state["startTime"] <= time.time() * 1000


def test_an_abort_is_an_error_and_has_no_effect(estate: Estate, deployment: Any) -> None:
    estate.control.set_durations(update=250)
    future = deployment.start_update()
    future.abort()
    with pytest.raises(DataikuException, match="aborted"):
        future.get_state()
    time.sleep(0.3)
    assert estate.client("qa").list_project_keys() == []
    assert deployment.get_status().get_health() == "ERROR"
    assert deployment.list_updates()[0].status == "ABORTED"


def test_after_an_abort_the_deployment_can_be_updated(estate: Estate, deployment: Any) -> None:
    estate.control.set_durations(update=250)
    deployment.start_update().abort()
    over(deployment.start_update())
    assert deployment.get_status().get_health() == "HEALTHY"


def test_an_abort_after_the_end_changes_nothing(deployment: Any) -> None:
    future = deployment.start_update()
    over(future)
    future.abort()
    assert future.get_state()["hasResult"] is True


def test_running_tasks_are_listed(estate: Estate, deployment: Any) -> None:
    estate.control.set_durations(update=300)
    future = deployment.start_update()
    client = estate.client("deployer")
    assert [found["jobId"] for found in client.list_futures()] == [future.job_id]
    assert client.list_running_scenarios() == []
    over(future)
    assert client.list_futures() == []


def test_running_scenarios_are_listed_apart(estate: Estate, deployment: Any) -> None:
    over(deployment.start_update())
    estate.control.set_durations(scenario=200, scenario_start=0)
    estate.on("qa").get_scenario("TEST_SMOKE").run()
    assert until(lambda: len(estate.client("qa").list_running_scenarios())) == 1
    assert estate.client("qa").list_futures() == []


def test_an_unknown_task_is_404(estate: Estate) -> None:
    with pytest.raises(DataikuException, match="Future nope"):
        DSSFuture(estate.client("design"), "nope").get_state()


def test_a_task_is_read_by_its_owner_and_by_administrators(estate: Estate, deployment: Any) -> None:
    future = deployment.start_update()
    over(future)
    assert DSSFuture(estate.client("deployer", "ada"), future.job_id).get_state()["hasResult"] is True
    with pytest.raises(DataikuException, match="somebody else"):
        DSSFuture(estate.client("deployer", "olga"), future.job_id).get_state()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("future_dead", {"alive": False, "hasResult": False, "aborted": False}),
        ("future_unknown", {"alive": False, "hasResult": False, "unknown": True}),
    ],
)
def test_a_task_that_is_gone_without_a_result(
    estate: Estate, deployment: Any, kind: str, expected: dict[str, bool]
) -> None:
    estate.control.fault(kind, deployment="D")
    state = over(deployment.start_update())
    assert {name: state[name] for name in expected} == expected
    assert estate.client("qa").list_project_keys() == []
    assert deployment.get_status().get_health() == "ERROR"


@pytest.mark.parametrize("status", [400, 500, 503])
def test_a_failed_task_is_an_http_error(estate: Estate, deployment: Any, status: int) -> None:
    estate.control.fault("future_fails", deployment="D", status=status, message="Out of disk")
    future = deployment.start_update()

    assert "Out of disk" in until(lambda: _error(future))
    assert deployment.list_updates()[0].status == "ERROR"


def test_a_task_may_fail_after_its_effect(estate: Estate, deployment: Any) -> None:
    estate.control.fault("future_fails", deployment="D", effect=True)
    future = deployment.start_update()
    until(lambda: _error(future))
    assert estate.on("qa").get_summary()["activeBundleState"]["bundleId"] == "b1"


def test_a_task_that_never_ends_can_be_aborted(estate: Estate, deployment: Any) -> None:
    estate.control.fault("future_never_ends", deployment="D")
    future = deployment.start_update()
    time.sleep(0.05)
    assert future.get_state()["alive"] is True
    with pytest.raises(DataikuException, match="in progress"):
        deployment.start_update()
    future.abort()
    over(deployment.start_update())
    assert deployment.get_status().get_health() == "HEALTHY"


def test_a_task_somebody_else_aborted(estate: Estate, deployment: Any) -> None:
    estate.control.fault("future_aborted", deployment="D", as_state=True)
    state = over(deployment.start_update())
    assert (state["aborted"], state["hasResult"]) == (True, False)


@pytest.mark.parametrize(
    ("health", "active"), [("ERROR", None), ("WARNING", "b1"), ("UNHEALTHY", "b1"), ("UNKNOWN", "b1")]
)
def test_a_finished_update_is_not_a_success(
    estate: Estate, deployment: Any, health: str, active: str | None
) -> None:
    estate.control.fault("update_health", deployment="D", health=health)
    assert over(deployment.start_update())["hasResult"] is True
    assert deployment.get_status().get_health() == health
    keys = estate.client("qa").list_project_keys()
    assert (estate.on("qa").get_summary()["activeBundleState"]["bundleId"] if keys else None) == active


def test_a_lying_update(estate: Estate, deployment: Any) -> None:
    over(deployment.start_update())
    estate.publish("b2", "v2")
    estate.control.fault("wrong_bundle", deployment="D")
    settings = deployment.get_settings()
    settings.bundle_id = "b2"
    settings.save()
    assert over(deployment.start_update())["result"]["success"] is True
    assert deployment.get_status().get_health() == "HEALTHY"
    assert estate.on("qa").get_summary()["activeBundleState"]["bundleId"] == "b1"
