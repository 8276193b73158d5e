"""Bundles on the Design node: export, list, download, publish; and what is in the archive."""

import hashlib
import io
import json
import zipfile
from typing import Any

import pytest
from dataikuapi.utils import DataikuException

from tests.contract.conftest import Estate, read


def _archive(estate: Estate, bundle: str, project: str = "CHURN") -> zipfile.ZipFile:
    stream = estate.design(project).get_exported_bundle_archive_stream(bundle)
    return zipfile.ZipFile(io.BytesIO(read(stream)))


def _members(archive: zipfile.ZipFile) -> dict[str, bytes]:
    return {name: archive.read(name) for name in archive.namelist()}


def test_an_export_is_listed_with_its_manifest(fresh: Estate) -> None:
    project = fresh.design()
    assert project.list_exported_bundles() == {"bundles": []}
    project.export_bundle("b1", release_notes="first")
    item = project.list_exported_bundles()["bundles"][0]
    assert item["bundleId"] == "b1"
    assert item["exportManifest"]["exportedBy"] == "countersign"
    assert item["exportManifest"]["releaseNotes"] == "first"


def test_the_author_is_the_person_who_exported(fresh: Estate) -> None:
    fresh.design("CHURN", "dev").export_bundle("by-key")
    as_olga = fresh.client("design").get_user("olga").get_client_as()
    as_olga.get_project("CHURN").export_bundle("by-proxy")
    authors = {
        item["bundleId"]: item["exportManifest"]["exportedBy"]
        for item in fresh.design().list_exported_bundles()["bundles"]
    }
    assert authors == {"by-key": "dev", "by-proxy": "olga"}


def test_an_id_is_taken_only_once(fresh: Estate) -> None:
    project = fresh.design()
    project.export_bundle("b1")
    with pytest.raises(DataikuException, match="already exists"):
        project.export_bundle("b1")
    assert fresh.control.count("exports", "design/CHURN/b1") == 1


def test_an_id_with_other_characters_is_refused(fresh: Estate) -> None:
    with pytest.raises(DataikuException, match="characters"):
        fresh.design().export_bundle("a b")


@pytest.mark.parametrize("login", ["viewer", "otto", "priya"])
def test_exporting_needs_the_right_to_write(fresh: Estate, login: str) -> None:
    with pytest.raises(DataikuException, match="writeProjectContent"):
        fresh.design("CHURN", login).export_bundle("b1")


def test_an_exported_bundle_can_be_deleted(fresh: Estate) -> None:
    project = fresh.design()
    project.export_bundle("b1")
    project.delete_exported_bundle("b1")
    assert project.list_exported_bundles() == {"bundles": []}
    with pytest.raises(DataikuException, match="Bundle b1 does not exist"):
        project.delete_exported_bundle("b1")


def test_the_archive_has_the_documented_members(fresh: Estate) -> None:
    fresh.design().export_bundle("b1")
    names = set(_archive(fresh, "b1").namelist())
    assert {
        "export-manifest.json",
        "project_config/params.json",
        "project_config/variables.json",
        "project_config/recipes/score_customers.json",
        "project_config/recipes/score_customers.py",
        "project_config/recipes/select_offers.sql",
        "project_config/datasets/churn_scored.json",
        "project_config/scenarios/TEST_SMOKE.json",
        "project_config/dashboards/offers.json",
        "project_config/insights/by_age.json",
        "project_config/wiki/articles/2.md",
        "project_config/lib/python/churn_checks.py",
        "project_config/saved_models/churn-rf.json",
        "saved_models/churn-rf/versions/1785744000000/rsplits.json",
        "saved_models/churn-rf/versions/1785744000000/core_params.json",
        "saved_models/churn-rf/versions/1785744000000/perf.json",
        "saved_models/churn-rf/versions/1785744000000/model.bin",
        "managed_datasets/offer_reasons/data.csv",
        "managed_folders/terms/offer-terms.md",
    } <= names


def test_the_manifest_in_the_archive_names_project_and_bundle(fresh: Estate) -> None:
    fresh.design("FRAUD").export_bundle("f1")
    manifest = json.loads(_archive(fresh, "f1", "FRAUD").read("export-manifest.json"))
    assert (manifest["projectKey"], manifest["bundleId"]) == ("FRAUD", "f1")
    assert manifest["exportedOn"] > 1_700_000_000_000
    assert manifest["dssVersion"] == "14.2.0"


def test_two_exports_differ_only_in_what_dss_rewrites(fresh: Estate) -> None:
    fresh.design("CHURN", "dev").export_bundle("b1")
    fresh.design("CHURN", "olga").export_bundle("b2")
    first, second = _members(_archive(fresh, "b1")), _members(_archive(fresh, "b2"))
    assert first.keys() == second.keys()
    assert {name for name in first if first[name] != second[name]} == {
        "export-manifest.json",
        "project_config/params.json",
    }
    one, other = (json.loads(found["project_config/params.json"]) for found in (first, second))
    assert one["versionTag"].pop("lastModifiedOn") != other["versionTag"].pop("lastModifiedOn")
    assert one == other
    one, other = (json.loads(found["export-manifest.json"]) for found in (first, second))
    assert {name for name in one if one[name] != other[name]} == {
        "bundleId",
        "exportedBy",
        "exportedOn",
        "exportUUID",
    }


def test_a_download_is_the_same_bytes_each_time(fresh: Estate, tmp_path: Any) -> None:
    project = fresh.design()
    project.export_bundle("b1")
    streamed = read(project.get_exported_bundle_archive_stream("b1"))
    project.download_exported_bundle_archive_to_file("b1", str(tmp_path / "b1.zip"))
    assert hashlib.sha256(streamed).digest() == hashlib.sha256((tmp_path / "b1.zip").read_bytes()).digest()


def test_local_variables_do_not_travel(fresh: Estate) -> None:
    project = fresh.design()
    project.set_variables({"standard": {"a": 1}, "local": {"password_hint": "x"}})
    project.export_bundle("b1")
    body = b"".join(_members(_archive(fresh, "b1")).values())
    assert b"password_hint" not in body
    assert json.loads(_archive(fresh, "b1").read("project_config/variables.json")) == {"standard": {"a": 1}}


def test_a_bundle_is_the_state_at_export_not_at_download(fresh: Estate) -> None:
    fresh.design().export_bundle("b1")
    fresh.control.apply_revision("CHURN", "v2")
    code = _archive(fresh, "b1").read("project_config/recipes/score_customers.py").decode()
    assert '"gender"' in code


def test_publishing_creates_the_published_project(fresh: Estate) -> None:
    project = fresh.design()
    project.export_bundle("b1")
    state = project.publish_bundle("b1")
    assert state["publishedProjectKey"] == "CHURN"
    assert state["publishedBy"] == "countersign"
    status = fresh.deployer().get_project("CHURN").get_status()
    assert [bundle["id"] for bundle in status.get_bundles()] == ["b1"]
    assert status.get_bundles()[0]["designNodeInfo"]["nodeId"] == "design"


def test_publishing_under_another_key(fresh: Estate) -> None:
    project = fresh.design()
    project.export_bundle("b1")
    assert project.publish_bundle("b1", "CHURN_EU")["publishedProjectKey"] == "CHURN_EU"
    assert [found.id for found in fresh.deployer().list_projects()] == ["CHURN_EU"]


def test_publishing_twice_is_refused(fresh: Estate) -> None:
    fresh.publish("b1")
    with pytest.raises(DataikuException, match="already exists in published project"):
        fresh.design().publish_bundle("b1")


def test_publishing_what_was_not_exported_is_404(fresh: Estate) -> None:
    with pytest.raises(DataikuException, match="Bundle b9 does not exist"):
        fresh.design().publish_bundle("b9")


def test_archives_of_any_size_can_be_made(fresh: Estate) -> None:
    fresh.control.set_ballast(3_000_000)
    fresh.design().export_bundle("large")
    archive = _archive(fresh, "large")
    assert archive.getinfo("managed_folders/ballast/ballast.bin").file_size == 3_000_000
    assert archive.testzip() is None
