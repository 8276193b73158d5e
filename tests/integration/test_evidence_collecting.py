"""Collecting evidence against the sandbox DSS: kills, trouble on the way, and what DSS never computed."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from governance import queries
from governance.actions import evidence
from governance.gate import judge
from governance.models import Collection, Document, Evidence
from portal import content, lease, ledger
from portal.demo import cast
from portal.dss.client import Dss
from portal.dss.values import Build, ScenarioRun
from portal.errors import Refused
from portal.event_kinds import EventKind
from portal.models import Node, Person
from tests.pages import signed_in, words
from tests.world import World

WHAT = ("fairness", "explainability", "model-documentation")


class Killed(BaseException):
    """SIGKILL."""


@pytest.fixture
def there(world: World) -> World:
    """v2 runs in QA, under the demo's policy."""
    world.began("v2", "qa")
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
        ("explainability", "start_partial_dependences"),
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
    # Tests, what the bundle holds, and this.
    assert kinds.count(EventKind.EVIDENCE_RECORDED) + kinds.count(EventKind.DOCUMENT_RECORDED) == 3
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


def test_rows_without_end_are_given_up_at_once(there: World, settings: Any) -> None:
    settings.DSS_STREAM_MB = 0.001
    failed = collect(ask(there, "fairness"))
    assert (failed.status, failed.attempts) == ("failed", 0)
    assert "more than the limit of 0.001 MB" in failed.problem


def test_who_lost_the_lease_leaves_it_to_the_other(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask(there, "fairness")
    with monkeypatch.context() as patch:
        patch.setattr(lease, "_renew", lambda held, _over: setattr(held, "lost", True))
        left = collect(asked)
    assert (left.status, left.problem) == ("asked", "")
    assert recorded("fairness") == 0
    assert collect(asked).status == "done"


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


# --- rows of an older model ---


def run_over(world: World, scenario: str) -> None:
    """Run a scenario in QA as somebody in DSS would."""
    with world.dss("qa") as dss:
        fire = dss.run_scenario("CHURN", scenario)
        for _ in range(400):
            run = dss.run_of_fire("CHURN", scenario, fire)
            if isinstance(run, ScenarioRun) and run.is_over:
                assert run.outcome == "SUCCESS"
                return
            time.sleep(0.005)
    raise TimeoutError(scenario)


def built_at(monkeypatch: pytest.MonkeyPatch, moment: int | None, succeeded: bool | None = True) -> None:
    monkeypatch.setattr(Dss, "dataset_build", lambda *_asked: Build(moment, succeeded))


def test_when_the_rows_were_built_is_kept_and_is_not_what_they_say(there: World) -> None:
    first = collect(ask(there, "fairness"))
    run_over(there, "TEST_SCORING")
    second = collect(ask(there, "fairness"))
    assert (first.status, second.status) == ("done", "done")
    newer, older = Evidence.objects.filter(kind="fairness")
    assert newer.source["built_at"] > older.source["built_at"]
    assert newer.digest == older.digest


def test_rows_built_before_the_bundle_was_tested_are_refused(
    there: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = Evidence.objects.get(kind="tests")
    began = min(run["started_ms"] for run in json.loads(content.get(tests.result_id))["runs"])
    with monkeypatch.context() as patch:
        built_at(patch, began - 1)
        failed = collect(ask(there, "fairness"))
    assert failed.status == "failed"
    assert "was last built at" in failed.problem
    assert f"before {failed.bundle.bundle_id} was active there" in failed.problem
    assert recorded("fairness") == 0
    told = next(e for e in ledger.events(project="CHURN") if e.kind == EventKind.COLLECTION_FAILED)
    assert told.facts["code"] == "dataset_stale"
    built_at(monkeypatch, began)
    assert collect(ask(there, "fairness")).status == "done"


def test_activating_a_bundle_again_does_not_make_its_rows(there: World) -> None:
    """Another bundle's tests had the rows scored, and the rollback runs none."""
    asked = ask(there, "fairness")
    there.control.fault("scenario_outcome", scenario="TEST_SMOKE", node="qa", outcome="FAILED")
    failing = there.run(there.promote(there.bundle("v4"), "qa"))
    rollback = there.rollback_of(failing)
    assert rollback is not None
    assert rollback.status == "succeeded", rollback.reason
    failed = collect(asked)
    assert (failed.status, "was last built at" in failed.problem) == ("failed", True), failed.problem
    run_over(there, "TEST_DRIFT")
    asked = evidence.ask_collection(
        by=there.dev, bundle=failed.bundle, lane=there.lane("qa"), what="fairness"
    )
    assert collect(asked).status == "failed", "that scenario builds nothing"
    run_over(there, "BUILD_ALL")
    asked = evidence.ask_collection(
        by=there.dev, bundle=failed.bundle, lane=there.lane("qa"), what="fairness"
    )
    assert collect(asked).status == "done"


@pytest.mark.parametrize(("minutes", "status"), [(-6, "failed"), (-4, "done")])
def test_without_tests_the_registration_is_the_limit(
    there: World, monkeypatch: pytest.MonkeyPatch, minutes: int, status: str
) -> None:
    Evidence.objects.filter(kind="tests").delete()
    asked = ask(there, "fairness")
    assert asked.bundle.registered_at is not None
    moment = asked.bundle.registered_at + timedelta(minutes=minutes)
    built_at(monkeypatch, int(moment.timestamp() * 1000))
    assert collect(asked).status == status


def test_tests_on_another_node_say_nothing_of_this_ones_clock(
    there: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = Evidence.objects.get(kind="tests")
    began = min(run["started_ms"] for run in json.loads(content.get(tests.result_id))["runs"])
    Evidence.objects.filter(pk=tests.pk).update(source={**tests.source, "node": "prod"})
    built_at(monkeypatch, began - 1)
    assert collect(ask(there, "fairness")).status == "done"


def test_a_build_that_failed_is_refused(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    built_at(monkeypatch, int(timezone.now().timestamp() * 1000), succeeded=False)
    failed = collect(ask(there, "fairness"))
    assert failed.status == "failed"
    assert "last build of dataset churn_scored in QA failed" in failed.problem


def test_a_dss_that_does_not_tell_the_build_is_trusted(there: World) -> None:
    there.control.fault("status", node="qa", path="/info/?$", status=403, times=9)
    done = collect(ask(there, "fairness"))
    assert done.status == "done", done.problem
    assert Evidence.objects.get(kind="fairness").source["built_at"] is None


# --- project standards, and the sign-off in Govern --------------------------------------------------------------------


@pytest.fixture
def asks_dss(there: World) -> World:
    """v2 runs in QA; production asks for DSS's project standards and for Govern's word."""
    source = cast.POLICY.read_text().replace(
        "          - soak: {at: qa, for: 2s}",
        "          - soak: {at: qa, for: 2s}\n          - project_standards: {max_severity: low}\n"
        "          - govern: {max_age: 30d}",
    )
    assert "govern" in source
    there.publish(source)
    return there


def result_of(what: str) -> Any:
    return json.loads(content.get(Evidence.objects.filter(kind=what).latest("pk").result_id))


def found_by_gate(world: World, key: str) -> str:
    case = queries.case_for(
        bundle=world.project.bundles.get(), lane=world.lane("prod"), requested_by=None, running=()
    )
    (finding,) = [one for one in judge(case).findings if one.key == key]
    return finding.code


def test_project_standards_are_read_of_the_very_bundle(asks_dss: World) -> None:
    done = collect(ask(asks_dss, "project_standards"))
    assert done.status == "done", done.problem
    assert {one["id"] for one in result_of("project_standards")["checks"]} >= {"TESTED", "DOCUMENTED"}
    assert found_by_gate(asks_dss, "project_standards") == "standards_kept"
    asks_dss.control.set_standards("CHURN", "TESTED", 5)
    collect(ask(asks_dss, "project_standards"))
    assert found_by_gate(asks_dss, "project_standards") == "standards_broken"
    asks_dss.control.set_standards("CHURN", none=True)
    failed = collect(ask(asks_dss, "project_standards"))
    assert failed.status == "failed"
    assert "no project standards report" in failed.problem


def test_govern_says_whether_it_is_approved(asks_dss: World) -> None:
    bundle = asks_dss.project.bundles.get().bundle_id
    said = []
    for number in range(3):  # others, so that the right one is found among them
        asks_dss.control.set_governance("CHURN", f"other-{number}", True)
        asks_dss.control.set_governance("FRAUD", bundle, True)
    for approved in ("none", None, False, True):
        if approved != "none":
            asks_dss.control.set_governance("CHURN", bundle, approved)  # type: ignore[arg-type]
        assert collect(ask(asks_dss, "govern")).status == "done"
        said.append(found_by_gate(asks_dss, "govern"))
    assert said == ["govern_unknown", "govern_not_approved", "govern_not_approved", "govern_approved"]
    rows = ledger.events(kinds=[EventKind.EVIDENCE_RECORDED])
    row = [one for one in rows if one.facts["evidence"] == "govern"][-1]
    assert row.facts["source"] == {"node": "govern", "blueprint": "bp.system.govern_bundle"}


def test_the_estate_has_one_govern_node_or_it_is_said(asks_dss: World) -> None:
    (node,) = Node.objects.filter(kind="govern")
    Node.objects.create(slug="second", name="Second", kind="govern", url=node.url, key_name=node.key_name)
    assert "several Govern nodes" in collect(ask(asks_dss, "govern")).problem
    Node.objects.filter(kind="govern").delete()
    assert "no Govern node" in collect(ask(asks_dss, "govern")).problem


def test_a_govern_that_does_not_answer_cannot_be_told(asks_dss: World) -> None:
    asks_dss.control.set_governance("CHURN", asks_dss.project.bundles.get().bundle_id, True)
    asks_dss.control.fault("status", node="govern", status=503, times=1000)
    done = collect(ask(asks_dss, "govern"))
    assert done.status == "done"
    assert found_by_gate(asks_dss, "govern") == "govern_unknown"
    asks_dss.control.clear_faults()
    collect(ask(asks_dss, "govern"))
    assert found_by_gate(asks_dss, "govern") == "govern_approved"


def test_pages_offer_it_and_show_it(asks_dss: World) -> None:
    bundle = asks_dss.project.bundles.get().bundle_id
    asks_dss.control.set_governance("CHURN", bundle, True)
    client, path = signed_in(asks_dss.dev), f"/projects/CHURN/bundles/{bundle}/"
    page = client.get(path).content.decode()
    assert 'value="govern"' in page
    assert 'value="project_standards"' in page
    for what in ("project_standards", "govern"):
        collect(ask(asks_dss, what))
    page = words(client.get(path))
    assert "Project standards of DSS" in page
    assert "Sign-off in Dataiku Govern" in page
    assert "review approved" in page


PROXIES = "proxies: {of: [gender], max: 0.3}"


@pytest.fixture
def asked_for_proxies(there: World) -> World:
    text = cast.POLICY.read_text()
    assert "top: 10, forbid: [gender]}" in text
    there.publish(text.replace("top: 10, forbid: [gender]}", f"top: 10, forbid: [gender], {PROXIES}}}"))
    return there


def of_model() -> dict[str, Any]:
    row = Evidence.objects.filter(kind="explainability").latest("pk")
    return dict(json.loads(content.get(row.result_id)))


def test_curves_and_what_dss_tells_of_the_model_come_with_the_importance(there: World) -> None:
    assert collect(ask(there, "explainability")).status == "done"
    result = of_model()
    first = [one["feature"] for one in result["features"][:6]]
    assert {curve["feature"] for curve in result["dependence"]} == set(first)
    assert all(2 <= len(curve["points"]) <= 60 for curve in result["dependence"])
    assert result["model"]["algorithm"] == "LOGISTIC_REGRESSION"
    assert result["model"]["metrics"]["auc"] > 0.5
    assert "associations" not in result  # nobody asked
    assert "data" not in Evidence.objects.get(kind="explainability").parts


def test_without_partial_dependences_there_is_importance_all_the_same(
    there: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_here(*args: Any, **named: Any) -> Any:
        raise Refused("Not for this engine.", code="no")

    monkeypatch.setattr(Dss, "start_partial_dependences", not_here)
    assert collect(ask(there, "explainability")).status == "done"
    result = of_model()
    assert "dependence" not in result
    assert result["features"]


def test_associations_are_counted_from_the_scored_rows(asked_for_proxies: World) -> None:
    done = collect(ask(asked_for_proxies, "explainability"))
    assert done.status == "done", done.problem
    told = of_model()["associations"]
    assert told["n"] > 1000
    assert told["rows"]
    assert all(0 <= row["interval"][0] <= row["value"] <= row["interval"][1] <= 1 for row in told["rows"])
    row = Evidence.objects.get(kind="explainability")
    assert {"data", "flow", "models"} <= set(row.parts)
    assert row.source["dataset"] == "churn_scored"


@pytest.mark.parametrize("code", ["dataset_stale", "dataset_build_failed"])
def test_rows_of_another_model_are_not_counted(
    asked_for_proxies: World, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    build = Build(started_ms=1, succeeded=code == "dataset_stale")
    monkeypatch.setattr(Dss, "dataset_build", lambda *args: build)
    assert collect(ask(asked_for_proxies, "explainability")).status == "done"
    assert of_model()["associations"] == {"reason": code}


def test_without_a_scored_dataset_the_importance_stands(asked_for_proxies: World) -> None:
    type(asked_for_proxies.project).objects.update(scored_dataset="")
    assert collect(ask(asked_for_proxies, "explainability")).status == "done"
    assert of_model()["associations"] == {"reason": "no_dataset"}
