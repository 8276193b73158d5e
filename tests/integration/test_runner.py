"""The engine itself: claims, leases, attempts, and what it does about trouble on the way to DSS."""

import re
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from deployments import runner, waits
from deployments.actions import promotions, requests
from deployments.models import Promotion
from deployments.steps import STEPS, names_of
from deployments.steps.outcome import Done, StepFailed, Wait, Work
from portal import lease
from portal.actions import bundles, grants, projects
from portal.event_kinds import EventKind
from portal.models import Lane, Person, Right
from tests.world import World, difference

S = Promotion.Status


def lasting(world: World, promotion: Promotion) -> Promotion:
    return Promotion.objects.get(pk=promotion.pk)


def replaced(monkeypatch: pytest.MonkeyPatch, name: str, step: Any) -> None:
    monkeypatch.setitem(STEPS, name, step)


# --- claims and leases ---


def test_a_good_lease_belongs_to_somebody_else(world: World) -> None:
    promotion = world.promote()
    Promotion.objects.filter(pk=promotion.pk).update(
        lease="other", lease_until=timezone.now() + timedelta(seconds=60)
    )
    assert runner.advance(promotion.pk) == runner.OVER
    assert world.current(promotion) == "pass_gate"


def test_what_is_not_due_is_left_alone(world: World) -> None:
    promotion = world.promote()
    Promotion.objects.filter(pk=promotion.pk).update(wake_at=timezone.now() + timedelta(seconds=60))
    assert runner.advance(promotion.pk) == runner.OVER


def test_who_lost_the_lease_keeps_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = world.promote()

    def taken_meanwhile(work: Work) -> Done:
        Promotion.objects.filter(pk=work.promotion.pk).update(lease="other")
        return Done({"seen": True})

    replaced(monkeypatch, "pass_gate", taken_meanwhile)
    assert runner.advance(promotion.pk) == runner.OVER
    assert world.step(promotion, "pass_gate").status == "started"
    assert EventKind.STEP_DONE not in world.told(promotion).kinds()


def test_a_person_who_stops_wins_over_the_step_under_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion = world.promote()

    def stopped_meanwhile(work: Work) -> Done:
        Promotion.objects.filter(pk=work.promotion.pk).update(
            status=S.STOPPED, ended_at=timezone.now(), lease="", lease_until=None
        )
        raise StepFailed("too late", code="too_late")

    replaced(monkeypatch, "pass_gate", stopped_meanwhile)
    assert runner.advance(promotion.pk) == runner.OVER
    assert lasting(world, promotion).status == S.STOPPED


def test_a_long_step_keeps_its_lease(
    committed_world: World, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.LEASE_SECONDS = 0.6
    promotion = committed_world.promote()
    other: list[runner.Turn] = []

    def long(work: Work) -> Done:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            other.append(runner.advance(work.promotion.pk))
            time.sleep(0.05)
        return Done()

    replaced(monkeypatch, "pass_gate", long)
    assert runner.advance(promotion.pk).at is not None
    assert len(other) > 5
    assert set(other) == {runner.OVER}
    assert committed_world.step(promotion, "pass_gate").status == "done"
    assert not [thread for thread in threading.enumerate() if thread.name == "lease"]


def test_a_lease_that_was_lost_is_not_renewed(world: World) -> None:
    promotion = world.promote()
    until = timezone.now() + timedelta(seconds=60)
    Promotion.objects.filter(pk=promotion.pk).update(lease="mine", lease_until=until)
    held = lease.Lease(Promotion.objects.filter(pk=promotion.pk, lease="mine"), until)
    assert held.renew()
    assert lasting(world, promotion).lease_until == held.until
    held.check()
    Promotion.objects.filter(pk=promotion.pk).update(lease="other")
    assert not held.renew()
    with pytest.raises(lease.Lost):
        held.check()


def test_a_download_ends_when_the_lease_is_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = world.run_to(world.promote(), "publish_bundle")
    world.look(promotion)
    monkeypatch.setattr(lease, "_renew", lambda held, _over: setattr(held, "lost", True))
    assert world.look(promotion) == runner.OVER
    assert world.effects()["uploads"] == 0
    step = world.step(promotion, "publish_bundle")
    assert (step.status, step.attempts, step.problem) == ("started", 0, "")
    assert lasting(world, promotion).status == S.RUNNING


# --- attempts ---


def test_a_worker_that_always_dies_in_a_step_is_not_replaced_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion = world.promote()

    def deadly(work: Work) -> Done:
        raise SystemExit

    replaced(monkeypatch, "pass_gate", deadly)
    for _death in range(runner.PASSING_ERRORS):
        with pytest.raises(SystemExit):
            world.look(promotion)
        assert waits.orphans() == []
        world.expire(promotion)
        assert waits.orphans() == [promotion.pk]
    world.look(promotion)
    ended = lasting(world, promotion)
    assert ended.status == S.ERRORED
    assert "its worker died each time" in ended.reason


@pytest.mark.parametrize(
    ("error", "looks", "status"),
    [(ValueError("ours"), runner.OTHER_ERRORS, S.ERRORED), (OperationalError("gone"), 8, S.ERRORED)],
)
def test_our_own_errors_are_few(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception, looks: int, status: str
) -> None:
    promotion = world.promote()
    seen = []

    def broken(work: Work) -> Done:
        seen.append(work.repeated)
        raise error

    replaced(monkeypatch, "pass_gate", broken)
    ended = world.run(promotion)
    assert (ended.status, len(seen)) == (status, looks)
    assert seen == [False, *[True] * (looks - 1)]
    assert type(error).__name__ in ended.reason


@pytest.mark.parametrize("verb", ["done", "wait", "fail"])
def test_what_cannot_be_kept_is_our_own_error_and_gives_the_lease_back(
    world: World, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    promotion = world.promote()
    seen = []

    def unkeepable() -> None:
        raise ValueError("a text that no database takes")

    def odd(work: Work) -> Done | Wait:
        seen.append(work.step.output)
        if verb == "fail":
            raise StepFailed("no", code="no", output={"odd": True}, also=unkeepable)
        return Done({"odd": True}, unkeepable) if verb == "done" else Wait(0.01, {"odd": True}, unkeepable)

    replaced(monkeypatch, "pass_gate", odd)
    turn = world.look(promotion)
    assert turn.at is not None
    first = lasting(world, promotion)
    assert (first.status, first.lease, first.lease_until) == (S.RUNNING, "", None)
    ended = world.run(promotion)
    assert (ended.status, len(seen)) == (S.ERRORED, runner.OTHER_ERRORS)
    assert "ValueError" in ended.reason
    assert seen == [{}] * runner.OTHER_ERRORS
    assert world.step(ended, "pass_gate").output == {}
    assert world.lane_holder() is None


def test_a_record_that_cannot_be_made_is_our_own_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = world.promote()
    replaced(monkeypatch, "pass_gate", lambda work: Done({"odd": "half a pair \ud800"}))
    ended = world.run(promotion)
    assert ended.status == S.ERRORED
    assert world.step(ended, "pass_gate").output == {}


def test_errors_count_in_a_row_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = world.promote()
    looks = []

    def now_and_then(work: Work) -> Done | Wait:
        looks.append(work.step.attempts)
        if len(looks) % 2:
            raise ValueError("ours")
        return Wait(0.01) if len(looks) < 20 else Done()

    replaced(monkeypatch, "pass_gate", now_and_then)
    world.run_to(promotion, "check_target")
    assert set(looks) == {0, 1}


def test_pauses_grow(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = world.promote()
    world.control.fault("drop_before", path="infras", times=None)
    world.run_to(promotion, "check_target")
    pauses = []
    for _ in range(3):
        turn = world.look(promotion)
        assert turn.at is not None
        pauses.append((turn.at - timezone.now()).total_seconds())
    assert pauses == pytest.approx([0.5, 1, 2], abs=0.2)
    assert "could not be reached" in world.step(promotion, "check_target").problem
    world.control.clear_faults()
    world.run_to(promotion, "publish_bundle")
    assert world.step(promotion, "check_target").problem == ""


def test_a_dss_that_stays_away_fails_in_words_before_anything_is_live(world: World) -> None:
    promotion = world.run_to(world.promote(), "check_target")
    world.sandbox.kill()
    failed = world.run(promotion)
    assert (failed.status, failed.live_at) == (S.FAILED, None)
    assert "could not be reached" in failed.reason
    assert world.step(failed, "check_target").attempts == runner.PASSING_ERRORS - 1


def test_after_the_live_change_more_patience_is_had(world: World) -> None:
    world.began()
    promotion = world.run_to(world.promote(), "check_health")
    world.sandbox.kill()
    for _ in range(runner.PASSING_ERRORS + 2):
        world.look(promotion)
    world.sandbox.start()
    assert world.run(promotion).status == S.SUCCEEDED


def test_reasons_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = world.promote()

    def wordy(work: Work) -> Done:
        raise StepFailed("no. " * 5000, code="wordy")

    replaced(monkeypatch, "pass_gate", wordy)
    ended = world.run(promotion)
    assert len(ended.reason) == runner.LONGEST_TEXT
    assert len(ended.request.held) == runner.LONGEST_TEXT


def test_a_step_that_is_unknown_here_errs(world: World) -> None:
    promotion = world.promote()
    promotion.steps.filter(name="pass_gate").update(name="from_a_newer_version")
    assert world.run(promotion).status == S.ERRORED


# --- trouble on the way, at every call of every step ---

CALLS = (
    ("deployer", "GET", r"/infras/prod-automation"),
    ("prod", "GET", r"/projects/CHURN$"),
    ("deployer", "GET", r"/project-deployer/projects/CHURN$"),
    ("design", "GET", r"/archive$"),
    ("deployer", "POST", r"/project-deployer/projects/bundles$"),
    ("deployer", "GET", r"/project-deployer/projects/CHURN/bundles/"),
    ("deployer", "POST", r"/project-deployer/deployments$"),
    ("deployer", "GET", r"/deployments/CHURN-on-prod-automation$"),
    ("deployer", "GET", r"/settings$"),
    ("deployer", "PUT", r"/settings$"),
    ("deployer", "GET", r"/update$"),
    ("deployer", "POST", r"/actions/update$"),
    ("deployer", "GET", r"/futures/"),
    ("deployer", "GET", r"/status$"),
    ("prod", "GET", r"/scenarios$"),
    ("prod", "GET", r"/get-last-runs$"),
    ("prod", "POST", r"/TEST_SMOKE/run$"),
    ("prod", "POST", r"/TEST_DRIFT/run$"),
    ("prod", "GET", r"/get-run-for-trigger$"),
    ("prod", "GET", r"/scenarios/TEST_SMOKE/\d"),
    ("prod", "GET", r"/scenarios/trigger/"),
)
TROUBLES: dict[str, dict[str, Any]] = {
    "drop before": {"kind": "drop_before"},
    "drop after": {"kind": "drop_after"},
    "DSS error": {"kind": "status", "status": 500, "message": "Something went wrong"},
    "DSS error after": {"kind": "status_after", "status": 500, "message": "Something went wrong"},
    "busy": {"kind": "status", "status": 503, "message": "Starting"},
    "gateway page": {"kind": "not_json"},
    "cut short": {"kind": "truncate", "keep": 0.5},
    "slow": {"kind": "delay_after", "ms": 700},
}


def test_calls_are_those_of_a_promotion(world: World) -> None:
    """The table above names every call a promotion makes, so that a new one is not forgotten."""
    world.began()
    world.control.clear_requests()
    world.promoted()
    exporting = re.compile(r"/bundles/exported(/[^/]+)?$")
    seen = {(one["node"], one["method"], one["path"]) for one in world.control.requests()}

    def known(node: str, method: str, path: str) -> bool:
        patterns = [p.replace("SMOKE", r"\w+") for n, m, p in CALLS if (n, m) == (node, method)]
        return any(re.search(pattern, path) for pattern in patterns)

    missed = {call for call in seen if not exporting.search(call[2]) and not known(*call)}
    assert not missed


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_at_every_call(world: World, settings: Any, trouble: str) -> None:
    if trouble == "slow":
        settings.DSS_READ_SECONDS = 0.4
    world.began()
    promotion = world.promote(world.bundle())
    before = world.effects()
    for node, method, path in CALLS:
        world.control.fault(node=node, method=method, path=path, **TROUBLES[trouble])
    done = world.run(promotion, seconds=60)
    assert done.status == S.SUCCEEDED, done.reason
    assert world.told(done).steps() == [f"{name} done" for name in names_of("promote")]
    made = difference(world.effects(), before)
    fires = {name: n for name, n in made.items() if name.startswith("runs_finished")}
    assert set(fires.values()) == {1}, "no scenario ran twice"
    assert made["uploads"] == made["updates"] == 1
    # Saving the same settings again is no second change; the client does so when the answer was lost.
    assert made["settings_saves"] in (1, 2)
    assert world.active() == done.bundle.bundle_id
    world.check_ledger()


@pytest.mark.long
@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: " ".join(call))
def test_trouble_at_one_call(world: World, settings: Any, call: tuple[str, str, str], trouble: str) -> None:
    """The same one by one, three times in a row, so that the client's own repeats do not make it good."""
    if trouble == "slow":
        settings.DSS_READ_SECONDS = 0.4
    node, method, path = call
    promotion = world.promote(world.bundle())
    world.control.fault(node=node, method=method, path=path, times=4, **TROUBLES[trouble])
    done = world.run(promotion, seconds=60)
    assert done.status == S.SUCCEEDED, done.reason
    effects = world.effects()
    assert effects["uploads"] == effects["updates"] == effects["runs_finished TEST_SMOKE"] == 1


def test_a_rollback_stays_in_its_own_project(world: World) -> None:
    """A place serves every project of its pipeline: what another project ran there last is nothing to return to."""
    good = world.began("v2")
    neighbour = projects.import_project(
        by=world.ada,
        node=world.nodes["design"],
        key="MAINT",
        pipeline=world.project.pipeline,
        policy="engine",
        tier="plain",
        owner=world.ada,
    )
    for right, person in ((Right.REQUEST, world.dev), (Right.PROMOTE, world.mona)):
        grants.grant(by=world.ada, right=right, person=person, project=neighbour, why="theirs too")
    asked = bundles.ask_bundle(by=world.dev, project=neighbour, bundle_id="m1")
    bundles.register(by=Person.objects.system(), bundle_pk=asked.pk)
    asked.refresh_from_db()
    lane = Lane.objects.select_related("project", "stage").get(project=neighbour, stage__slug="prod")
    wish = requests.submit(by=world.dev, bundle=asked, lane=lane, why="beside")
    beside = world.run(promotions.promote(by=world.mona, request=wish))
    assert beside.status == Promotion.Status.SUCCEEDED, beside.reason

    failed = world.run(world.promote(world.bundle("v3")))
    assert failed.status == Promotion.Status.FAILED
    back = world.rollback_of(failed)
    assert back is not None
    assert back.bundle == good.bundle
    assert world.run(back).status == Promotion.Status.SUCCEEDED
    assert world.active() == good.bundle.bundle_id
