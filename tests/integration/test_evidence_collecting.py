"""Collecting evidence against the sandbox DSS: kills, trouble on the way, and what DSS never computed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from governance.actions import evidence
from governance.models import Collection, Document, Evidence
from portal import ledger
from portal.demo import cast
from portal.dss.client import Dss
from portal.event_kinds import EventKind
from portal.models import Person
from tests.world import World

WHAT = ("fairness", "explainability", "model-documentation")


class Killed(BaseException):
    """SIGKILL."""


@pytest.fixture
def there(world: World) -> World:
    """v2 runs in QA, under the demo's policy."""
    world.promoted("v2", "qa")
    world.publish(cast.POLICY.read_text())
    type(world.project).objects.filter(pk=world.project.pk).update(policy="demo-policy", tier="critical")
    return world


def ask(world: World, what: str) -> Collection:
    bundle = world.project.bundles.get()
    return evidence.ask_collection(by=world.dev, bundle=bundle, lane=world.lane("qa"), what=what)


def collect(asked: Collection, until: Callable[[], bool] = lambda: False) -> Collection:
    """As the task and then the sweep do it, its pauses not waited out."""
    for _ in range(400):
        Collection.objects.filter(pk=asked.pk, lease_until__isnull=False).update(
            lease_until=timezone.now() - timedelta(seconds=1)
        )
        again = evidence.collect(by=Person.objects.system(), collection_pk=asked.pk)
        if again is None or until():
            break
    return Collection.objects.get(pk=asked.pk)


def recorded(what: str) -> int:
    if what == "model-documentation":
        return Document.objects.filter(kind=what).count()
    return Evidence.objects.filter(kind=what).count()


@pytest.mark.parametrize("what", WHAT)
def test_collected(there: World, what: str) -> None:
    done = collect(ask(there, what))
    assert done.status == "done", done.problem
    assert recorded(what) == 1


@pytest.mark.parametrize("after", [True, False], ids=["after the act", "before it"])
@pytest.mark.parametrize(
    ("what", "at"),
    [
        ("fairness", "active_bundle"),
        ("fairness", "iter_rows"),
        ("explainability", "start_feature_importance"),
        ("explainability", "start_subpopulations"),
        ("model-documentation", "start_model_documentation"),
        ("model-documentation", "open_documentation"),
    ],
)
def test_killed_it_is_recorded_once(
    there: World, monkeypatch: pytest.MonkeyPatch, what: str, at: str, after: bool
) -> None:
    asked = ask(there, what)
    real = getattr(Dss, at)

    def killed(*args: Any, **named: Any) -> Any:
        if after:
            real(*args, **named)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Dss, at, killed)
        with pytest.raises(Killed):
            collect(asked)
    done = collect(asked)
    assert done.status == "done", done.problem
    assert recorded(what) == 1
    kinds = [entry.kind for entry in ledger.events(project="CHURN")]
    assert kinds.count(EventKind.EVIDENCE_RECORDED) + kinds.count(EventKind.DOCUMENT_RECORDED) == 2  # tests
    analyses = there.control.counters().get("analyses", {})
    assert all(times == 1 for times in analyses.values()), "computed once, although its id was lost"


@pytest.mark.parametrize(
    "trouble",
    [
        {"kind": "drop_before"},
        {"kind": "drop_after"},
        {"kind": "status", "status": 503},
        {"kind": "not_json"},
    ],
    ids=lambda trouble: str(trouble["kind"]),
)
@pytest.mark.parametrize("what", WHAT)
def test_trouble_that_passes(there: World, what: str, trouble: dict[str, Any]) -> None:
    asked = ask(there, what)
    there.control.fault(node="qa", times=4, **trouble)
    done = collect(asked)
    assert done.status == "done", done.problem
    assert recorded(what) == 1


def test_rows_that_break_off_are_counted_anew(there: World) -> None:
    asked = ask(there, "fairness")
    there.control.fault("truncate", node="qa", path="/data/?$", keep=0.5)
    done = collect(asked)
    assert done.status == "done"


def test_a_node_that_stays_away(there: World) -> None:
    asked = ask(there, "fairness")
    there.sandbox.kill()
    failed = collect(asked)
    assert failed.status == "failed"
    assert "could not be reached" in failed.problem


def test_our_own_error_ends_it_in_words(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask(there, "fairness")

    def broken(*_args: Any, **_named: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setitem(evidence._COLLECTORS, "fairness", broken)
    failed = collect(asked)
    assert (failed.status, failed.problem) == ("failed", evidence.BROKE)


def test_a_computation_that_fails(there: World) -> None:
    asked = ask(there, "explainability")
    there.control.fault("future_fails", node="qa", message="no memory")
    failed = collect(asked)
    assert failed.status == "failed"
    assert "no memory" in failed.problem


def test_another_bundle_runs_there(there: World) -> None:
    asked = ask(there, "fairness")
    there.promoted("v4", "qa")
    failed = collect(asked)
    assert failed.status == "failed"
    assert "not " + asked.bundle.bundle_id in failed.problem
