"""A promotion step by step against the sandbox DSS: what passes, and what each kind of "no" comes to."""

import io
import time
import zipfile
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from deployments import runner
from deployments.actions import promotions
from deployments.models import Deployment, Promotion
from deployments.steps import STEPS, deployer, gate, names_of, outcome, verify
from governance.actions import signoffs
from governance.models import Evidence, SignOff
from portal import ledger
from portal.dss.client import Dss
from portal.dss.polling import poll_until
from portal.event_kinds import EventKind
from portal.models import Project
from tests.world import SIGNED, World, policy

PROD = "CHURN-on-prod-automation"
S = Promotion.Status


@pytest.mark.parametrize("stage", ["qa", "prod"])
def test_a_promotion_that_goes_well(world: World, stage: str) -> None:
    bundle = world.bundle()
    done = world.run(world.promote(bundle, stage))
    assert done.status == S.SUCCEEDED
    assert world.running(stage) == world.active(stage) == bundle.bundle_id
    assert world.lane_holder(stage) is None
    assert done.request.status == "done"
    told = world.told(done)
    assert told.steps() == [f"{name} done" for name in names_of("promote")]
    assert told.kinds()[0] == EventKind.PROMOTION_STARTED
    assert told.kinds()[-1] == EventKind.PROMOTION_SUCCEEDED
    assert told.kinds().count(EventKind.PROMOTION_LIVE) == 1
    assert told.kinds().count(EventKind.DEPLOYMENT_CHANGED) == 1
    assert Deployment.objects.get(promotion=done).watched_at is not None
    found = Evidence.objects.get(kind="tests", bundle=bundle)
    assert found.stage == stage
    world.check_ledger()


def test_what_dss_was_asked_to_do_is_done_once(world: World) -> None:
    world.began()
    effects = world.effects()
    assert effects["uploads"] == effects["updates"] == effects["deployments_created"] == 1
    assert effects["runs TEST_SMOKE"] == effects["runs TEST_SCORING"] == 1
    assert effects["settings_saves"] == 0, "a deployment that was just created holds the bundle already"
    world.promoted()
    effects = world.effects()
    assert effects["uploads"] == effects["updates"] == effects["runs TEST_SMOKE"] == 2
    assert effects["deployments_created"] == effects["settings_saves"] == 1


def test_no_event_of_a_poll(world: World) -> None:
    world.control.set_durations(update=200, scenario=100)
    done = world.promoted()
    steps = len(names_of("promote"))
    # Started, live, changed, succeeded and one for each step.
    assert len(world.told(done).entries) == steps + 4


def tampered(world: World, bundle_id: str) -> None:
    """Put another archive under this id on the Deployer: the bundle's own, with one recipe changed."""
    with world.dss("design") as design, design.open_bundle("CHURN", bundle_id) as stream:
        archive = zipfile.ZipFile(io.BytesIO(stream.read_all(2**26)))
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in archive.namelist():
            body = archive.read(name)
            if name.endswith(".py") or "/recipes/" in name:
                body = body.replace(b"\n", b"\n ", 1)
            copy.writestr(name, body)
    changed.seek(0)
    with world.dss("deployer") as dss:
        dss.upload_bundle("CHURN", changed)


def test_parts_that_differ_on_the_deployer_stop_before_anything_is_live(world: World) -> None:
    bundle = world.bundle()
    tampered(world, bundle.bundle_id)
    failed = world.run(world.promote(bundle))
    assert (failed.status, failed.live_at) == (S.FAILED, None)
    assert "is not the one that was judged" in failed.reason
    assert world.step(failed, "publish_bundle").output["changed"]
    assert world.steps(failed)["go_live"] == "skipped"
    assert failed.request.status == "open"
    assert failed.request.held == failed.reason
    assert world.rollback_of(failed) is None
    assert world.lane_holder() is None
    assert world.effects()["updates"] == 0


def test_an_archive_that_comes_damaged_once_is_asked_for_again(world: World) -> None:
    bundle = world.bundle()
    world.control.fault("corrupt", node="design", path="/archive$", method="GET")
    assert world.run(world.promote(bundle)).status == S.SUCCEEDED


def test_an_archive_that_is_damaged_fails_in_words(world: World) -> None:
    bundle = world.bundle()
    world.control.fault("truncate", node="design", path="/archive$", keep=0.5, honest=True, times=None)
    failed = world.run(world.promote(bundle))
    assert failed.status == S.FAILED
    assert "archive" in failed.reason
    assert world.effects()["uploads"] == 0


def test_an_archive_without_end_fails_in_words(world: World, settings: Any) -> None:
    bundle = world.bundle()
    settings.DSS_STREAM_MB = 0.001
    failed = world.run(world.promote(bundle))
    assert failed.status == S.FAILED
    assert "more than the limit of 0.001 MB" in failed.reason
    assert world.step(failed, "publish_bundle").attempts == 0, "no use in asking again"
    assert world.effects()["uploads"] == 0


def test_an_infrastructure_that_is_not_there(world: World) -> None:
    world.lane().stage.places.update(infra_id="nowhere")
    failed = world.run(world.promote())
    assert failed.status == S.FAILED
    assert "does not have" in failed.reason
    assert world.steps(failed)["check_target"] == "failed"


# --- the update ---


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "future_fails", "message": "no space left"}, "update_failed"),
        ({"kind": "future_dead"}, "update_failed"),
        ({"kind": "future_aborted"}, "update_aborted"),
        ({"kind": "future_aborted", "as_state": True}, "update_aborted"),
        ({"kind": "wrong_bundle"}, "wrong_bundle_active"),
        ({"kind": "update_health", "health": "ERROR"}, "wrong_bundle_active"),
        ({"kind": "update_health", "health": "WARNING"}, "unhealthy"),
        ({"kind": "update_health", "health": "UNHEALTHY"}, "unhealthy"),
        ({"kind": "update_health", "health": "UNKNOWN"}, "unhealthy"),
    ],
    ids=lambda value: "-".join(str(v) for v in value.values()) if isinstance(value, dict) else value,
)
def test_an_update_that_went_badly_is_rolled_back(world: World, fault: dict[str, Any], code: str) -> None:
    good = world.began()
    world.control.fault(deployment=PROD, **fault)
    failed = world.run(world.promote())
    assert failed.status == S.FAILED
    ended = world.told(failed).entries[-1]
    assert ended.facts["code"] == code
    assert ended.facts["then"] == f"rolling back to {good.bundle.bundle_id}"
    rollback = world.rollback_of(failed)
    assert rollback is not None
    assert (rollback.kind, rollback.status) == ("rollback", S.SUCCEEDED)
    assert world.told(rollback).steps() == [f"{name} done" for name in names_of("rollback")]
    assert world.running() == world.active() == good.bundle.bundle_id
    assert world.lane_holder() is None
    assert failed.request.status == "open"
    world.check_ledger()


def test_an_update_that_never_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.began()
    monkeypatch.setattr(deployer, "UPDATE_SECONDS", 0.2)
    world.control.fault("future_never_ends", deployment=PROD)
    failed = world.run(world.promote(), until=lambda p: p.is_over)
    assert failed.status == S.FAILED
    assert "has not finished the update" in failed.reason
    rollback = world.rollback_of(failed)
    assert rollback is not None
    # DSS still says that the old action is under way: the rollback waits for it and gives up in its turn.
    stuck = world.run(rollback)
    assert stuck.status == S.FAILED
    assert world.lane_holder() == stuck


def test_an_update_dss_forgets_is_found_by_what_runs(world: World) -> None:
    world.control.fault("future_unknown", deployment=PROD, effect=True)
    assert world.run(world.promote()).status == S.SUCCEEDED


@pytest.mark.parametrize("lost", ["drop_after", "status_after"])
def test_a_deployer_without_a_list_of_updates(world: World, lost: str) -> None:
    world.control.fault("status", path="/update$", method="GET", status=404, times=None, message="unknown")
    assert world.run(world.promote()).status == S.SUCCEEDED
    world.control.fault(lost, path="/actions/update$", status=500)
    # The job id is lost and no list tells: DSS is asked once more, which waits for the first.
    assert world.run(world.promote()).status == S.SUCCEEDED


def test_a_task_that_calls_itself_failed_while_dss_says_it_runs(world: World) -> None:
    world.control.set_durations(update=150)
    world.control.fault("status", path="/futures/", status=500, message="hiccup", times=2)
    done = world.run(world.promote())
    assert done.status == S.SUCCEEDED
    assert world.effects()["updates"] == 1


def test_a_task_that_calls_itself_failed_though_its_update_went_well(world: World) -> None:
    world.control.fault("status", path="/futures/", status=500, message="hiccup", times=4)
    assert world.run(world.promote()).status == S.SUCCEEDED
    assert world.effects()["updates"] == 1


def test_hiccups_far_apart_do_not_add_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployer, "DOUBT_SECONDS", 0)
    world.control.set_durations(update=4000)
    promotion = world.run_to(world.promote(), "await_update")
    for _ in range(deployer.HICCUPS + 2):
        world.control.fault("status", path="/futures/", status=500, message="hiccup")
        world.look(promotion)
        assert world.step(promotion, "await_update").output["doubts"] == 1
        world.look(promotion)
        assert world.step(promotion, "await_update").output["doubts"] == 0
    assert world.run(promotion).status == S.SUCCEEDED


@pytest.mark.parametrize("alone", ["told", "missing"])
def test_a_list_of_updates_that_does_not_tell_their_end(
    world: World, monkeypatch: pytest.MonkeyPatch, alone: str
) -> None:
    listed = Dss.updates
    monkeypatch.setattr(
        Dss, "updates", lambda dss, id: [replace(one, ended_ms=None) for one in listed(dss, id)]
    )
    world.control.fault("future_fails", deployment=PROD, message="no space left")
    monkeypatch.setattr(deployer, "DOUBT_SECONDS", 0.2)
    if alone == "missing":
        world.control.fault("status", path=r"/update/\d+$", status=404, times=None, message="unknown")
    failed = world.run(world.promote())
    assert failed.status == S.FAILED
    assert "no space left" in failed.reason


def test_somebody_elses_update_is_waited_for(world: World) -> None:
    world.began()
    promotion = world.run_to(world.promote(), "start_update")
    world.control.set_durations(update=120)
    with world.dss("deployer") as dss:
        dss.start_update(PROD)
    done = world.run(promotion)
    assert done.status == S.SUCCEEDED
    assert world.step(done, "start_update").output["found_running"] is False
    assert world.active() == done.bundle.bundle_id


def test_an_update_whose_answer_was_lost_is_not_started_again_after_a_wait(world: World) -> None:
    world.began()
    promotion = world.run_to(world.promote(), "start_update")
    world.look(promotion)  # what DSS knew before
    world.control.set_durations(update=600)
    world.control.fault("drop_after", path="/actions/update$")
    world.look(promotion)
    world.control.fault("status", path="/update$", method="GET", status=404, message="unknown")
    world.look(promotion)  # not listed, and DSS refuses another while ours runs
    assert world.step(promotion, "start_update").output["lost"] is True
    time.sleep(0.7)
    done = world.run(promotion)
    assert done.status == S.SUCCEEDED
    assert world.step(done, "start_update").output["found_running"] is True
    assert world.effects()["updates"] == 2, "one each"


# --- health ---


@pytest.mark.parametrize(("warning", "status"), [("fails", S.FAILED), ("passes", S.SUCCEEDED)])
def test_a_warning_passes_only_if_the_policy_says_so(world: World, warning: str, status: str) -> None:
    world.began()
    world.publish(policy(warning=warning))
    world.control.fault("health", deployment=PROD, health="WARNING")
    assert world.run(world.promote()).status == status


def test_odd_characters_in_what_dss_says_harm_nobody(world: World) -> None:
    """NUL has no place in a database, half a surrogate pair no UTF-8: neither may stop a healthy promotion."""
    world.began()
    world.control.fault("status", path="/status$", status=500, message="odd \x00\ud800 words", times=3)
    world.control.fault("health", deployment=PROD, health="HEALTHY\x00", message="fine \x00\x1b\ud800")
    done = world.run(world.promote())
    assert done.status == S.SUCCEEDED, done.reason
    assert world.step(done, "check_health").output == {"health": "HEALTHY", "messages": ["fine \ufffd"]}


def test_an_unknown_health_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "UNKNOWN_SECONDS", 30)
    world.control.fault("health", deployment=PROD, health="UNKNOWN", times=4)
    assert world.run(world.promote()).status == S.SUCCEEDED


# --- tests and smoke test ---


@pytest.mark.parametrize(
    ("outcome", "warning", "status"),
    [
        ("FAILED", "fails", S.FAILED),
        ("ABORTED", "passes", S.FAILED),
        ("WARNING", "fails", S.FAILED),
        ("WARNING", "passes", S.SUCCEEDED),
    ],
)
@pytest.mark.parametrize("scenario", ["TEST_SCORING", "TEST_SMOKE"])
def test_outcomes(world: World, scenario: str, outcome: str, warning: str, status: str) -> None:
    world.began()
    world.publish(policy(warning=warning))
    world.control.fault("scenario_outcome", scenario=scenario, outcome=outcome)
    ended = world.run(world.promote())
    assert ended.status == status
    if status == S.FAILED:
        assert f"{scenario}" in ended.reason
        assert outcome in ended.reason
        assert world.rollback_of(ended) is not None
    if scenario == "TEST_SCORING":
        found = Evidence.objects.get(kind="tests", bundle=ended.bundle)
        step = world.step(ended, "run_tests").output
        assert [run["outcome"] for run in step["results"]].count(outcome) == 1
        assert len(step["results"]) == len(step["listed"])
        assert found.source["promotion"] == ended.pk


def test_the_smoke_scenario_is_no_test(world: World) -> None:
    done = world.began()
    listed = world.step(done, "run_tests").output["listed"]
    assert listed == ["TEST_DATA_QUALITY", "TEST_DRIFT", "TEST_SCORING"]


def test_a_smoke_scenario_that_is_not_there(world: World) -> None:
    world.began()
    world.publish(policy(smoke="NO_SUCH"))
    failed = world.run(world.promote(), until=lambda p: p.is_over)
    assert failed.status == S.FAILED
    assert "There is no scenario NO_SUCH on prod-automation" in failed.reason


def test_a_scenario_that_never_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "SCENARIO_SECONDS", 0.3)
    world.control.fault("scenario_never_ends", scenario="TEST_DRIFT")
    failed = world.run(world.promote(), until=lambda p: p.is_over)
    assert failed.status == S.FAILED
    assert "TEST_DRIFT does not end" in failed.reason


def test_a_fire_that_dss_cancels_is_fired_again(world: World) -> None:
    world.control.fault("scenario_cancelled", scenario="TEST_SMOKE", times=verify.FIRES - 1)
    assert world.run(world.promote()).status == S.SUCCEEDED
    assert world.effects()["runs_finished TEST_SMOKE"] == 1


def test_a_fire_that_dss_always_cancels_fails_in_words(world: World) -> None:
    world.control.fault("scenario_cancelled", scenario="TEST_SMOKE", node="prod", times=verify.FIRES)
    failed = world.run(world.promote(), until=lambda p: p.is_over)
    assert failed.status == S.FAILED
    assert "DSS does not start scenario TEST_SMOKE" in failed.reason


def test_a_run_of_somebody_else_is_not_taken_for_ours(world: World) -> None:
    """It was under way before we fired, and it failed; ours comes after it."""
    promotion = world.run_to(world.promote(), "smoke_test")
    world.control.set_durations(scenario=80)
    world.control.fault("scenario_outcome", scenario="TEST_SMOKE", outcome="FAILED")
    with world.dss("prod") as dss:
        dss.run_scenario("CHURN", "TEST_SMOKE")
        poll_until(lambda: dss.last_runs("CHURN", "TEST_SMOKE", 1) or None, timeout=5)
    done = world.run(promotion)
    assert done.status == S.SUCCEEDED, done.reason
    assert world.effects()["runs_finished TEST_SMOKE"] == 2


# --- rolling back ---


def test_a_failing_smoke_test_rolls_back_in_the_same_transaction(world: World) -> None:
    good = world.began("v2")
    promotion = world.run_to(world.promote(world.bundle("v3")), "smoke_test")
    while not Promotion.objects.get(pk=promotion.pk).is_over:
        assert world.lane_holder() == promotion
        world.look(promotion)
    rollback = world.rollback_of(promotion)
    assert rollback is not None
    assert world.lane_holder() == rollback, "the lane never lapsed"
    assert world.run(rollback).status == S.SUCCEEDED
    assert world.running() == world.active() == good.bundle.bundle_id
    failed = Promotion.objects.get(pk=promotion.pk)
    assert "smoke test TEST_SMOKE ended FAILED" in failed.reason
    events = [entry.seq for entry in (*world.told(failed).entries[-1:], *world.told(rollback).entries[:1])]
    assert events[1] - events[0] <= 2, "they are one transaction's events"


def test_a_first_deployment_that_fails_is_disabled_and_holds_the_lane(world: World) -> None:
    from_actions = world.promote(world.bundle("v3"))
    failed = world.run(from_actions)
    assert failed.status == S.FAILED
    disabling = world.rollback_of(failed)
    assert disabling is not None
    assert (disabling.kind, disabling.status) == ("disable", S.SUCCEEDED)
    assert world.told(disabling).steps() == [f"{name} done" for name in names_of("disable")]
    with world.dss("deployer") as dss:
        assert dss.deployment_settings(PROD).enabled is False
    assert world.running() is None
    assert world.lane_holder() == disabling
    world.check_ledger()


def test_after_a_disabling_the_next_promotion_enables_again(world: World) -> None:
    failed = world.run(world.promote(world.bundle("v3")))
    disabling = world.rollback_of(failed)
    assert disabling is not None
    Promotion.objects.filter(pk=disabling.pk).update(holds_lane=False)
    world.promoted("v2")
    with world.dss("deployer") as dss:
        assert dss.deployment_settings(PROD).enabled is True


def test_a_rollback_that_fails_holds_the_lane(world: World) -> None:
    world.began("v2")
    world.control.fault("scenario_outcome", scenario="TEST_SMOKE", outcome="FAILED", times=2)
    failed = world.run(world.promote())
    rollback = world.rollback_of(failed)
    assert rollback is not None
    assert rollback.status == S.FAILED
    assert world.told(rollback).entries[-1].facts["then"] == "held for people"
    assert world.lane_holder() == rollback
    assert world.rollback_of(rollback) is None


def test_a_policy_may_hold_instead_of_rolling_back(world: World) -> None:
    world.began()
    world.publish(policy(on_failure="hold"))
    world.control.fault("scenario_outcome", scenario="TEST_SMOKE", outcome="FAILED")
    failed = world.run(world.promote())
    assert failed.status == S.FAILED
    assert world.rollback_of(failed) is None
    assert world.lane_holder() == failed
    assert world.told(failed).entries[-1].facts["then"] == "held for people"


def test_a_rollback_only_returns_to_what_completed_its_watch(world: World) -> None:
    first = world.began()
    second = world.promoted()
    Deployment.objects.filter(promotion=second).update(watched_at=None)
    world.control.fault("scenario_outcome", scenario="TEST_SMOKE", outcome="FAILED")
    failed = world.run(world.promote())
    rollback = world.rollback_of(failed)
    assert rollback is not None
    assert rollback.bundle == first.bundle


def test_bringing_again_what_runs_goes_back_to_it_and_to_nothing_older(world: World) -> None:
    world.began()
    good = world.promoted()
    world.publish(policy(watch="60s"))
    worse = world.run_to(world.promote(), "watch")
    again = world.request(good.bundle)  # asked for while something else runs there
    world.control.fault("health", deployment=PROD, health="ERROR")
    world.look(worse)
    world.look(worse)
    world.publish(policy())
    rollback = world.rollback_of(worse)
    assert rollback is not None
    assert world.run(rollback).status == S.SUCCEEDED
    assert world.running() == good.bundle.bundle_id
    world.control.fault("scenario_outcome", scenario="TEST_SMOKE", outcome="FAILED")
    flickers = world.run(promotions.promote(by=world.mona, request=again))
    assert flickers.status == S.FAILED
    back = world.rollback_of(flickers)
    assert back is not None
    assert (back.kind, back.bundle, back.status) == ("rollback", good.bundle, S.SUCCEEDED)
    assert world.running() == world.active() == good.bundle.bundle_id
    assert world.lane_holder() is None


# --- watching ---


def test_the_lane_is_free_while_it_is_watched(world: World) -> None:
    world.publish(policy(watch="1s"))
    promotion = world.run_to(world.promote(), "watch")
    assert world.lane_holder() == promotion
    world.look(promotion)
    assert world.lane_holder() is None
    promotion.refresh_from_db()
    assert promotion.status == S.RUNNING
    done = world.run(promotion)
    assert done.status == S.SUCCEEDED
    assert world.step(done, "watch").output["watched_seconds"] >= 1


def watched(world: World) -> Promotion:
    promotion = world.run_to(world.promote(), "watch")
    world.look(promotion)
    return promotion


def test_a_watch_that_fails_retakes_the_lane(world: World) -> None:
    good = world.began()
    world.publish(policy(watch="60s"))
    watching = watched(world)
    waiting = world.run_to(world.promote(), "pass_gate_again")
    world.control.fault("health", deployment=PROD, health="ERROR")
    world.look(watching)
    rollback = world.rollback_of(watching)
    assert rollback is not None
    assert world.lane_holder() == rollback
    waiting.refresh_from_db()
    assert waiting.status == S.FAILED
    assert f"Promotion {watching.pk} failed its watch" in waiting.reason
    assert waiting.request.status == "open"
    world.publish(policy())
    assert world.run(rollback).status == S.SUCCEEDED
    assert world.running() == good.bundle.bundle_id
    assert Deployment.objects.get(promotion=watching).watched_at is None
    world.check_ledger()


def test_a_newer_live_change_ends_the_watch_as_completed(world: World) -> None:
    world.publish(policy(watch="60s"))
    older = watched(world)
    newer = world.run_to(world.promote(), "start_update")
    assert Deployment.objects.get(promotion=older).watched_at is not None, "known to a rollback at once"
    world.look(older)
    older.refresh_from_db()
    assert older.status == S.SUCCEEDED
    assert world.step(older, "watch").output["ended_by_newer"] is True
    world.control.fault("scenario_outcome", scenario="TEST_SMOKE", outcome="FAILED")
    newer = world.run(newer, until=lambda p: p.is_over)
    rollback = world.rollback_of(newer)
    assert rollback is not None
    assert rollback.bundle == older.bundle


def test_a_watch_that_fails_after_a_newer_went_live_rolls_nothing_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newer one goes live between the older one's last look at DSS and the moment its failure is kept."""
    world.publish(policy(watch="60s"))
    older = watched(world)
    newer = world.run_to(world.promote(), "go_live")
    world.control.fault("health", deployment=PROD, health="ERROR")
    real = STEPS["watch"]

    def watch_then_other_goes_live(work: Any) -> Any:
        try:
            return real(work)
        finally:
            if work.promotion.pk == older.pk:
                runner.advance(newer.pk)

    monkeypatch.setitem(STEPS, "watch", watch_then_other_goes_live)
    world.look(older)
    older.refresh_from_db()
    assert older.status == S.FAILED
    assert world.rollback_of(older) is None
    assert world.told(older).entries[-1].facts["then"] == f"replaced by promotion {newer.pk}"
    assert world.lane_holder() == newer


# --- between the last look of the gate and the live change ---


def about_to_go_live(world: World) -> tuple[Promotion, SignOff]:
    """A promotion that passed the gate for the second time, on one signature."""
    world.publish(policy(requires=SIGNED))
    request = world.request()
    world.sign(request)
    promotion = world.run_to(promotions.promote(by=world.mona, request=request), "go_live")
    return promotion, SignOff.objects.get(bundle=request.bundle)


def test_a_signature_withdrawn_after_the_last_look_stops_it_with_nothing_changed(world: World) -> None:
    promotion, given = about_to_go_live(world)
    signoffs.withdraw(by=given.person, signoff=given, why="Read it too fast.")
    failed = world.run(promotion)
    assert (failed.status, failed.live_at) == (S.FAILED, None)
    assert "The gate is not open any more" in failed.reason
    assert world.rollback_of(failed) is None
    assert world.lane_holder() is None
    assert EventKind.PROMOTION_LIVE not in world.told(failed).kinds()
    assert world.told(failed).steps()[-2:] == ["pass_gate_again done", "go_live failed"]
    judged = ledger.events(kinds=[EventKind.VERDICT_JUDGED], subject=failed.request.subject)[-1]
    assert (judged.facts["outcome"], judged.facts["moment"]) == ("not met", "before_live")
    assert world.effects()["updates"] == 0
    world.check_ledger()


def test_a_policy_that_speaks_of_it_no_more_after_the_last_look_stops_it_too(world: World) -> None:
    promotion, _given = about_to_go_live(world)
    world.publish(policy(requires=SIGNED).replace("  plain:", "  other:"))
    failed = world.run(promotion)
    assert (failed.status, failed.live_at) == (S.FAILED, None)
    assert "says nothing about tier" in failed.reason
    assert world.effects()["updates"] == 0


def test_a_project_in_another_tier_is_judged_by_that(world: World) -> None:
    promotion, _given = about_to_go_live(world)
    stricter = policy(requires=SIGNED) + policy(requires="[document: intended-use]").partition("tiers:\n")[
        2
    ].replace("  plain:", "  strict:")
    world.publish(stricter)
    began = deployer._begin_live

    def later(work: Any, now: Any) -> None:
        # After the step was loaded and before its transaction looks.
        Project.objects.filter(pk=world.project.pk).update(tier="strict")
        began(work, now)

    with patch.object(deployer, "_begin_live", later):
        failed = world.run(promotion)
    assert (failed.status, failed.live_at) == (S.FAILED, None)
    assert "Not met: Intended use written" in failed.reason


def away_right_before(world: World, kind: str, path: str) -> tuple[Promotion, SignOff]:
    """A promotion whose live change is written down, and then DSS does not answer."""
    world.began("v1")
    promotion, given = about_to_go_live(world)
    promotion = world.run(promotion, until=lambda one: one.live_at is not None)
    world.control.fault(kind, node="deployer", path=path, status=503, times=3)
    world.look(promotion)
    promotion.refresh_from_db()
    assert promotion.steps.get(name="go_live").attempts == 1
    return promotion, given


def test_where_dss_was_away_the_gate_is_asked_once_more_before_anything_changes(world: World) -> None:
    promotion, given = away_right_before(world, "status", "/update/?$")
    updates = world.effects()["updates"]
    signoffs.withdraw(by=given.person, signoff=given, why="Read it too fast.")
    failed = world.run(promotion, until=lambda one: one.is_over)
    assert failed.status == S.FAILED
    assert "The gate is not open any more" in failed.reason
    assert world.told(failed).steps()[-1] == "go_live failed"
    assert world.effects()["updates"] == updates, "the bundle never went there"
    done = world.run(failed)
    rollback = world.rollback_of(done)
    assert rollback is not None
    assert rollback.status == S.SUCCEEDED
    world.check_ledger()


def test_what_had_changed_before_dss_was_away_is_not_asked_again(world: World) -> None:
    """The change was made while the gate was open; only its answer was lost."""
    world.began("v1")
    promotion, given = about_to_go_live(world)
    promotion = world.run(promotion, until=lambda one: one.live_at is not None)
    lost = world.control.fault(
        "status_after", node="deployer", method="PUT", path="/settings/?$", status=503, times=9
    )
    world.look(promotion)
    world.control.clear_faults(lost)
    signoffs.withdraw(by=given.person, signoff=given, why="Read it too fast.")
    done = world.run(promotion)
    assert done.status == S.SUCCEEDED, done.reason
    assert done.steps.get(name="go_live").output["changed"]


def test_a_window_that_closed_while_dss_was_away_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion, _given = away_right_before(world, "status", "/update/?$")
    real, shut = gate.hold_gate_open, [True, True]

    def closed(work: Any) -> None:
        if shut:
            shut.pop()
            raise outcome.NotYet(outcome.Wait(0.01, {"opens": "2026-11-30T08:00:00.000000Z"}))
        real(work)

    monkeypatch.setattr(deployer, "hold_gate_open", closed)
    promotion = world.run(promotion, until=lambda one: "opens" in one.steps.get(name="go_live").output)
    assert promotion.steps.get(name="go_live").output.keys() == {"began", "opens"}
    done = world.run(promotion)
    assert done.status == S.SUCCEEDED, done.reason
    assert not shut
    assert world.told(done).kinds().count(EventKind.PROMOTION_LIVE) == 1


def test_a_rollback_asks_for_no_signature(world: World) -> None:
    world.began()
    promotion, given = about_to_go_live(world)
    world.control.fault("wrong_bundle")
    promotion = world.run(promotion, until=lambda one: one.live_at is not None)
    signoffs.withdraw(by=given.person, signoff=given, why="Read it too fast.")
    failed = world.run(promotion)
    assert failed.status == S.FAILED
    rollback = world.rollback_of(failed)
    assert rollback is not None
    assert rollback.status == S.SUCCEEDED
