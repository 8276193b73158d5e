"""Bundles straight on an Automation node: create a project, import, preload, activate."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from dataikuapi.utils import DataikuException

from tests.contract.conftest import Estate, read, run_over


@pytest.fixture
def archives(fresh: Estate, tmp_path: Path) -> dict[str, Path]:
    """Archives of churn v1 and v2 on disk."""
    found = {}
    for bundle in ("v1", "v2"):
        fresh.control.apply_revision("CHURN", bundle)
        fresh.design().export_bundle(bundle)
        found[bundle] = tmp_path / f"{bundle}.zip"
        found[bundle].write_bytes(read(fresh.design().get_exported_bundle_archive_stream(bundle)))
    return found


def _create(estate: Estate, archive: Path) -> Any:
    with archive.open("rb") as source:
        estate.client("qa").create_project_from_bundle_archive(source)
    return estate.on("qa")


def test_a_project_made_from_an_archive_has_no_active_bundle(
    fresh: Estate, archives: dict[str, Path]
) -> None:
    project = _create(fresh, archives["v1"])
    assert [item["bundleId"] for item in project.list_imported_bundles()["bundles"]] == ["v1"]
    assert "activeBundleState" not in project.get_summary()


def test_a_project_is_made_only_once(fresh: Estate, archives: dict[str, Path]) -> None:
    _create(fresh, archives["v1"])
    with pytest.raises(DataikuException, match="already exists"):
        _create(fresh, archives["v2"])


def test_a_project_can_be_made_from_a_file_on_the_server(fresh: Estate, archives: dict[str, Path]) -> None:
    fresh.client("qa").create_project_from_bundle_local_archive(str(archives["v1"]))
    assert fresh.client("qa").list_project_keys() == ["CHURN"]


def test_the_last_imported_bundle_is_the_newest(fresh: Estate, archives: dict[str, Path]) -> None:
    project = _create(fresh, archives["v2"])
    with archives["v1"].open("rb") as source:
        project.import_bundle_from_stream(source)
    assert project.list_imported_bundles()["bundles"][-1]["bundleId"] == "v1"


def test_an_import_from_a_file_on_the_server(fresh: Estate, archives: dict[str, Path]) -> None:
    project = _create(fresh, archives["v1"])
    project.import_bundle_from_archive(str(archives["v2"]))
    assert len(project.list_imported_bundles()["bundles"]) == 2


def test_the_same_bundle_is_not_imported_twice(fresh: Estate, archives: dict[str, Path]) -> None:
    project = _create(fresh, archives["v1"])
    with archives["v1"].open("rb") as source, pytest.raises(DataikuException, match="already imported"):
        project.import_bundle_from_stream(source)
    assert fresh.control.count("imports", "qa/CHURN/v1") == 1


def test_activation_answers_a_finished_future_with_messages(fresh: Estate, archives: dict[str, Path]) -> None:
    project = _create(fresh, archives["v1"])
    assert project.preload_bundle("v1")["success"] is True
    answer = project.activate_bundle("v1")
    assert (answer["hasResult"], answer["alive"], answer["aborted"]) == (True, False, False)
    assert (answer["result"]["success"], answer["result"]["error"]) == (True, False)
    assert project.get_summary()["activeBundleState"]["bundleId"] == "v1"


def test_going_back_is_activating_the_older_bundle(fresh: Estate, archives: dict[str, Path]) -> None:
    project = _create(fresh, archives["v1"])
    project.import_bundle_from_archive(str(archives["v2"]))
    for bundle in ("v1", "v2", "v1"):
        project.activate_bundle(bundle)
        assert project.get_summary()["activeBundleState"]["bundleId"] == bundle
    assert fresh.control.count("activations", "qa/CHURN/v1") == 2


def test_a_missing_connection_is_fatal_inside_a_200(fresh: Estate, archives: dict[str, Path]) -> None:
    fresh.control.set_connection("qa", "warehouse", None)
    project = _create(fresh, archives["v1"])
    result = project.activate_bundle("v1")["result"]
    assert (result["success"], result["error"], result["fatal"]) == (False, True, True)
    assert result["messages"][0]["code"] == "ERR_BUNDLE_ACTIVATE_MISSING_CONNECTION"
    assert "activeBundleState" not in project.get_summary()


def test_preloading_builds_a_missing_code_environment(fresh: Estate, archives: dict[str, Path]) -> None:
    fresh.control.set_code_env("qa", "churn-env", False)
    project = _create(fresh, archives["v1"])
    assert project.activate_bundle("v1")["result"]["warning"] is True
    project.preload_bundle("v1")
    assert "churn-env" in {env["envName"] for env in fresh.client("qa").list_code_envs()}
    assert project.activate_bundle("v1")["result"]["warning"] is False


def test_scenarios_are_switched_on_request_and_keep_their_state(
    fresh: Estate, archives: dict[str, Path]
) -> None:
    project = _create(fresh, archives["v1"])
    project.import_bundle_from_archive(str(archives["v2"]))
    project.activate_bundle("v1", scenarios_to_enable={"BUILD_ALL": False})
    assert project.get_scenario("BUILD_ALL").get_settings().active is False
    project.activate_bundle("v2")
    assert project.get_scenario("BUILD_ALL").get_settings().active is False


def test_the_active_bundle_cannot_be_deleted_another_can(fresh: Estate, archives: dict[str, Path]) -> None:
    project = _create(fresh, archives["v1"])
    project.import_bundle_from_archive(str(archives["v2"]))
    project.activate_bundle("v1")
    with pytest.raises(DataikuException, match="is active"):
        project.delete_imported_bundle("v1")
    project.delete_imported_bundle("v2")
    assert len(project.list_imported_bundles()["bundles"]) == 1


def test_unknown_bundles_are_404(fresh: Estate, archives: dict[str, Path]) -> None:
    project = _create(fresh, archives["v1"])
    for call in (project.activate_bundle, project.preload_bundle, project.delete_imported_bundle):
        with pytest.raises(DataikuException, match="Bundle v9 does not exist"):
            call("v9")


def _truncated(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def _flipped(whole: bytes) -> bytes:
    # Inside the first member's compressed data, so that its checksum is wrong.
    return whole[:120] + bytes([whole[120] ^ 0xFF]) + whole[121:]


def _empty_zip(_: bytes) -> bytes:
    out = io.BytesIO()
    zipfile.ZipFile(out, "w").close()
    return out.getvalue()


@pytest.mark.parametrize("spoil", [_truncated, _flipped, _empty_zip, lambda _: b"not a zip"])
def test_damaged_archives_are_refused(fresh: Estate, archives: dict[str, Path], spoil: Any) -> None:
    spoilt = io.BytesIO(spoil(archives["v1"].read_bytes()))
    with pytest.raises(DataikuException, match="ERR_PROJECT_INVALID_ARCHIVE"):
        fresh.client("qa").create_project_from_bundle_archive(spoilt)
    assert fresh.client("qa").list_project_keys() == []


def test_an_archive_of_another_project_is_refused(
    fresh: Estate, archives: dict[str, Path], tmp_path: Path
) -> None:
    _create(fresh, archives["v1"])
    fresh.design("FRAUD").export_bundle("f1")
    other = tmp_path / "f1.zip"
    other.write_bytes(read(fresh.design("FRAUD").get_exported_bundle_archive_stream("f1")))
    with pytest.raises(DataikuException, match="ERR_PROJECT_INVALID_PROJECT_KEY"):
        fresh.on("qa").import_bundle_from_archive(str(other))


def test_plain_keys_may_not_import_or_activate(fresh: Estate, archives: dict[str, Path]) -> None:
    _create(fresh, archives["v1"])
    project = fresh.client("qa", "olga").get_project("CHURN")
    with pytest.raises(DataikuException, match="forbidden"):
        project.activate_bundle("v1")
    with archives["v2"].open("rb") as source, pytest.raises(DataikuException, match="administrator"):
        fresh.client("qa", "olga").create_project_from_bundle_archive(source)


def test_what_runs_is_what_the_bundle_says(fresh: Estate, archives: dict[str, Path]) -> None:
    project = _create(fresh, archives["v1"])
    project.activate_bundle("v1")
    assert '"gender"' in project.get_recipe("score_customers").get_settings().get_code()
    project.import_bundle_from_archive(str(archives["v2"]))
    project.activate_bundle("v2")
    assert '"gender"' not in project.get_recipe("score_customers").get_settings().get_code()
    assert run_over(project.get_scenario("TEST_SMOKE")).outcome == "SUCCESS"


def test_design_nodes_import_nothing(fresh: Estate, archives: dict[str, Path]) -> None:
    with pytest.raises(DataikuException, match="not available on a design node"):
        fresh.design().activate_bundle("v1")
