"""The calls of Dataiku's published pipelines, stage by stage, in scripts of our own.

Two ways to production: through the Project Deployer (asked on the Design node, as the samples do) and bundle by bundle
straight to the Automation nodes. Where the samples are known to be wrong (a rollback that is never reached, a loop
variable that hides the project key, bundle ids that do not sort) this does what they mean. Also a script:
`python -m tests.contract.pipelines deployer HOST KEY PROJECT BUNDLE INFRA AUTOMATION_HOST AUTOMATION_KEY`, keys being
names of environment variables. Exit codes: 0 in production, 1 failed, 2 rolled back.
"""

import os
import sys
from pathlib import Path
from typing import Any

import dataikuapi
from dataikuapi.utils import DataikuException

SMOKE = "TEST_SMOKE"
MAX_LINES = 100
DONE, FAILED, ROLLED_BACK = 0, 1, 2


class StageFailed(Exception):
    """A stage of the pipeline said no."""


def validate(design: Any, project_key: str) -> list[str]:
    """Stage 1, on Design: tests exist, and every Python recipe is short. Returns the test scenarios' ids."""
    project = design.get_project(project_key)
    tests = [item["id"] for item in project.list_scenarios() if item["id"].startswith("TEST")]
    if not tests or SMOKE not in tests:
        raise StageFailed(f"{project_key} needs scenarios named TEST..., one of them {SMOKE}")
    for recipe in project.list_recipes():
        if recipe["type"] == "python":
            code = project.get_recipe(recipe["name"]).get_settings().get_code()
            if len(code.splitlines()) >= MAX_LINES:
                raise StageFailed(f"Recipe {recipe['name']} has {MAX_LINES} lines or more")
    return tests


def package(design: Any, project_key: str, bundle: str, folder: Path, *, publish: bool) -> Path:
    """Stage 2: export, publish (Deployer pipelines only), download the archive to a working folder."""
    project = design.get_project(project_key)
    project.export_bundle(bundle)
    if publish:
        project.publish_bundle(bundle)
    archive = folder / f"{bundle}.zip"
    project.download_exported_bundle_archive_to_file(bundle, str(archive))
    return archive


def run_tests(automation: Any, project_key: str) -> dict[str, str]:
    """Stage 3b: every scenario named TEST... one after the other, each must succeed."""
    project = automation.get_project(project_key)
    outcomes = {}
    for item in project.list_scenarios():
        if item["id"].startswith("TEST"):
            run = project.get_scenario(item["id"]).run_and_wait(no_fail=True)
            outcomes[item["id"]] = run.outcome
    if set(outcomes.values()) != {"SUCCESS"}:
        raise StageFailed(f"Tests failed: {outcomes}")
    return outcomes


def smoke(automation: Any, project_key: str) -> bool:
    """Whether the smoke test succeeds on the node."""
    scenario = automation.get_project(project_key).get_scenario(SMOKE)
    return bool(scenario.run_and_wait(no_fail=True).outcome == "SUCCESS")


# ---------------------------------------------------------------------------------------------- with a Deployer


def _point_at(deployer: Any, project_key: str, bundle: str, infra: str) -> tuple[Any, str | None]:
    """(deployment, bundle before) after pointing the infrastructure's deployment at the bundle."""
    deployments = deployer.get_project(project_key).get_status().get_deployments(infra)
    if not deployments:
        id = f"{project_key}-on-{infra}"
        return deployer.create_deployment(id, project_key, infra, bundle), None
    deployment = deployments[0]
    settings = deployment.get_settings()
    before = settings.get_raw()["bundleId"]
    settings.get_raw()["bundleId"] = bundle
    settings.save()
    return deployment, before


def _update(deployment: Any) -> str:
    update = deployment.start_update()
    update.get_state()
    update.wait_for_result()
    update.get_result()
    return str(deployment.get_status().get_health())


def deploy(design: Any, project_key: str, bundle: str, infra: str) -> str:
    """Stage 3a with a Deployer: deploy to an infrastructure; returns the health."""
    deployment, _ = _point_at(design.get_projectdeployer(), project_key, bundle, infra)
    health = _update(deployment)
    if health == "ERROR":
        raise StageFailed(f"Health of {deployment.id} is {health}")
    return health


def to_production(design: Any, automation: Any, project_key: str, bundle: str, infra: str) -> int:
    """Stage 4 with a Deployer: deploy, smoke test, and back to the old bundle when it fails."""
    deployment, before = _point_at(design.get_projectdeployer(), project_key, bundle, infra)
    if _update(deployment) != "ERROR" and smoke(automation, project_key):
        return DONE
    if before is None:
        return FAILED
    settings = deployment.get_settings()
    settings.get_raw()["bundleId"] = before
    settings.save()
    return ROLLED_BACK if _update(deployment) == "HEALTHY" else FAILED


# ------------------------------------------------------------------------------------------- without a Deployer


def import_directly(automation: Any, project_key: str, archive: Path) -> str:
    """Stage 3a without a Deployer: import (making the project when it is new), preload and activate the newest."""
    with archive.open("rb") as source:
        if project_key in automation.list_project_keys():
            automation.get_project(project_key).import_bundle_from_stream(source)
        else:
            automation.create_project_from_bundle_archive(source)
    project = automation.get_project(project_key)
    newest = project.list_imported_bundles()["bundles"][-1]["bundleId"]
    project.preload_bundle(newest)
    _activate(project, newest)
    return str(newest)


def _activate(project: Any, bundle: str) -> None:
    if project.activate_bundle(bundle)["result"]["error"]:
        raise StageFailed(f"Bundle {bundle} could not be activated")


def _active(automation: Any, project_key: str) -> str | None:
    for found in automation.list_projects():
        if found["projectKey"] == project_key:
            return (found.get("activeBundleState") or {}).get("bundleId")
    return None


def activate_in_production(automation: Any, project_key: str, archive: Path) -> int:
    """Stage 4 without a Deployer: import, activate, smoke test, and back to the bundle before when it fails."""
    before = _active(automation, project_key)
    import_directly(automation, project_key, archive)
    if smoke(automation, project_key):
        return DONE
    if before is None:
        return FAILED
    _activate(automation.get_project(project_key), before)
    return ROLLED_BACK


def main(arguments: list[str]) -> int:
    """The last stage of the Deployer pipeline as a script."""
    way, host, key, project_key, bundle, infra, automation_host, automation_key = arguments
    if way != "deployer":
        return FAILED
    design = dataikuapi.DSSClient(host, os.environ[key])
    automation = dataikuapi.DSSClient(automation_host, os.environ[automation_key])
    try:
        validate(design, project_key)
        return to_production(design, automation, project_key, bundle, infra)
    except (StageFailed, DataikuException) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
