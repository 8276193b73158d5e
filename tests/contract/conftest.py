"""One sandbox process for the whole contract suite, and what its tests share.

Everything here goes through the unmodified `dataikuapi` client; raw requests are for what the client cannot send.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import dataikuapi
import pytest

from portal.dss.sandbox.control import Control
from portal.dss.sandbox.launch import Sandbox

PACE = 0.02
_PATIENCE_SECONDS = 10.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is the contract suite."""
    for item in items:
        if "tests/contract/" in item.nodeid or item.nodeid.startswith("contract/"):
            item.add_marker(pytest.mark.contract)


class Estate:
    """A running sandbox as tests see it: clients by node and login, and the control API."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    @property
    def control(self) -> Control:
        """The control API."""
        return self.sandbox.control

    def url(self, node: str) -> str:
        """Host of a node."""
        return self.sandbox.nodes[node].url

    def client(self, node: str, login: str = "countersign") -> Any:
        """A client with the key of an account."""
        return dataikuapi.DSSClient(self.url(node), self.sandbox.key(node, login))

    def deployer(self, login: str = "countersign") -> Any:
        """The Project Deployer with the key of an account."""
        return self.client("deployer", login).get_projectdeployer()

    def design(self, project: str = "CHURN", login: str = "countersign") -> Any:
        """A project of the Design node."""
        return self.client("design", login).get_project(project)

    def fresh(self) -> "Estate":
        """Found the estate again: no bundle, deployment, run, fault or counter is left."""
        self.control.reset()
        return self

    def publish(self, bundle: str, revision: str = "", project: str = "CHURN") -> None:
        """Export the project (at a revision) as a bundle and publish it."""
        if revision:
            self.control.apply_revision(project, revision)
        self.design(project).export_bundle(bundle)
        self.design(project).publish_bundle(bundle)

    def deploy(self, bundle: str, node: str = "qa", project: str = "CHURN") -> Any:
        """Point the node's deployment at a published bundle (created if missing) and update it."""
        id = f"{project}-on-{node}"
        deployer = self.deployer()
        if any(found.id == id for found in deployer.list_deployments()):
            deployment = deployer.get_deployment(id)
            settings = deployment.get_settings()
            settings.get_raw()["bundleId"] = bundle
            settings.save()
        else:
            deployment = deployer.create_deployment(id, project, f"{node}-automation", bundle)
        over(deployment.start_update())
        return deployment

    def on(self, node: str, project: str = "CHURN") -> Any:
        """A project of an Automation node."""
        return self.client(node).get_project(project)


def until(true: Callable[[], Any], patience: float = _PATIENCE_SECONDS) -> Any:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + patience
    while True:
        answer = true()
        if answer:
            return answer
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.004)


def over(future: Any) -> Any:
    """Poll a future to its end and return its last state."""

    def ended() -> Any:
        state = future.get_state()
        return None if state["alive"] else state

    return until(ended)


def run_over(scenario: Any) -> Any:
    """Run a scenario to its end and return the run."""
    fire = scenario.run()
    run = until(lambda: fire.get_scenario_run())

    def ended() -> Any:
        run.refresh()
        return not run.running

    until(ended)
    return run


def read(response: Any) -> bytes:
    """The whole body of a streamed response, closed."""
    with response:
        body: bytes = response.content
        return body


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The suite's sandbox."""
    with Sandbox(tmp_path_factory.mktemp("sandbox"), pace=PACE) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def estate(sandbox_process: Sandbox) -> Estate:
    """The estate, fresh for each module; `estate.fresh()` makes it so within one."""
    return Estate(sandbox_process).fresh()


@pytest.fixture
def fresh(estate: Estate) -> Estate:
    """The estate, fresh for this test."""
    return estate.fresh()
