"""The instance itself: identity, users, groups, connections, code environments, audit, licence."""

import pytest
from dataikuapi.utils import DataikuException

from tests.contract.conftest import Estate


@pytest.mark.parametrize(
    ("node", "kind"),
    [("design", "DESIGN"), ("deployer", "DEPLOYER"), ("qa", "AUTOMATION"), ("prod", "AUTOMATION")],
)
def test_each_node_says_what_it_is(estate: Estate, node: str, kind: str) -> None:
    info = estate.client(node).get_instance_info()
    assert (info.node_type, info.node_id, info.node_name) == (kind, node, node.capitalize())
    assert info.raw["dssVersion"].count(".") == 2


@pytest.mark.parametrize(
    ("login", "groups"), [("olga", ["churn-team"]), ("priya", ["fraud-team"]), ("otto", [])]
)
def test_a_personal_key_acts_as_its_person(estate: Estate, login: str, groups: list[str]) -> None:
    info = estate.client("design", login).get_auth_info()
    assert (info["authIdentifier"], info["groups"]) == (login, groups)


@pytest.mark.parametrize("node", ["design", "deployer", "qa", "prod"])
def test_people_are_the_same_on_every_node(estate: Estate, node: str) -> None:
    users = {user["login"]: user for user in estate.client(node).list_users()}
    assert users["olga"]["email"] == "olga@example.com"
    assert users["olga"]["groups"] == ["churn-team"]
    assert {"dev", "fay", "eli", "ravi", "mona", "ada", "abe", "nora", "otto", "priya"} <= set(users)


def test_one_user_and_an_unknown_one(estate: Estate) -> None:
    client = estate.client("design")
    assert client.get_user("dev").get_settings().get_raw()["displayName"] == "Dev Rao"
    with pytest.raises(DataikuException, match="User nobody"):
        client.get_user("nobody").get_settings()


def test_groups_are_listed(estate: Estate) -> None:
    groups = {group["name"] for group in estate.client("design").list_groups()}
    assert {"administrators", "churn-team", "fraud-team", "readers"} <= groups


def test_a_plain_key_may_not_list_users(estate: Estate) -> None:
    with pytest.raises(DataikuException, match="administrator"):
        estate.client("design", "viewer").list_users()


@pytest.mark.parametrize("node", ["design", "qa", "prod"])
def test_connection_names_are_there_for_everybody(estate: Estate, node: str) -> None:
    names = estate.client(node, "viewer").list_connections_names("all")
    assert {"warehouse", "payments_db", "sensors_db", "filesystem_managed"} <= set(names)


def test_connection_names_by_type(estate: Estate) -> None:
    assert estate.client("design").list_connections_names("Filesystem") == ["filesystem_managed"]


def test_connections_are_for_administrators(estate: Estate) -> None:
    assert estate.client("design").list_connections()["warehouse"]["type"] == "PostgreSQL"
    with pytest.raises(DataikuException, match="administrator"):
        estate.client("design", "olga").list_connections()


def test_code_environments(estate: Estate) -> None:
    found = estate.client("qa").list_code_envs()
    assert {("PYTHON", "churn-env"), ("PYTHON", "fraud-env")} <= {
        (env["envLang"], env["envName"]) for env in found
    }
    assert {env["deploymentMode"] for env in found} == {"AUTOMATION_VERSIONED"}


def test_custom_audit_entries_are_written_and_only_the_control_api_reads_them(estate: Estate) -> None:
    estate.client("design").log_custom_audit("countersign.promoted", {"request": 42})
    entry = estate.control.audit()[-1]
    assert (entry["type"], entry["params"], entry["by"]) == (
        "countersign.promoted",
        {"request": 42},
        "countersign",
    )


def test_custom_audit_needs_an_admin_key(estate: Estate) -> None:
    with pytest.raises(DataikuException, match="administrator"):
        estate.client("design", "olga").log_custom_audit("mine", {})


def test_the_licence_is_valid(estate: Estate) -> None:
    assert estate.client("design").get_licensing_status()["base"]["valid"] is True


def test_plugins_and_root_folder(estate: Estate) -> None:
    client = estate.client("design")
    assert client.list_plugins() == []
    assert set(client.get_root_project_folder().list_project_keys()) == {"CHURN", "FRAUD", "MAINT"}


def test_global_keys_hide_their_secrets(estate: Estate) -> None:
    keys = estate.client("design").list_global_api_keys()
    assert {key.label for key in keys} == {"Countersign portal", "Read only"}
    assert {key.key for key in keys} == {""}
