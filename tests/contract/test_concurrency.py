"""Many callers at once: nobody waits for somebody's upload, nothing happens twice, no answer is lost."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import requests
from dataikuapi.utils import DataikuException

from tests.contract.conftest import Estate, until

WORKERS = 8


def _all_at_once(calls: list[Callable[[], Any]]) -> Counter[str]:
    """Run the calls from as many threads; how many were done and how many refused."""
    gate = threading.Barrier(len(calls))

    def one(call: Callable[[], Any]) -> str:
        gate.wait()
        try:
            call()
        except DataikuException:
            return "refused"
        return "done"

    with ThreadPoolExecutor(len(calls)) as pool:
        return Counter(pool.map(one, calls))


def _start_update(deployer: Any) -> None:
    deployer.get_deployment("D").start_update()


def test_one_of_many_exports_of_the_same_id_wins(fresh: Estate) -> None:
    projects = [fresh.design() for _ in range(WORKERS)]
    ended = _all_at_once([partial(project.export_bundle, "b1") for project in projects])
    assert ended == {"done": 1, "refused": WORKERS - 1}
    assert fresh.control.count("exports", "design/CHURN/b1") == 1


@pytest.mark.parametrize("what", ["create", "update"])
def test_one_of_many_actions_on_the_same_deployment_wins(fresh: Estate, what: str) -> None:
    fresh.publish("b1")
    fresh.control.set_durations(update=400)
    deployers = [fresh.deployer() for _ in range(WORKERS)]
    calls: list[Callable[[], Any]]
    if what == "create":
        calls = [
            partial(deployer.create_deployment, "D", "CHURN", "qa-automation", "b1") for deployer in deployers
        ]
    else:
        deployers[0].create_deployment("D", "CHURN", "qa-automation", "b1")
        calls = [partial(_start_update, deployer) for deployer in deployers]
    assert _all_at_once(calls) == {"done": 1, "refused": WORKERS - 1}
    assert fresh.control.count("deployments_created" if what == "create" else "updates", "D") == 1


def test_an_effect_that_many_wait_for_happens_once(fresh: Estate) -> None:
    fresh.publish("b1")
    deployment = fresh.deployer().create_deployment("D", "CHURN", "qa-automation", "b1")
    deployment.start_update()
    watchers = [fresh.deployer().get_deployment("D") for _ in range(WORKERS)]

    def healthy(watcher: Any) -> None:
        until(lambda: watcher.get_status().get_health() == "HEALTHY")

    assert _all_at_once([partial(healthy, watcher) for watcher in watchers]) == {"done": WORKERS}
    assert fresh.control.count("activations", "qa/CHURN/b1") == 1
    assert fresh.control.count("updates_finished", "D") == 1


def test_a_slow_upload_stops_nobody(fresh: Estate) -> None:
    url = fresh.url("deployer") + "/dip/publicapi/project-deployer/projects/bundles"
    key = fresh.sandbox.key("deployer", "countersign")
    listed = threading.Event()
    problem: list[str] = []

    def slowly() -> Any:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n\r\nPK'
        if not listed.wait(5):
            problem.append("the list did not come while the upload was going on")
        yield b"\r\n--x--\r\n"

    def upload() -> int:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        return requests.post(url, data=slowly(), headers=headers, auth=(key, ""), timeout=10).status_code

    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(upload)
        fresh.client("deployer").list_projects()
        listed.set()
        assert sent.result() == 400
    assert problem == []


def test_rows_are_streamed_to_several_readers(fresh: Estate) -> None:
    fresh.control.set_rows(5000)
    datasets = [fresh.design().get_dataset("churn_scored") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda dataset: list(dataset.iter_rows()), datasets))
    assert all(rows == read[0] for rows in read)
    assert len(read[0]) == 5000
