"""Projects of the Design node: listing, metadata, permissions, settings, variables, history, recipes, wiki."""

import pytest
from dataikuapi.utils import DataikuException

from tests.contract.conftest import Estate


def test_projects_are_listed_with_their_owners(estate: Estate) -> None:
    owners = {found["projectKey"]: found["ownerLogin"] for found in estate.client("design").list_projects()}
    assert owners == {"CHURN": "olga", "FRAUD": "priya", "MAINT": "hugo"}


def test_automation_nodes_start_empty(estate: Estate) -> None:
    assert estate.client("qa").list_project_keys() == []
    assert estate.client("prod").list_project_keys() == []


def test_a_summary_is_the_list_item(estate: Estate) -> None:
    client = estate.client("design")
    item = next(found for found in client.list_projects() if found["projectKey"] == "CHURN")
    assert client.get_project("CHURN").get_summary() == item
    assert item["projectStatus"] == "In production"
    assert item["ownerDisplayName"] == "Olga Lindqvist"
    assert item["versionTag"]["lastModifiedBy"]["login"] == "olga"


@pytest.mark.parametrize(
    ("login", "keys"),
    [("olga", {"CHURN"}), ("priya", {"FRAUD"}), ("viewer", {"CHURN", "FRAUD", "MAINT"}), ("otto", set())],
)
def test_a_key_sees_the_projects_it_may_read(estate: Estate, login: str, keys: set[str]) -> None:
    assert set(estate.client("design", login).list_project_keys()) == keys


def test_a_project_that_may_not_be_read_is_refused(estate: Estate) -> None:
    with pytest.raises(DataikuException, match="readProjectContent"):
        estate.design("CHURN", "otto").get_metadata()


def test_metadata_can_be_read_and_written(fresh: Estate) -> None:
    project = fresh.design()
    metadata = project.get_metadata()
    assert metadata["label"] == "Customer churn"
    metadata["shortDesc"] = "Changed"
    metadata["checklists"]["checklists"].append(
        {"title": "Release", "items": [{"text": "Tests", "done": True}]}
    )
    project.set_metadata(metadata)
    assert project.get_metadata()["checklists"]["checklists"][0]["title"] == "Release"
    assert project.get_summary()["shortDesc"] == "Changed"


def test_readers_may_not_write_metadata(estate: Estate) -> None:
    project = estate.design("CHURN", "viewer")
    with pytest.raises(DataikuException, match="writeProjectContent"):
        project.set_metadata(project.get_metadata())


def test_permissions_are_spelled_out(estate: Estate) -> None:
    permissions = estate.design().get_permissions()
    team = next(entry for entry in permissions["permissions"] if entry["group"] == "churn-team")
    readers = next(entry for entry in permissions["permissions"] if entry["group"] == "readers")
    assert permissions["owner"] == "olga"
    assert (team["admin"], team["writeProjectContent"], team["runScenarios"]) == (False, True, True)
    assert (readers["readProjectContent"], readers["writeProjectContent"]) == (True, False)


def test_only_the_owner_or_an_admin_changes_permissions(fresh: Estate) -> None:
    as_owner = fresh.design("CHURN", "olga")
    permissions = as_owner.get_permissions()
    permissions["permissions"] = []
    with pytest.raises(DataikuException, match="admin"):
        fresh.design("CHURN", "dev").set_permissions(permissions)
    as_owner.set_permissions(permissions)
    assert fresh.client("design", "dev").list_project_keys() == []


def test_settings_name_the_code_environment(estate: Estate) -> None:
    settings = estate.design().get_settings()
    python = settings.get_raw()["settings"]["codeEnvs"]["python"]
    assert (python["mode"], python["envName"], python["useBuiltinEnv"]) == (
        "EXPLICIT_ENV",
        "churn-env",
        False,
    )
    assert settings.get_raw()["exposedObjects"] == {"objects": []}


def test_settings_are_saved(fresh: Estate) -> None:
    settings = fresh.design().get_settings()
    settings.get_raw()["settings"]["codeEnvs"]["python"]["envName"] = "other-env"
    settings.save()
    saved = fresh.design().get_settings().get_raw()
    assert saved["settings"]["codeEnvs"]["python"]["envName"] == "other-env"


def test_variables_have_a_standard_and_a_local_part(estate: Estate) -> None:
    variables = estate.design().get_variables()
    assert variables["standard"] == {"offer_threshold": 0.5, "horizon_days": 30}
    assert variables["local"] == {}


def test_tags_and_timeline(estate: Estate) -> None:
    project = estate.design()
    assert set(project.get_tags()["tags"]) == {"batch", "marketing"}
    timeline = project.get_timeline(5)
    assert timeline["createdBy"]["login"] == "olga"
    assert timeline["items"][0]["action"] == "COMMIT"


def test_the_head_commit_changes_exactly_when_the_content_does(fresh: Estate) -> None:
    git = fresh.design().get_project_git()
    first = git.log()["entries"][0]["commitId"]
    assert git.log()["entries"][0]["commitId"] == first
    fresh.control.apply_revision("CHURN", "v2")
    assert git.log()["entries"][0]["commitId"] != first
    assert git.get_current_branch() == "master"
    assert git.get_status()["clean"] is True


def test_recipes_come_with_their_code(estate: Estate) -> None:
    project = estate.design()
    kinds = {recipe["name"]: recipe["type"] for recipe in project.list_recipes()}
    assert kinds == {"prepare_features": "python", "score_customers": "python", "select_offers": "sql_query"}
    assert "import dataiku" in project.get_recipe("score_customers").get_settings().get_code()
    with pytest.warns(DeprecationWarning, match="get_settings"):  # the direct pipeline reads code this way
        old_way = project.get_recipe("select_offers").get_definition_and_payload()
    assert old_way.get_payload().startswith("SELECT")
    inputs = project.get_recipe("score_customers").get_settings().get_flat_input_refs()
    assert inputs == ["churn_features", "churn-rf"]


def test_recipe_code_can_be_changed(fresh: Estate) -> None:
    settings = fresh.design("CHURN", "dev").get_recipe("prepare_features").get_settings()
    settings.set_code("print('changed')\n")
    settings.save()
    assert fresh.design().get_recipe("prepare_features").get_settings().get_code() == "print('changed')\n"


def test_an_unknown_recipe_is_404(estate: Estate) -> None:
    with pytest.raises(DataikuException, match="Recipe nope does not exist"):
        estate.design().get_recipe("nope").get_settings()


def test_the_wiki_is_read_by_id_and_by_name(estate: Estate) -> None:
    wiki = estate.design().get_wiki()
    articles = {
        article.get_data().get_name(): article.get_data().get_body() for article in wiki.list_articles()
    }
    assert set(articles) == {"Home", "Intended use"}
    assert "retention offer" in articles["Intended use"]
    assert wiki.get_article("Intended use").get_data().article_data["article"]["id"] == "2"


def test_an_article_can_be_added(fresh: Estate) -> None:
    wiki = fresh.design("CHURN", "olga").get_wiki()
    wiki.create_article("Limits", content="Not for refusals.")
    assert wiki.get_article("Limits").get_data().get_body() == "Not for refusals."


def test_flow_documentation_is_a_word_file(estate: Estate) -> None:
    flow = estate.design().get_flow()
    export = flow.generate_documentation().wait_for_result()
    with flow.download_documentation_stream(export) as stream:
        assert stream.content[:2] == b"PK"


def test_projects_can_be_created_and_deleted_by_administrators(fresh: Estate) -> None:
    client = fresh.client("design")
    client.create_project("SCRATCH", "Scratch", owner="dev")
    assert client.get_project("SCRATCH").get_summary()["ownerLogin"] == "dev"
    with pytest.raises(DataikuException, match="already exists"):
        client.create_project("SCRATCH", "Scratch", owner="dev")
    client.get_project("SCRATCH").delete()
    assert "SCRATCH" not in client.list_project_keys()


def test_rights_on_objects_can_be_asked(estate: Estate) -> None:
    check = estate.client("design", "viewer").new_permission_check()
    answer = check.with_item("PROJECT", "CHURN", "CHURN").execute_raw()
    assert (answer["items"][0]["read"], answer["items"][0]["write"]) == (True, False)
