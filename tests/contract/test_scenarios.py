"""Scenarios: fires, runs, outcomes, tests and their reports."""

import datetime
import time
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from dataikuapi.utils import DataikuException

from tests.contract.conftest import Estate, read, run_over, until


@pytest.fixture
def project(fresh: Estate) -> Any:
    """Churn v1 running on QA."""
    fresh.publish("b1")
    fresh.deploy("b1")
    return fresh.on("qa")


def test_scenarios_are_listed_with_their_test_marks(project: Any) -> None:
    marks = {item["id"]: item["markedAsTest"] for item in project.list_scenarios()}
    assert marks == {
        "BUILD_ALL": False,
        "TEST_DATA_QUALITY": True,
        "TEST_DRIFT": True,
        "TEST_SCORING": True,
        "TEST_SMOKE": True,
    }


def test_the_client_lists_test_scenarios(project: Any) -> None:
    assert {scenario.id for scenario in project.list_test_scenarios()} == {
        "TEST_DATA_QUALITY",
        "TEST_DRIFT",
        "TEST_SCORING",
        "TEST_SMOKE",
    }


def test_a_list_item_gives_its_name_as_id(project: Any) -> None:
    item = next(item for item in project.list_scenarios() if item["id"] == "TEST_DRIFT")
    assert item.id == item["name"] == "The model still separates"


def test_settings_of_a_scenario(project: Any) -> None:
    settings = project.get_scenario("TEST_SMOKE").get_settings()
    assert settings.get_raw()["type"] == "step_based"
    assert [step["type"] for step in settings.raw_steps] == ["exec_sql", "check_dataset"]
    assert project.get_scenario("BUILD_ALL").get_settings().active is True


def test_a_scenario_can_be_switched_off(project: Any) -> None:
    settings = project.get_scenario("BUILD_ALL").get_settings()
    settings.active = False
    settings.save()
    assert project.get_scenario("BUILD_ALL").get_settings().active is False


def test_a_fire_is_no_run_yet(fresh: Estate, project: Any) -> None:
    fresh.control.set_durations(scenario_start=250)
    fire = project.get_scenario("TEST_SMOKE").run()
    assert fire.get_scenario_run() is None
    assert fire.is_cancelled() is False
    assert until(fire.get_scenario_run).id


def test_a_going_run_has_end_zero_and_no_result(fresh: Estate, project: Any) -> None:
    fresh.control.set_durations(scenario=400)
    fire = project.get_scenario("TEST_SMOKE").run()
    run = until(fire.get_scenario_run)
    assert run.running is True
    assert run.get_info()["end"] == 0
    assert "result" not in run.get_info()
    assert project.get_scenario("TEST_SMOKE").get_status().running is True
    with pytest.raises(ValueError, match="outcome"):
        _ = run.outcome


@pytest.mark.parametrize(
    "scenario", ["TEST_DATA_QUALITY", "TEST_SCORING", "TEST_DRIFT", "TEST_SMOKE", "BUILD_ALL"]
)
def test_every_scenario_of_the_demo_passes(project: Any, scenario: str) -> None:
    run = run_over(project.get_scenario(scenario))
    assert run.outcome == "SUCCESS"
    assert run.end_time >= run.start_time
    assert run.duration >= 0


def test_the_clients_own_waiting_works(project: Any) -> None:
    assert project.get_scenario("TEST_SMOKE").run_and_wait().outcome == "SUCCESS"


@pytest.mark.parametrize("outcome", ["FAILED", "WARNING", "ABORTED"])
def test_the_client_raises_on_anything_but_success(fresh: Estate, project: Any, outcome: str) -> None:
    fresh.control.fault("scenario_outcome", scenario="TEST_SMOKE", node="qa", outcome=outcome)
    with pytest.raises(DataikuException, match=outcome):
        project.get_scenario("TEST_SMOKE").run_and_wait()


def test_steps_tell_what_failed(fresh: Estate, project: Any) -> None:
    fresh.control.set_connection("qa", "warehouse", [])
    details = run_over(project.get_scenario("TEST_SMOKE")).get_details()
    assert details["scenarioRun"]["result"]["outcome"] == "FAILED"
    step = details["stepRuns"][0]
    assert step["result"]["outcome"] == "FAILED"
    assert "scoring.churn_scored" in step["result"]["thrown"]["message"]
    assert len(details["stepRuns"]) == 1


def test_a_second_fire_while_a_run_is_going_is_cancelled(fresh: Estate, project: Any) -> None:
    fresh.control.set_durations(scenario=400, scenario_start=0)
    scenario = project.get_scenario("TEST_SMOKE")
    first = scenario.run()
    until(first.get_scenario_run)
    second = scenario.run()
    assert second.is_cancelled(refresh=True) is True
    assert second.get_scenario_run() is None
    assert first.is_cancelled() is False


def test_a_waiting_fire_is_superseded_by_the_next(fresh: Estate, project: Any) -> None:
    fresh.control.set_durations(scenario_start=250)
    scenario = project.get_scenario("TEST_SMOKE")
    first, second = scenario.run(), scenario.run()
    assert first.is_cancelled(refresh=True) is True
    assert second.is_cancelled(refresh=True) is False
    until(second.get_scenario_run)
    assert fresh.control.count("runs_started", "qa/CHURN/TEST_SMOKE") == 1


def test_a_fire_can_be_cancelled_by_a_fault(fresh: Estate, project: Any) -> None:
    fresh.control.fault("scenario_cancelled", scenario="TEST_SMOKE")
    assert project.get_scenario("TEST_SMOKE").run().is_cancelled(refresh=True) is True


def test_a_run_that_never_ends_can_be_aborted(fresh: Estate, project: Any) -> None:
    fresh.control.fault("scenario_never_ends", scenario="TEST_SMOKE")
    scenario = project.get_scenario("TEST_SMOKE")
    run = until(scenario.run().get_scenario_run)
    time.sleep(0.05)
    run.refresh()
    assert run.running is True
    scenario.abort()
    run.refresh()
    assert run.outcome == "ABORTED"


def test_last_runs_are_newest_first(project: Any) -> None:
    scenario = project.get_scenario("TEST_DRIFT")
    ids = [run_over(scenario).id for _ in range(3)]
    assert [run.id for run in scenario.get_last_runs()] == ids[::-1]
    assert [run.id for run in scenario.get_last_runs(limit=1, only_finished_runs=True)] == ids[-1:]
    assert scenario.get_last_successful_run().id == ids[-1]


def test_runs_are_found_by_date_and_id(project: Any) -> None:
    scenario = project.get_scenario("TEST_DRIFT")
    run = run_over(scenario)
    today = datetime.datetime.now(datetime.UTC).date()
    days = datetime.timedelta(days=1)
    assert [found.id for found in scenario.get_runs_by_date(today - days, today + days)] == [run.id]
    assert scenario.get_runs_by_date(today - 9 * days, today - 8 * days) == []
    assert scenario.get_run(run.id).outcome == "SUCCESS"
    with pytest.raises(DataikuException, match="Run nope"):
        scenario.get_run("nope")


def test_only_ran_tests_are_counted(project: Any) -> None:
    assert project.get_testing_status().nb_total_ran_scenarios == 0
    run_over(project.get_scenario("TEST_DRIFT"))
    run_over(project.get_scenario("BUILD_ALL"))
    status = project.get_testing_status()
    assert (status.nb_total_ran_scenarios, status.nb_scenarios_per_outcome) == (1, {"SUCCESS": 1})


def test_tests_are_counted_for_the_bundle_they_ran_on(fresh: Estate, project: Any) -> None:
    run_over(project.get_scenario("TEST_DRIFT"))
    fresh.publish("b2", "v2")
    fresh.deploy("b2")
    assert project.get_testing_status().nb_total_ran_scenarios == 0
    assert project.get_testing_status("b1").nb_total_ran_scenarios == 1


def test_the_project_report_is_junit(fresh: Estate, project: Any) -> None:
    run_over(project.get_scenario("TEST_DRIFT"))
    fresh.control.set_connection("qa", "warehouse", [])
    run_over(project.get_scenario("TEST_SMOKE"))
    root = ElementTree.fromstring(read(project.get_last_test_scenario_runs_report()))
    suites = {suite.get("name"): suite for suite in root.iter("testsuite")}
    assert set(suites) == {"TEST_DRIFT", "TEST_SMOKE"}
    assert (suites["TEST_DRIFT"].get("failures"), suites["TEST_SMOKE"].get("failures")) == ("0", "1")
    failure = suites["TEST_SMOKE"].find("testcase/failure")
    assert failure is not None
    assert "does not exist" in (failure.get("message") or "")


def test_the_html_report_names_the_tests(project: Any) -> None:
    run_over(project.get_scenario("TEST_DRIFT"))
    page = read(project.get_last_test_scenario_runs_html_report()).decode()
    assert page.startswith("<!DOCTYPE html>")
    assert "TEST_DRIFT" in page


def test_a_run_of_a_test_has_a_report_and_a_log(project: Any) -> None:
    run = run_over(project.get_scenario("TEST_SCORING"))
    suite = ElementTree.fromstring(read(run.get_report())).find("testsuite")
    assert suite is not None
    assert (suite.get("name"), suite.get("tests")) == ("TEST_SCORING", "3")
    assert b"Unit tests" in read(run.get_step_run_report("unit"))
    assert "Done: SUCCESS" in run.get_log()


def test_a_run_of_another_scenario_has_no_report(project: Any) -> None:
    run = run_over(project.get_scenario("BUILD_ALL"))
    with pytest.raises(DataikuException, match="not marked as a test"):
        run.get_report()


def test_running_needs_the_right(fresh: Estate) -> None:
    with pytest.raises(DataikuException, match="runScenarios"):
        fresh.design("CHURN", "viewer").get_scenario("TEST_SMOKE").run()


def test_scenarios_run_on_the_design_node_too(fresh: Estate) -> None:
    assert run_over(fresh.design("CHURN", "dev").get_scenario("TEST_SMOKE")).outcome == "SUCCESS"


def test_an_unknown_scenario_is_404(project: Any) -> None:
    with pytest.raises(DataikuException, match="Scenario NOPE"):
        project.get_scenario("NOPE").run()


def test_a_scenario_can_be_created(fresh: Estate) -> None:
    project = fresh.design("CHURN", "dev")
    scenario = project.create_scenario("Extra check", "step_based")
    assert scenario.id == "EXTRA_CHECK"
    assert run_over(scenario).outcome == "SUCCESS"
    scenario.delete()
    assert "EXTRA_CHECK" not in {item["id"] for item in project.list_scenarios()}
