"""A sandbox killed at any instant goes on where it was: same port, same keys, no effect lost or doubled."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from dataikuapi.utils import DataikuException

from portal.dss.sandbox.launch import Sandbox
from tests.contract.conftest import PACE, Estate, over, until

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """A sandbox of this module's own, since it gets killed."""
    with Sandbox(tmp_path_factory.mktemp("killed"), pace=PACE) as sandbox:
        yield Estate(sandbox)


@pytest.fixture
def estate_to_kill(own: Estate) -> Estate:
    """The same, founded again."""
    own.sandbox.start()
    return own.fresh()


def test_port_and_keys_survive(estate_to_kill: Estate) -> None:
    before = (dict(estate_to_kill.sandbox.nodes), dict(estate_to_kill.sandbox.keys))
    estate_to_kill.sandbox.restart()
    assert (estate_to_kill.sandbox.nodes, estate_to_kill.sandbox.keys) == before


def test_a_restart_takes_a_moment(estate_to_kill: Estate) -> None:
    estate_to_kill.sandbox.kill()
    started = time.monotonic()
    estate_to_kill.sandbox.start()
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("dead_for", [0.0, 0.4], ids=["before it ends", "while it ends"])
def test_a_running_update_goes_on(estate_to_kill: Estate, dead_for: float) -> None:
    estate_to_kill.publish("b1")
    estate_to_kill.control.set_durations(update=350)
    deployment = estate_to_kill.deployer().create_deployment("D", "CHURN", "qa-automation", "b1")
    future = deployment.start_update()
    estate_to_kill.sandbox.kill()
    time.sleep(dead_for)
    estate_to_kill.sandbox.start()
    state = over(future)
    assert state["hasResult"] is True
    assert state["runningTime"] == pytest.approx(350, abs=5)
    assert deployment.get_status().get_health() == "HEALTHY"
    assert estate_to_kill.control.count("activations", "qa/CHURN/b1") == 1
    assert estate_to_kill.control.count("updates_finished", "D") == 1


def test_a_running_scenario_goes_on(estate_to_kill: Estate) -> None:
    estate_to_kill.publish("b1")
    estate_to_kill.deploy("b1")
    estate_to_kill.control.set_durations(scenario=300, scenario_start=0)
    fire = estate_to_kill.on("qa").get_scenario("TEST_SMOKE").run()
    run = until(fire.get_scenario_run)
    estate_to_kill.sandbox.restart()

    def ended() -> bool:
        run.refresh()
        return not run.running

    until(ended)
    assert run.outcome == "SUCCESS"
    assert estate_to_kill.control.count("runs_finished", "qa/CHURN/TEST_SMOKE") == 1


def test_state_faults_and_counters_survive(estate_to_kill: Estate) -> None:
    estate_to_kill.publish("b1", "v2")
    estate_to_kill.deploy("b1")
    estate_to_kill.control.fault("status", node="prod", message="Down")
    counters = estate_to_kill.control.counters()
    estate_to_kill.sandbox.restart()
    assert estate_to_kill.control.counters() == counters
    assert estate_to_kill.deployer().get_deployment("CHURN-on-qa").get_status().get_health() == "HEALTHY"
    with pytest.raises(DataikuException, match="Down"):
        estate_to_kill.client("prod").list_projects()
    assert estate_to_kill.client("prod").list_projects() == []


def _story(estate: Estate) -> None:
    """Export, publish, create and update, each looking first, as the portal does."""
    project, deployer = estate.design(), estate.deployer()
    if not project.list_exported_bundles()["bundles"]:
        project.export_bundle("b1")
    if not deployer.list_projects():
        project.publish_bundle("b1")
    if not deployer.list_deployments():
        deployer.create_deployment("D", "CHURN", "qa-automation", "b1")
    deployment = deployer.get_deployment("D")
    if deployment.get_status().get_health() == "UNKNOWN" and not deployment.list_updates():
        deployment.start_update()
    until(lambda: deployment.get_status().get_health() == "HEALTHY", 5)


def test_killed_at_random_instants_no_effect_is_doubled(estate_to_kill: Estate, full_size: bool) -> None:
    chance = random.Random(2026)
    for _ in range(40 if full_size else 6):
        estate_to_kill.sandbox.start()
        estate_to_kill.fresh()
        victim: Any = estate_to_kill.sandbox.pid
        killer = subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"import os, time; time.sleep({chance.uniform(0.0, 0.08)}); os.kill({victim}, {int(signal.SIGKILL)})",
            ]
        )
        with contextlib.suppress(requests.RequestException, DataikuException):
            _story(estate_to_kill)
        killer.wait()
        estate_to_kill.sandbox.restart()
        _story(estate_to_kill)
        counters = estate_to_kill.control.counters()
        for effect in (
            "exports",
            "publishes",
            "deployments_created",
            "updates",
            "updates_finished",
            "activations",
        ):
            assert list(counters[effect].values()) == [1], (effect, counters)


def test_half_an_upload_leaves_nothing(estate_to_kill: Estate) -> None:
    url = estate_to_kill.url("deployer") + "/dip/publicapi/project-deployer/projects/bundles"
    key = estate_to_kill.sandbox.key("deployer", "countersign")

    def slowly() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n\r\nPK'
        estate_to_kill.sandbox.kill()
        yield b"more"

    with pytest.raises(requests.RequestException):
        requests.post(
            url,
            data=slowly(),
            headers={"Content-Type": "multipart/form-data; boundary=x"},
            auth=(key, ""),
            timeout=10,
        )
    estate_to_kill.sandbox.start()
    assert estate_to_kill.deployer().list_projects() == []
    assert list((estate_to_kill.sandbox.data_dir / "incoming").iterdir()) == []


def test_the_sandbox_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from portal.dss.sandbox.launch import Sandbox\n"
        "sandbox = Sandbox(sys.argv[1], pace=0.02).start()\n"
        "print(sandbox.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "data")],
        cwd=root,
        capture_output=True,
        check=False,
        timeout=20,
    )
    pid = int(done.stdout)

    def gone() -> bool:
        # A zombie whose new parent has not reaped it yet is gone too.
        stat = Path(f"/proc/{pid}/stat")
        try:
            return stat.read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    until(gone)


def test_another_port_can_be_chosen(tmp_path: Path, own: Estate) -> None:
    taken = int(own.sandbox.nodes["design"].url.rpartition(":")[2].partition("/")[0])
    with Sandbox(tmp_path / "data", pace=PACE, port=taken - 1 if taken > 20_000 else taken + 1) as sandbox:
        assert f":{sandbox.port}/" in sandbox.nodes["design"].url


def test_a_port_in_use_is_told(tmp_path: Path, own: Estate) -> None:
    own.sandbox.start()
    taken = int(own.sandbox.nodes["design"].url.rpartition(":")[2].partition("/")[0])
    with pytest.raises(RuntimeError, match="did not start"):
        Sandbox(tmp_path / "data", port=taken).start()
    assert os.path.exists(tmp_path / "data" / "sandbox.log")
