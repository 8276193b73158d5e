"""The Project Deployer: stages, infrastructures, published projects, uploads, and rights per calling key."""

import hashlib
import io

import pytest
from dataikuapi.utils import DataikuException

from tests.contract.conftest import Estate, read


def test_stages(estate: Estate) -> None:
    assert [stage["id"] for stage in estate.deployer().list_stages()] == ["Development", "QA", "Production"]


def test_infrastructures_point_at_the_automation_nodes(estate: Estate) -> None:
    infras = {
        found.id: found.get_status().get_raw()["infraBasicInfo"] for found in estate.deployer().list_infras()
    }
    assert {id: info["stage"] for id, info in infras.items()} == {
        "qa-automation": "QA",
        "prod-automation": "Production",
    }
    assert infras["prod-automation"]["automationNodeUrl"] == estate.url("prod")
    assert infras["qa-automation"]["governCheckPolicy"] == "NO_CHECK"


@pytest.mark.parametrize(
    ("login", "infra", "may"),
    [
        ("olga", "qa-automation", True),
        ("olga", "prod-automation", False),
        ("viewer", "qa-automation", False),
        ("countersign", "prod-automation", True),
        ("ada", "prod-automation", True),
    ],
)
def test_can_deploy_is_computed_for_the_calling_key(
    estate: Estate, login: str, infra: str, may: bool
) -> None:
    assert estate.deployer(login).get_infra(infra).get_status().get_raw()["canDeploy"] is may


def test_can_deploy_is_computed_for_an_impersonated_user(estate: Estate) -> None:
    as_dev = estate.client("deployer").get_user("dev").get_client_as().get_projectdeployer()
    assert as_dev.get_infra("qa-automation").get_status().get_raw()["canDeploy"] is True
    assert as_dev.get_infra("prod-automation").get_status().get_raw()["canDeploy"] is False


def test_without_any_right_infrastructures_are_invisible(estate: Estate) -> None:
    assert estate.deployer("otto").list_infras() == []
    with pytest.raises(DataikuException, match="forbidden"):
        estate.deployer("otto").get_infra("qa-automation").get_status()


def test_infrastructure_settings_hold_the_nodes_key_for_admins_only(estate: Estate) -> None:
    settings = estate.deployer().get_infra("qa-automation").get_settings().get_raw()
    assert settings["adminApiKey"] == estate.sandbox.key("qa", "countersign")
    with pytest.raises(DataikuException, match="forbidden"):
        estate.deployer("olga").get_infra("qa-automation").get_settings()


def test_an_infrastructure_can_be_made_changed_and_deleted(fresh: Estate) -> None:
    deployer = fresh.deployer()
    infra = deployer.create_infra("lab", "Development", govern_check_policy="WARN")
    settings = infra.get_settings()
    assert settings.get_raw()["governCheckPolicy"] == "WARN"
    settings.get_raw()["governCheckPolicy"] = "PREVENT"
    settings.save()
    assert infra.get_settings().get_raw()["governCheckPolicy"] == "PREVENT"
    infra.delete()
    assert {found.id for found in deployer.list_infras()} == {"qa-automation", "prod-automation"}


def test_an_infrastructure_in_use_cannot_be_deleted(fresh: Estate) -> None:
    fresh.publish("b1")
    fresh.deployer().create_deployment("D", "CHURN", "qa-automation", "b1")
    with pytest.raises(DataikuException, match="still has deployments"):
        fresh.deployer().get_infra("qa-automation").delete()


def test_an_upload_is_the_same_bytes_on_the_deployer(fresh: Estate) -> None:
    fresh.design().export_bundle("b1")
    archive = read(fresh.design().get_exported_bundle_archive_stream("b1"))
    fresh.deployer().upload_bundle(io.BytesIO(archive))
    copy = read(fresh.deployer().get_project("CHURN").get_bundle_stream("b1"))
    assert hashlib.sha256(copy).hexdigest() == hashlib.sha256(archive).hexdigest()
    assert fresh.control.count("uploads", "CHURN/b1") == 1


def test_an_upload_under_another_key(fresh: Estate) -> None:
    fresh.design().export_bundle("b1")
    archive = read(fresh.design().get_exported_bundle_archive_stream("b1"))
    fresh.deployer().upload_bundle(io.BytesIO(archive), "CHURN_EU")
    assert [found.id for found in fresh.deployer().list_projects()] == ["CHURN_EU"]


def test_the_same_upload_twice_is_refused(fresh: Estate) -> None:
    fresh.design().export_bundle("b1")
    archive = read(fresh.design().get_exported_bundle_archive_stream("b1"))
    fresh.deployer().upload_bundle(io.BytesIO(archive))
    with pytest.raises(DataikuException, match="already exists"):
        fresh.deployer().upload_bundle(io.BytesIO(archive))
    assert fresh.control.count("uploads", "CHURN/b1") == 1


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04 broken", b"text"])
def test_an_upload_that_is_no_bundle_is_refused(fresh: Estate, body: bytes) -> None:
    with pytest.raises(DataikuException, match="ERR_PROJECT_INVALID_ARCHIVE"):
        fresh.deployer().upload_bundle(io.BytesIO(body))


@pytest.mark.parametrize(
    ("login", "deploy", "write", "admin"),
    [("olga", True, True, False), ("viewer", False, False, False), ("countersign", True, True, True)],
)
def test_rights_on_a_published_project(
    fresh: Estate, login: str, deploy: bool, write: bool, admin: bool
) -> None:
    fresh.publish("b1")
    status = fresh.deployer(login).get_project("CHURN").get_status().get_raw()
    assert (status["canDeploy"], status["canWrite"], status["isAdmin"]) == (deploy, write, admin)


def test_others_do_not_see_a_published_project(fresh: Estate) -> None:
    fresh.publish("b1")
    assert fresh.deployer("priya").list_projects() == []


def test_published_project_settings(fresh: Estate) -> None:
    fresh.publish("b1")
    settings = fresh.deployer().get_project("CHURN").get_settings()
    settings.get_raw()["permissions"].append({"group": "fraud-team", "read": True})
    settings.save()
    assert [found.id for found in fresh.deployer("priya").list_projects()] == ["CHURN"]


def test_a_published_project_can_be_made_empty_and_deleted(fresh: Estate) -> None:
    fresh.deployer().create_project("EMPTY")
    assert fresh.deployer().get_project("EMPTY").get_status().get_bundles() == []
    fresh.deployer().get_project("EMPTY").delete()
    assert fresh.deployer().list_projects() == []


def test_bundles_in_use_cannot_be_deleted_others_can(fresh: Estate) -> None:
    fresh.publish("b1")
    fresh.publish("b2")
    fresh.deployer().create_deployment("D", "CHURN", "qa-automation", "b1")
    project = fresh.deployer().get_project("CHURN")
    with pytest.raises(DataikuException, match="used by a deployment"):
        project.delete_bundle("b1")
    project.delete_bundle("b2")
    assert [bundle["id"] for bundle in project.get_status().get_bundles()] == ["b1"]
    with pytest.raises(DataikuException, match="still has deployments"):
        project.delete()


def test_no_standards_report_is_null(fresh: Estate) -> None:
    fresh.control.set_standards("CHURN", none=True)
    fresh.publish("b1")
    assert fresh.deployer().get_project("CHURN").get_project_standards_report("b1") is None


def test_a_project_status_lists_its_deployments_by_infrastructure(fresh: Estate) -> None:
    fresh.publish("b1")
    fresh.deployer().create_deployment("D", "CHURN", "qa-automation", "b1")
    status = fresh.deployer().get_project("CHURN").get_status()
    assert [found.id for found in status.get_deployments("qa-automation")] == ["D"]
    assert status.get_deployments("prod-automation") == []
    assert {found["id"] for found in status.get_infras()} == {"qa-automation", "prod-automation"}
