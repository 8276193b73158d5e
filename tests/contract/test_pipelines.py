"""Dataiku's published pipelines, as calls and as a real script, run against the sandbox as against a DSS."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dataikuapi.utils import DataikuException

from portal.dss.sandbox.launch import Sandbox
from tests.contract import pipelines
from tests.contract.conftest import PACE, Estate

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """An estate whose Design node answers the Deployer's endpoints, as the samples expect."""
    with Sandbox(tmp_path_factory.mktemp("pipelines"), pace=PACE, design_deployer=True) as sandbox:
        yield Estate(sandbox)


@pytest.fixture
def site(both: Estate) -> Estate:
    """The same, founded again."""
    return both.fresh()


def test_stage_one_finds_the_tests(site: Estate) -> None:
    tests = pipelines.validate(site.client("design"), "CHURN")
    assert tests == ["TEST_DATA_QUALITY", "TEST_DRIFT", "TEST_SCORING", "TEST_SMOKE"]


def test_stage_one_refuses_a_project_without_tests(site: Estate) -> None:
    site.client("design").create_project("BARE", "Bare", owner="dev")
    with pytest.raises(pipelines.StageFailed, match="TEST_SMOKE"):
        pipelines.validate(site.client("design"), "BARE")


def test_stage_one_refuses_a_long_recipe(site: Estate) -> None:
    settings = site.design().get_recipe("prepare_features").get_settings()
    settings.set_code("x = 1\n" * 120)
    settings.save()
    with pytest.raises(pipelines.StageFailed, match="prepare_features"):
        pipelines.validate(site.client("design"), "CHURN")


def test_stage_two_leaves_an_archive(site: Estate, tmp_path: Path) -> None:
    archive = pipelines.package(site.client("design"), "CHURN", "bundle_1", tmp_path, publish=True)
    assert archive.read_bytes()[:2] == b"PK"
    assert [found.id for found in site.deployer().list_projects()] == ["CHURN"]


def test_the_deployer_answers_on_the_design_node_with_the_same_state(site: Estate, tmp_path: Path) -> None:
    design = site.client("design")
    pipelines.package(design, "CHURN", "bundle_1", tmp_path, publish=True)
    design.get_projectdeployer().create_deployment("D", "CHURN", "qa-automation", "bundle_1")
    assert [found.id for found in site.deployer().list_deployments()] == ["D"]


def test_the_deployer_pipeline_from_end_to_end(site: Estate, tmp_path: Path) -> None:
    design, qa, prod = (site.client(node) for node in ("design", "qa", "prod"))
    pipelines.validate(design, "CHURN")
    pipelines.package(design, "CHURN", "bundle_1", tmp_path, publish=True)
    assert pipelines.deploy(design, "CHURN", "bundle_1", "qa-automation") == "HEALTHY"
    assert len(pipelines.run_tests(qa, "CHURN")) == 4
    assert pipelines.to_production(design, prod, "CHURN", "bundle_1", "prod-automation") == pipelines.DONE
    assert site.on("prod").get_summary()["activeBundleState"]["bundleId"] == "bundle_1"


def test_the_deployer_pipeline_goes_back_when_the_smoke_test_fails(site: Estate, tmp_path: Path) -> None:
    design, prod = site.client("design"), site.client("prod")
    outcomes = []
    for revision in ("v2", "v3"):
        site.control.apply_revision("CHURN", revision)
        pipelines.package(design, "CHURN", revision, tmp_path, publish=True)
        outcomes.append(pipelines.to_production(design, prod, "CHURN", revision, "prod-automation"))
    assert outcomes == [pipelines.DONE, pipelines.ROLLED_BACK]
    assert site.on("prod").get_summary()["activeBundleState"]["bundleId"] == "v2"
    updates = site.deployer().get_deployment("CHURN-on-prod-automation").list_updates()
    assert [update.get_raw()["bundleId"] for update in updates] == ["v2", "v3", "v2"]


def test_a_first_deployment_has_nothing_to_go_back_to(site: Estate, tmp_path: Path) -> None:
    site.control.apply_revision("CHURN", "v3")
    pipelines.package(site.client("design"), "CHURN", "v3", tmp_path, publish=True)
    left = pipelines.to_production(
        site.client("design"), site.client("prod"), "CHURN", "v3", "prod-automation"
    )
    assert left == pipelines.FAILED


def test_a_failed_deployment_stops_the_pipeline(site: Estate, tmp_path: Path) -> None:
    pipelines.package(site.client("design"), "CHURN", "bundle_1", tmp_path, publish=True)
    site.control.set_connection("qa", "warehouse", None)
    with pytest.raises(pipelines.StageFailed, match="ERROR"):
        pipelines.deploy(site.client("design"), "CHURN", "bundle_1", "qa-automation")


def test_the_direct_pipeline_from_end_to_end(site: Estate, tmp_path: Path) -> None:
    design, qa, prod = (site.client(node) for node in ("design", "qa", "prod"))
    archive = pipelines.package(design, "CHURN", "bundle_1", tmp_path, publish=False)
    assert pipelines.import_directly(qa, "CHURN", archive) == "bundle_1"
    assert set(pipelines.run_tests(qa, "CHURN").values()) == {"SUCCESS"}
    assert pipelines.activate_in_production(prod, "CHURN", archive) == pipelines.DONE
    assert site.deployer().list_projects() == []


def test_the_direct_pipeline_goes_back_when_the_smoke_test_fails(site: Estate, tmp_path: Path) -> None:
    design, prod = site.client("design"), site.client("prod")
    outcomes = []
    for revision in ("v2", "v3"):
        site.control.apply_revision("CHURN", revision)
        archive = pipelines.package(design, "CHURN", revision, tmp_path, publish=False)
        outcomes.append(pipelines.activate_in_production(prod, "CHURN", archive))
    assert outcomes == [pipelines.DONE, pipelines.ROLLED_BACK]
    assert site.on("prod").get_summary()["activeBundleState"]["bundleId"] == "v2"


def test_the_samples_own_smoke_test_leaves_by_an_exception(site: Estate, tmp_path: Path) -> None:
    # As published: run_and_wait() without no_fail raises before any rollback could happen.
    site.control.apply_revision("CHURN", "v3")
    archive = pipelines.package(site.client("design"), "CHURN", "v3", tmp_path, publish=False)
    pipelines.import_directly(site.client("prod"), "CHURN", archive)
    with pytest.raises(DataikuException, match="FAILED"):
        site.on("prod").get_scenario("TEST_SMOKE").run_and_wait()


@pytest.mark.parametrize(("revision", "code"), [("v2", pipelines.DONE), ("v3", pipelines.FAILED)])
def test_the_script_ends_with_the_right_exit_code(
    site: Estate, tmp_path: Path, revision: str, code: int
) -> None:
    site.control.apply_revision("CHURN", revision)
    pipelines.package(site.client("design"), "CHURN", revision, tmp_path, publish=True)
    arguments = ["deployer", site.url("design"), "DESIGN_KEY", "CHURN", revision, "prod-automation"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.contract.pipelines", *arguments, site.url("prod"), "PROD_KEY"],
        cwd=ROOT,
        env={
            **os.environ,
            "DESIGN_KEY": site.sandbox.key("design", "countersign"),
            "PROD_KEY": site.sandbox.key("prod", "countersign"),
        },
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == code, done.stderr
    assert site.on("prod").get_summary()["activeBundleState"]["bundleId"] == revision
