"""The adapter against the sandbox DSS: the calls of a whole promotion, and what goes wrong on the way."""

import hashlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from portal.dss.client import Dss
from portal.dss.errors import (
    BadAnswer,
    Conflict,
    DssFault,
    Missing,
    NotAllowed,
    NotAuthenticated,
    Unreachable,
)
from portal.dss.manifest import HashingReader, Manifest, ManifestError, changed_parts, diff, read_manifest
from portal.dss.polling import poll_until
from portal.dss.sandbox.launch import Sandbox
from portal.dss.values import CANCELLED, FutureState, ScenarioRun, TriggerFire

names = (f"bundle-{number}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox"), pace=0.02) as running:
        yield running


@pytest.fixture(autouse=True)
def calm(sandbox: Sandbox) -> None:
    sandbox.control.clear_faults()


def connect(sandbox: Sandbox, name: str, login: str = "countersign", read_timeout: float = 60) -> Dss:
    url = sandbox.nodes[name].url
    return Dss(url=url, key=sandbox.key(name, login), node=name, read_timeout=read_timeout)


@pytest.fixture
def design(sandbox: Sandbox) -> Iterator[Dss]:
    with connect(sandbox, "design") as dss:
        yield dss


@pytest.fixture
def deployer(sandbox: Sandbox) -> Iterator[Dss]:
    with connect(sandbox, "deployer") as dss:
        yield dss


@pytest.fixture
def qa(sandbox: Sandbox) -> Iterator[Dss]:
    with connect(sandbox, "qa") as dss:
        yield dss


def fetch(design: Dss, bundle: str, target: IO[bytes], project: str = "CHURN") -> Manifest:
    with design.open_bundle(project, bundle) as stream:
        reader = HashingReader(stream)
        reader.copy_to(target)
    found = read_manifest(target)
    assert (found.archive_sha256, found.size) == (reader.sha256, reader.size)
    return found


def export(sandbox: Sandbox, design: Dss, revision: str, project: str = "CHURN") -> tuple[str, Manifest]:
    sandbox.control.apply_revision(project, revision)
    name = next(names)
    design.export_bundle(project, name, f"notes of {revision}")
    with tempfile.SpooledTemporaryFile() as target:
        return name, fetch(design, name, target, project)


def publish(design: Dss, deployer: Dss, bundle: str, project: str = "CHURN") -> None:
    with tempfile.SpooledTemporaryFile() as target:
        fetch(design, bundle, target, project)
        target.seek(0)
        reader = HashingReader(target)
        deployer.upload_bundle(project, reader)
    with deployer.open_published_bundle(project, bundle) as stream:
        copy = HashingReader(stream)
        for _ in copy:
            pass
    assert copy.sha256 == reader.sha256


def end(dss: Dss, job: str) -> FutureState:
    def look() -> FutureState | None:
        state = dss.future(job)
        return state if state.is_over else None

    return poll_until(look, timeout=20)


def run_to_its_end(dss: Dss, project: str, scenario: str) -> ScenarioRun:
    fire = dss.run_scenario(project, scenario)
    stored = TriggerFire(fire.trigger_id, fire.run_id)

    def started() -> ScenarioRun | None:
        found = dss.run_of_fire(project, scenario, stored)
        assert found is not CANCELLED
        return found

    run = poll_until(started, timeout=20)

    def over() -> ScenarioRun | None:
        found = dss.scenario_run(project, scenario, run.run_id)
        return found if found.is_over else None

    return poll_until(over, timeout=20)


# --- Who is there -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, kind",
    [("design", "design"), ("deployer", "deployer"), ("qa", "automation"), ("prod", "automation")],
)
def test_each_node_can_be_tried_out(sandbox: Sandbox, name: str, kind: str) -> None:
    with connect(sandbox, name) as dss:
        found = dss.check_connection()
    assert found.problems == ()
    assert found.usable
    assert found.instance is not None
    assert found.instance.kind == kind
    assert found.instance.version
    assert found.who is not None
    assert found.clock_skew_s is not None
    assert abs(found.clock_skew_s) <= 2
    if name == "deployer":
        assert {(infra.id, infra.can_deploy) for infra in found.infras} == {
            ("qa-automation", True),
            ("prod-automation", True),
        }


def test_a_wrong_key(sandbox: Sandbox) -> None:
    with Dss(url=sandbox.nodes["design"].url + "/", key="wrong-key", node="design") as dss:
        found = dss.check_connection()
        assert (found.reachable, found.authenticated) == (True, False)
        with pytest.raises(NotAuthenticated) as caught:
            dss.list_projects()
    assert "wrong-key" not in caught.value.sentence


def test_an_empty_key(sandbox: Sandbox) -> None:
    with (
        Dss(url=sandbox.nodes["design"].url, key="", node="design") as dss,
        pytest.raises(NotAuthenticated),
    ):
        dss.whoami()


def test_people_projects_and_what_they_need(design: Dss) -> None:
    assert {"CHURN", "FRAUD", "MAINT"} <= {project.key for project in design.list_projects()}
    churn = design.project("CHURN")
    assert churn.owner_login == "olga"
    permissions = design.project_permissions("CHURN")
    assert permissions.owner == "olga"
    assert any(entry.group == "churn-team" for entry in permissions.entries)
    assert {"olga", "dev", "mona"} <= {user.login for user in design.list_users()}
    assert "churn-team" in {group.name for group in design.list_groups()}
    assert "warehouse" in design.connection_names()
    assert "churn-env" in {env.name for env in design.code_envs()}
    design.audit("countersign-test", {"request": 1})


def test_a_plain_user_sees_less(sandbox: Sandbox) -> None:
    with connect(sandbox, "design", "olga") as dss:
        assert {"olga"} <= {user.login for user in dss.list_users()}
        assert "FRAUD" not in {project.key for project in dss.list_projects()}
        with pytest.raises(NotAllowed):
            dss.audit("countersign-test", {})
        with pytest.raises((NotAllowed, Missing)):
            dss.project("FRAUD")


def test_recipes_and_their_code(design: Dss) -> None:
    recipes = {recipe.name: recipe for recipe in design.recipes("CHURN")}
    score = recipes["score_customers"]
    assert score.type == "python"
    assert "churn_scored" in score.outputs
    code = design.recipe_code("CHURN", "score_customers")
    assert code is not None
    assert "\n" in code
    with pytest.raises(Missing):
        design.recipe_code("CHURN", "no_such_recipe")


# --- Bundles ----------------------------------------------------------------------------------------------------


def test_two_exports_of_one_state_have_equal_parts(sandbox: Sandbox, design: Dss) -> None:
    first, one = export(sandbox, design, "v2")
    with connect(sandbox, "design", "olga") as olga:
        second, two = export(sandbox, olga, "v2")
    assert one.archive_sha256 != two.archive_sha256
    assert one.parts == two.parts
    assert diff(one, two).is_empty
    assert (one.export["bundleId"], two.export["bundleId"]) == (first, second)
    assert one.export["exportedBy"] != two.export["exportedBy"] == "olga"
    listed = {bundle.bundle_id: bundle for bundle in design.list_bundles("CHURN")}
    assert listed[second].exported_by == "olga"
    assert listed[second].exported_on


def test_nothing_of_the_demo_project_is_unknown(sandbox: Sandbox, design: Dss) -> None:
    _, found = export(sandbox, design, "v1")
    assert [member.path for member in found.members if member.part == "other"] == []
    assert {member.part for member in found.members} == {
        "data",
        "flow",
        "models",
        "automation",
        "presentation",
        "settings",
    }


@pytest.mark.parametrize("new, parts", [("v4", ("presentation",)), ("v5", ("models",))])
def test_what_changed_since_v2(sandbox: Sandbox, design: Dss, new: str, parts: tuple[str, ...]) -> None:
    _, old = export(sandbox, design, "v2")
    _, now = export(sandbox, design, new)
    assert set(parts) <= set(changed_parts(old.parts, now.parts))
    assert "settings" not in changed_parts(old.parts, now.parts), "another save is not another setting"
    if new == "v4":
        assert changed_parts(old.parts, now.parts) == parts, "sign-offs on everything else carry over"


def test_a_name_can_be_used_once(sandbox: Sandbox, design: Dss) -> None:
    name, _ = export(sandbox, design, "v1")
    with pytest.raises(Conflict):
        design.export_bundle("CHURN", name)
    with pytest.raises(Missing):
        design.export_bundle("NOWHERE", name)
    with pytest.raises(Missing), design.open_bundle("CHURN", "no-such-bundle"):
        pytest.fail("not reached")


def test_an_export_whose_answer_is_lost_can_be_found(sandbox: Sandbox, design: Dss) -> None:
    name = next(names)
    sandbox.control.fault("drop_after", node="design", path=f"bundles/exported/{name}$")
    with pytest.raises(Unreachable) as caught:
        design.export_bundle("CHURN", name)
    assert caught.value.may_have_happened
    assert name in {bundle.bundle_id for bundle in design.list_bundles("CHURN")}


@pytest.mark.parametrize("honest", [True, False])
def test_a_truncated_archive_is_noticed(sandbox: Sandbox, design: Dss, honest: bool) -> None:
    name, _ = export(sandbox, design, "v1")
    sandbox.control.fault("truncate", node="design", path="archive$", keep=0.5, honest=honest)
    with tempfile.SpooledTemporaryFile() as target, pytest.raises((BadAnswer, ManifestError)) as caught:
        fetch(design, name, target)
    if honest:
        assert isinstance(caught.value, ManifestError)
        assert caught.value.code == "truncated"
    else:
        assert isinstance(caught.value, BadAnswer)


def test_a_corrupted_archive_is_noticed(sandbox: Sandbox, design: Dss) -> None:
    name, _ = export(sandbox, design, "v1")
    sandbox.control.fault("corrupt", node="design", path="archive$")
    with tempfile.SpooledTemporaryFile() as target, pytest.raises(ManifestError) as caught:
        fetch(design, name, target)
    assert caught.value.code in {"damaged", "hidden_data"}


def test_a_look_survives_a_dropped_connection(sandbox: Sandbox, design: Dss) -> None:
    sandbox.control.fault("drop_before", node="design", path="^/projects/CHURN$", times=2)
    assert design.project("CHURN").key == "CHURN"
    sandbox.control.fault("not_json", node="design", path="^/projects/CHURN$", times=2)
    assert design.project("CHURN").key == "CHURN"
    sandbox.control.fault("status", node="design", path="^/projects/CHURN$", status=500, message="broken")
    with pytest.raises(DssFault, match="broken"):
        design.project("CHURN")


def test_a_slow_node_is_given_up(sandbox: Sandbox) -> None:
    sandbox.control.fault("delay", node="design", path="^/auth/info$", ms=1500)
    with (
        connect(sandbox, "design", read_timeout=0.2) as dss,
        pytest.raises(Unreachable, match="no answer within"),
    ):
        dss.whoami()


# --- Promotion --------------------------------------------------------------------------------------------------


def test_the_whole_way_to_qa(sandbox: Sandbox, design: Dss, deployer: Dss, qa: Dss) -> None:
    assert deployer.published_bundles("MAINT") == []
    assert deployer.find_deployment("MAINT", "qa-automation") is None
    assert qa.active_bundle("MAINT") is None
    infra = deployer.infra("qa-automation")
    assert (infra.stage, infra.can_deploy) == ("QA", True)

    one, _ = export(sandbox, design, "v1", "MAINT")
    publish(design, deployer, one, "MAINT")
    assert deployer.published_bundles("MAINT") == [one]
    published = deployer.published_project("MAINT")
    assert published.can_deploy

    deployer.create_deployment("MAINT-on-qa", "MAINT", "qa-automation", one)
    with pytest.raises(Conflict):
        deployer.create_deployment("MAINT-on-qa", "MAINT", "qa-automation", one)
    found = deployer.find_deployment("MAINT", "qa-automation")
    assert found is not None
    assert (found.id, found.bundle_id, found.never_deployed) == ("MAINT-on-qa", one, True)
    assert deployer.deployment_settings(found.id).infra_id == "qa-automation"

    state = end(deployer, deployer.start_update(found.id))
    assert state.succeeded, state
    status = deployer.deployment_status(found.id)
    assert (status.health, status.bundle_id, status.never_deployed) == ("HEALTHY", one, False)
    [update] = deployer.updates(found.id)
    assert update.ended_ms is None or update.ended_ms >= update.started_ms
    assert deployer.update(found.id, update.started_ms).started_ms == update.started_ms
    assert qa.active_bundle("MAINT") == one
    assert qa.imported_bundles("MAINT") == [one]

    two, _ = export(sandbox, design, "v2", "MAINT")
    publish(design, deployer, two, "MAINT")
    assert deployer.set_deployment_bundle(found.id, two) is True
    assert deployer.set_deployment_bundle(found.id, two) is False
    assert deployer.deployment_status(found.id).health == "OUT_OF_SYNC"
    assert end(deployer, deployer.start_update(found.id)).succeeded
    assert qa.active_bundle("MAINT") == two
    assert set(qa.imported_bundles("MAINT")) == {one, two}
    assert len(deployer.updates(found.id)) == 2

    tests = [scenario.id for scenario in qa.test_scenarios("MAINT")]
    assert "TEST_SCORING" in tests
    assert qa.scenario_exists("MAINT", "TEST_SMOKE")
    assert not qa.scenario_exists("MAINT", "TEST_NOTHING")
    run = run_to_its_end(qa, "MAINT", "TEST_SCORING")
    assert run.outcome == "SUCCESS"
    assert run.steps
    assert run.started_ms
    assert run.ended_ms
    assert qa.last_runs("MAINT", "TEST_SCORING", 1)[0].run_id == run.run_id
    assert qa.testing_status("MAINT").ran == 1
    assert b"<testsuite" in qa.scenario_report_junit("MAINT")
    assert b"<html" in qa.scenario_report_html("MAINT").lower()

    assert deployer.set_deployment_bundle(found.id, two, enabled=False) is True
    assert deployer.deployment_settings(found.id).enabled is False


def test_a_failed_update_is_a_state(sandbox: Sandbox, design: Dss, deployer: Dss) -> None:
    name, _ = export(sandbox, design, "v1", "FRAUD")
    publish(design, deployer, name, "FRAUD")
    deployer.create_deployment("FRAUD-on-qa", "FRAUD", "qa-automation", name)
    for kind, states in (
        ("future_fails", {"failed"}),
        ("future_dead", {"failed"}),
        ("future_unknown", {"unknown"}),
        ("future_aborted", {"aborted"}),
    ):
        sandbox.control.fault(kind, deployment="FRAUD-on-qa")
        state = end(deployer, deployer.start_update("FRAUD-on-qa"))
        assert state.state in states, (kind, state)
        assert state.message
        sandbox.control.clear_faults()
    sandbox.control.fault("future_never_ends", deployment="FRAUD-on-qa")
    job = deployer.start_update("FRAUD-on-qa")
    assert deployer.future(job).state == "running"
    assert job in {future.job_id for future in deployer.running_futures()}
    with pytest.raises(Conflict):
        deployer.start_update("FRAUD-on-qa")
    deployer.abort_future(job)
    assert end(deployer, job).state == "aborted"
    assert deployer.future("noSuchTask").state == "unknown"
    deployer.abort_future("noSuchTask")
    sandbox.control.fault("activation_error", node="qa", project="FRAUD")
    job = deployer.start_update("FRAUD-on-qa")
    state = end(deployer, job)
    status = deployer.deployment_status("FRAUD-on-qa")
    assert state.has_error or status.health == "ERROR"


def test_an_update_that_nobody_may_start(sandbox: Sandbox, deployer: Dss) -> None:
    with connect(sandbox, "deployer", "olga") as olga:
        infra = olga.infra("prod-automation")
        assert infra.can_deploy is False
        problems = olga.check_connection().problems
        assert any("prod-automation" in problem for problem in problems)
        with pytest.raises((NotAllowed, Missing)):
            olga.create_deployment("X", "CHURN", "prod-automation", "any")
    with pytest.raises(Missing):
        deployer.infra("no-such-infra")
    with pytest.raises(Missing):
        deployer.deployment_settings("no-such-deployment")
    with pytest.raises(Missing):
        deployer.start_update("no-such-deployment")


def test_an_archive_that_is_none_is_refused(deployer: Dss, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(b"not a zip")
    with path.open("rb") as stream, pytest.raises(Exception) as caught:  # noqa: PT011
        deployer.upload_bundle("CHURN", stream)
    assert getattr(caught.value, "status", None) in (400, 500)


def test_a_cancelled_fire(sandbox: Sandbox, design: Dss) -> None:
    sandbox.control.fault("scenario_cancelled", node="design", scenario="TEST_SCORING")
    fire = design.run_scenario("CHURN", "TEST_SCORING")

    def look() -> object:
        return design.run_of_fire("CHURN", "TEST_SCORING", fire)

    assert poll_until(look, timeout=10) is CANCELLED


@pytest.mark.parametrize("outcome", ["WARNING", "FAILED", "ABORTED"])
def test_every_outcome_is_told(sandbox: Sandbox, design: Dss, outcome: str) -> None:
    sandbox.control.fault("scenario_outcome", node="design", scenario="TEST_SCORING", outcome=outcome)
    run = run_to_its_end(design, "CHURN", "TEST_SCORING")
    assert run.outcome == outcome


# --- Evidence ---------------------------------------------------------------------------------------------------


def test_rows_in_a_stream(sandbox: Sandbox, design: Dss) -> None:
    columns = design.dataset_columns("CHURN", "churn_scored")
    names = [column.name for column in columns]
    assert "prediction" in names
    sandbox.control.set_rows(20_000, project="CHURN", dataset="churn_scored")
    rows = list(design.iter_rows("CHURN", "churn_scored"))
    assert len(rows) == 20_000
    assert {len(row) for row in rows} == {len(columns)}
    at = names.index("prediction")
    assert [row[at] for row in rows] == [
        row[0] for row in design.iter_rows("CHURN", "churn_scored", ["prediction"])
    ]
    with pytest.raises(Missing):
        list(design.iter_rows("CHURN", "churn_scored", ["no_such_column"]))
    with pytest.raises(Missing):
        design.dataset_columns("CHURN", "no_such_dataset")


def test_when_a_dataset_was_built(sandbox: Sandbox, design: Dss) -> None:
    sandbox.control.apply_revision("CHURN", "v2")
    changed = design.dataset_build("CHURN", "churn_scored")
    run = run_to_its_end(design, "CHURN", "TEST_SCORING")
    built = design.dataset_build("CHURN", "churn_scored")
    assert changed.started_ms is not None
    assert changed.started_ms < (run.started_ms or 0) == built.started_ms
    assert built.succeeded is True
    run_to_its_end(design, "CHURN", "TEST_DRIFT")
    assert design.dataset_build("CHURN", "churn_scored") == built


def test_rows_that_break_off(sandbox: Sandbox, design: Dss) -> None:
    sandbox.control.fault("truncate", node="design", path="/data/?$", keep=0.5)
    with pytest.raises(BadAnswer):
        list(design.iter_rows("CHURN", "churn_scored"))


def test_models_and_their_explanations(sandbox: Sandbox, design: Dss) -> None:
    sandbox.control.apply_revision("CHURN", "v2")
    [model] = design.saved_models("CHURN")
    [active] = [version for version in design.model_versions("CHURN", model.id) if version.active]
    details = design.model_details("CHURN", model.id, active.id)
    assert details.prediction_type == "BINARY_CLASSIFICATION"
    assert details.metrics["auc"] > 0.5
    assert end(design, design.start_feature_importance("CHURN", model.id, active.id)).succeeded
    importance = design.feature_importance("CHURN", model.id, active.id)
    assert importance
    assert all(value >= 0 for value in importance.values())
    job = design.start_subpopulations("CHURN", model.id, active.id, ["gender"])
    assert end(design, job).succeeded
    analyses = design.subpopulations("CHURN", model.id, active.id)
    assert analyses is not None
    assert "gender" in {item["feature"] for item in analyses["subpopulationAnalyses"]}
    state = end(design, design.start_model_documentation("CHURN", model.id, active.id))
    assert state.succeeded
    with design.open_documentation("CHURN", str(state.result)) as stream:
        document = stream.read_all(10_000_000)
    assert document.startswith(b"PK")
    with pytest.raises(Missing):
        design.model_details("CHURN", model.id, "no-such-version")
    assert design.feature_importance("CHURN", model.id, "no-such-version") is None


def test_a_bundle_with_ballast_keeps_its_digest(sandbox: Sandbox, design: Dss) -> None:
    sandbox.control.set_ballast(30_000_000)
    try:
        name, found = export(sandbox, design, "v1")
    finally:
        sandbox.control.set_ballast(0)
    assert found.size > 29_000_000
    with design.open_bundle("CHURN", name) as stream:
        hashed = hashlib.sha256()
        for chunk in stream:
            hashed.update(chunk)
    assert hashed.hexdigest() == found.archive_sha256
