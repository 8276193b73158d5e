"""Deployments: creating is not deploying, saving is not applying, finished is not successful."""

import pytest
from dataikuapi.utils import DataikuException

from tests.contract.conftest import Estate, over, until


@pytest.fixture
def published(fresh: Estate) -> Estate:
    """Churn v1 and v2 published, nothing deployed."""
    fresh.publish("b1", "v1")
    fresh.publish("b2", "v2")
    return fresh


def test_creating_does_not_deploy(published: Estate) -> None:
    deployment = published.deployer().create_deployment("D", "CHURN", "qa-automation", "b1")
    status = deployment.get_status()
    assert status.get_health() == "UNKNOWN"
    assert status.get_light()["neverEverDeployed"] is True
    assert published.client("qa").list_project_keys() == []


def test_an_update_deploys(published: Estate) -> None:
    deployment = published.deployer().create_deployment("D", "CHURN", "qa-automation", "b1")
    state = over(deployment.start_update())
    assert state["hasResult"] is True
    assert state["result"]["success"] is True
    assert deployment.get_status().get_health() == "HEALTHY"
    assert published.on("qa").get_summary()["activeBundleState"]["bundleId"] == "b1"


def test_the_light_status_has_the_documented_shape(published: Estate) -> None:
    deployment = published.deploy("b1")
    light = deployment.get_status().get_light()
    assert light["deploymentBasicInfo"]["id"] == "CHURN-on-qa"
    assert light["deploymentBasicInfo"]["bundleId"] == "b1"
    assert light["deploymentBasicInfo"]["deployedProjectKey"] == "CHURN"
    assert light["infraBasicInfo"]["stage"] == "QA"
    assert light["projectBasicInfo"]["id"] == "CHURN"
    assert [entry["id"] for entry in light["packages"]] == ["b1", "b2"]


def test_saving_another_bundle_is_out_of_sync_until_the_update(published: Estate) -> None:
    deployment = published.deploy("b1")
    settings = deployment.get_settings()
    settings.bundle_id = "b2"
    settings.save()
    assert deployment.get_status().get_health() == "OUT_OF_SYNC"
    assert published.on("qa").get_summary()["activeBundleState"]["bundleId"] == "b1"
    over(deployment.start_update())
    assert deployment.get_status().get_health() == "HEALTHY"
    assert published.on("qa").get_summary()["activeBundleState"]["bundleId"] == "b2"


def test_saving_the_applied_settings_again_is_in_sync(published: Estate) -> None:
    deployment = published.deploy("b1")
    for bundle, health in (("b2", "OUT_OF_SYNC"), ("b1", "HEALTHY")):
        settings = deployment.get_settings()
        settings.bundle_id = bundle
        settings.save()
        assert deployment.get_status().get_health() == health


def test_unknown_settings_are_kept(published: Estate) -> None:
    deployment = published.deploy("b1")
    settings = deployment.get_settings()
    settings.get_raw()["somethingNewer"] = {"kept": True}
    settings.save()
    assert deployment.get_settings().get_raw()["somethingNewer"] == {"kept": True}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("D", "NOPE", "qa-automation", "b1"), "Published project NOPE"),
        (("D", "CHURN", "nowhere", "b1"), "Infrastructure nowhere"),
        (("D", "CHURN", "qa-automation", "b9"), "Bundle b9"),
        (("a/b", "CHURN", "qa-automation", "b1"), "characters"),
    ],
)
def test_a_deployment_of_what_is_not_there_is_refused(
    published: Estate, arguments: tuple[str, str, str, str], reason: str
) -> None:
    with pytest.raises(DataikuException, match=reason):
        published.deployer().create_deployment(*arguments)


def test_an_id_is_taken_only_once(published: Estate) -> None:
    published.deployer().create_deployment("D", "CHURN", "qa-automation", "b1")
    with pytest.raises(DataikuException, match="already exists"):
        published.deployer().create_deployment("D", "CHURN", "prod-automation", "b1")
    assert published.control.count("deployments_created", "D") == 1


def test_a_bundle_that_is_not_published_cannot_be_saved(published: Estate) -> None:
    deployment = published.deploy("b1")
    settings = deployment.get_settings()
    settings.bundle_id = "b9"
    with pytest.raises(DataikuException, match="Bundle b9"):
        settings.save()


@pytest.mark.parametrize("field", ["infraId", "publishedProjectKey", "id"])
def test_infrastructure_and_project_of_a_deployment_are_fixed(published: Estate, field: str) -> None:
    settings = published.deploy("b1").get_settings()
    settings.get_raw()[field] = "prod-automation"
    with pytest.raises(DataikuException, match="cannot change"):
        settings.save()


def test_a_second_update_while_one_runs_is_refused(published: Estate) -> None:
    published.control.set_durations(update=300)
    deployment = published.deployer().create_deployment("D", "CHURN", "qa-automation", "b1")
    future = deployment.start_update()
    with pytest.raises(DataikuException, match="in progress"):
        deployment.start_update()
    with pytest.raises(DataikuException, match="in progress"):
        deployment.delete()
    over(future)
    assert published.control.count("updates", "D") == 1


def test_updates_are_listed_with_type_status_and_requester(published: Estate) -> None:
    deployment = published.deploy("b1")
    published.deploy("b2")
    updates = deployment.list_updates()
    assert [update.get_raw()["bundleId"] for update in updates] == ["b2", "b1"]
    assert {(update.type, update.status) for update in updates} == {("UPDATE", "SUCCESS")}
    whole = updates[0].get_full_update()
    assert whole.requester == "countersign"
    assert whole.end_time >= whole.start_time
    assert whole.get_raw()["logs"]["lines"] == ["Bundle b2 is active"]
    assert deployment.get_update().get_raw()["startTimestamp"] == updates[0].get_raw()["startTimestamp"]


def test_deleting_wants_disabled_and_updated(published: Estate) -> None:
    deployment = published.deploy("b1")
    with pytest.raises(DataikuException, match="disabled"):
        deployment.delete()
    settings = deployment.get_settings()
    settings.get_raw()["enabled"] = False
    settings.save()
    with pytest.raises(DataikuException, match="disabled and updated"):
        deployment.delete()
    over(deployment.start_update())
    assert published.on("qa").get_scenario("BUILD_ALL").get_settings().active is False
    deployment.delete()
    assert published.deployer().list_deployments() == []


def test_a_deployment_never_deployed_can_be_deleted(published: Estate) -> None:
    published.deployer().create_deployment("D", "CHURN", "qa-automation", "b1").delete()
    assert published.deployer().list_deployments() == []


@pytest.mark.parametrize("login", ["viewer", "priya", "otto"])
def test_deploying_needs_the_right_on_the_project(published: Estate, login: str) -> None:
    with pytest.raises(DataikuException, match="may not deploy"):
        published.deployer(login).create_deployment("D", "CHURN", "qa-automation", "b1")


def test_deploying_needs_the_right_on_the_infrastructure_too(published: Estate) -> None:
    published.deployer("olga").create_deployment("Q", "CHURN", "qa-automation", "b1")
    with pytest.raises(DataikuException, match="infrastructure prod-automation"):
        published.deployer("olga").create_deployment("P", "CHURN", "prod-automation", "b1")


def test_a_team_may_look_at_production_and_not_touch_it(published: Estate) -> None:
    published.deploy("b1", "prod")
    theirs = published.deployer("olga").get_deployment("CHURN-on-prod")
    assert theirs.get_status().get_health() == "HEALTHY"
    with pytest.raises(DataikuException, match="may not deploy"):
        theirs.start_update()
    with pytest.raises(DataikuException, match="may not deploy"):
        theirs.get_settings().save()


def test_a_deployment_may_have_another_key_on_the_node(published: Estate) -> None:
    deployment = published.deployer().create_deployment(
        "D", "CHURN", "qa-automation", "b1", deployed_project_key="CHURN_QA"
    )
    over(deployment.start_update())
    assert published.client("qa").list_project_keys() == ["CHURN_QA"]


def test_a_missing_connection_ends_in_error_and_changes_nothing(published: Estate) -> None:
    deployment = published.deploy("b1")
    published.control.set_connection("qa", "warehouse", None)
    published.deploy("b2")
    status = deployment.get_status()
    assert status.get_health() == "ERROR"
    assert status.get_health_messages()["messages"][0]["code"] == "ERR_BUNDLE_ACTIVATE_MISSING_CONNECTION"
    assert published.on("qa").get_summary()["activeBundleState"]["bundleId"] == "b1"
    assert deployment.list_updates()[0].status == "ERROR"


def test_a_remapped_connection_is_found(published: Estate) -> None:
    published.control.set_connection("qa", "warehouse", None)
    published.control.set_connection("qa", "warehouse_qa", ["scoring.churn_scored"])
    deployment = published.deployer().create_deployment("D", "CHURN", "qa-automation", "b1")
    settings = deployment.get_settings()
    remapping = settings.get_raw()["bundleContainerSettings"]["remapping"]
    remapping["connections"] = [{"source": "warehouse", "target": "warehouse_qa"}]
    settings.save()
    over(deployment.start_update())
    assert deployment.get_status().get_health() == "HEALTHY"


@pytest.mark.parametrize(
    ("mode", "health"), [("INSTALL_IF_MISS", "HEALTHY"), ("FAIL_IF_MISS", "ERROR"), ("DO_NOTHING", "WARNING")]
)
def test_a_missing_code_environment_follows_the_settings(published: Estate, mode: str, health: str) -> None:
    published.control.set_code_env("qa", "churn-env", False)
    deployment = published.deployer().create_deployment("D", "CHURN", "qa-automation", "b1")
    settings = deployment.get_settings()
    settings.get_raw()["bundleContainerSettings"]["codeEnvsBehavior"]["importTimeMode"] = mode
    settings.save()
    over(deployment.start_update())
    assert deployment.get_status().get_health() == health


def test_scenarios_to_activate_and_local_variables_are_applied(published: Estate) -> None:
    deployment = published.deployer().create_deployment("D", "CHURN", "qa-automation", "b1")
    settings = deployment.get_settings()
    settings.get_raw()["scenariosToActivate"] = {"BUILD_ALL": False, "TEST_DRIFT": True}
    settings.get_raw()["localVariables"] = {"region": "north"}
    settings.save()
    over(deployment.start_update())
    project = published.on("qa")
    assert project.get_scenario("BUILD_ALL").get_settings().active is False
    assert project.get_scenario("TEST_DRIFT").get_settings().active is True
    assert project.get_variables()["local"] == {"region": "north"}


def test_what_was_activated_behind_its_back_is_out_of_sync(published: Estate) -> None:
    deployment = published.deploy("b1")
    published.control.activate_behind("qa", "CHURN", "b2")
    status = deployment.get_status()
    assert status.get_health() == "OUT_OF_SYNC"
    assert "Bundle b2 is active" in status.get_health_messages()["messages"][0]["message"]


def test_the_heavy_status_lists_scenarios_by_their_last_outcome(published: Estate) -> None:
    deployment = published.deploy("b1")
    deployment.run_test_scenarios()
    monitoring = deployment.get_status().get_heavy()["monitoring"]
    assert set(monitoring["successful"]) == {"TEST_DATA_QUALITY", "TEST_DRIFT", "TEST_SCORING", "TEST_SMOKE"}
    assert (monitoring["hasScenarios"], monitoring["hasActiveScenarios"]) == (True, True)


def test_test_scenarios_run_synchronously_and_are_counted(published: Estate) -> None:
    deployment = published.deploy("b1")
    assert deployment.get_testing_status().nb_total_ran_scenarios == 0
    status = deployment.run_test_scenarios()
    assert (status.nb_total_ran_scenarios, status.nb_scenarios_per_outcome) == (4, {"SUCCESS": 4})
    assert deployment.get_testing_status("b1").nb_total_ran_scenarios == 4
    assert deployment.get_testing_status("b2").nb_total_ran_scenarios == 0


def _policy(estate: Estate, policy: str) -> None:
    settings = estate.deployer().get_infra("prod-automation").get_settings()
    settings.get_raw()["governCheckPolicy"] = policy
    settings.save()


@pytest.mark.parametrize(
    ("policy", "approved", "ignore", "created"),
    [
        ("NO_CHECK", None, False, True),
        ("WARN", None, False, False),
        ("WARN", None, True, True),
        ("WARN", True, False, True),
        ("PREVENT", None, False, False),
        ("PREVENT", None, True, False),
        ("PREVENT", False, True, False),
        ("PREVENT", True, False, True),
    ],
)
def test_the_govern_policy_is_enforced(
    published: Estate, policy: str, approved: bool | None, ignore: bool, created: bool
) -> None:
    _policy(published, policy)
    published.control.set_governance("CHURN", "b1", approved)
    deployer = published.deployer()
    if created:
        deployer.create_deployment("D", "CHURN", "prod-automation", "b1", ignore_warnings=ignore)
    else:
        with pytest.raises(DataikuException, match="Govern"):
            deployer.create_deployment("D", "CHURN", "prod-automation", "b1", ignore_warnings=ignore)
    assert bool(deployer.list_deployments()) is created


def test_the_govern_policy_is_enforced_at_save_and_update(published: Estate) -> None:
    deployment = published.deployer().create_deployment("D", "CHURN", "prod-automation", "b1")
    _policy(published, "PREVENT")
    with pytest.raises(DataikuException, match="prevented"):
        deployment.start_update()
    with pytest.raises(DataikuException, match="prevented"):
        deployment.get_settings().save(ignore_warnings=True)
    published.control.set_governance("CHURN", "b1", True)
    over(deployment.start_update())
    assert deployment.get_status().get_health() == "HEALTHY"


def test_the_governance_status_is_info_messages(published: Estate) -> None:
    deployment = published.deployer().create_deployment("D", "CHURN", "prod-automation", "b1")
    assert deployment.get_governance_status()["messages"] == []
    _policy(published, "WARN")
    assert deployment.get_governance_status("b2")["messages"][0]["severity"] == "WARNING"
    published.control.set_governance("CHURN", "b2", True)
    assert deployment.get_governance_status("b2")["maxSeverity"] == "SUCCESS"


def test_the_health_of_a_deployment_whose_project_is_gone_is_error(published: Estate) -> None:
    deployment = published.deploy("b1")
    published.on("qa").delete()
    assert until(lambda: deployment.get_status().get_health()) == "ERROR"
