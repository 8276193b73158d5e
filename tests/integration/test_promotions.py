"""Starting, stopping and letting go of promotions: the gate at the click and later, one per lane, two clicks."""

import threading

import pytest
from django.db import connection, transaction
from django.utils import timezone

from deployments.actions import promotions, signing
from deployments.judging import judge_now
from deployments.models import DeploymentRequest, Promotion
from governance.actions import signoffs
from governance.models import SignOff
from portal import ledger
from portal.actions import grants
from portal.demo.cast import PASSWORD
from portal.errors import Forbidden, Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.models import Grant, Project, Right
from portal.reauthentication import Password
from tests import factories
from tests.cast import Cast
from tests.world import SIGNED, World, policy

S = Promotion.Status


def moments(world: World, request_subject: str) -> list[tuple[str, str]]:
    """When the gate was judged for a request, and what it said."""
    told = ledger.events(subject=request_subject, kinds=[EventKind.VERDICT_JUDGED])
    return [(entry.facts["moment"], entry.facts["outcome"]) for entry in told]


# --- the gate ---


def test_a_closed_gate_refuses_at_the_click(world: World) -> None:
    world.publish(policy(requires=SIGNED))
    request = world.request()
    with pytest.raises(Refused) as refused:
        promotions.promote(by=world.mona, request=request)
    assert refused.value.code == "gate_closed"
    assert "One signature is needed" in refused.value.sentence
    assert moments(world, request.subject) == [("promote", "not met")]
    assert not Promotion.objects.exists()
    request.refresh_from_db()
    assert request.status == "open"


def test_a_gate_that_closes_before_the_live_change_stops_the_promotion(world: World) -> None:
    world.publish(policy(requires=SIGNED))
    request = world.request()
    world.sign(request)
    promotion = world.run_to(promotions.promote(by=world.mona, request=request), "pass_gate_again")
    right = Grant.objects.get(person=world.people["fay"], right="sign")
    grants.revoke(by=world.ada, grant=right, why="left the team")
    failed = world.run(promotion)
    assert (failed.status, failed.live_at) == (S.FAILED, None)
    assert failed.reason.startswith("The gate is not open any more")
    request.refresh_from_db()
    assert (request.status, request.held) == ("open", failed.reason)
    assert moments(world, request.subject) == [
        ("promote", "met"),
        ("start", "met"),
        ("before_live", "not met"),
    ]
    assert world.effects()["updates"] == 0
    assert world.lane_holder() is None


def ends_asking(world: World) -> None:
    """The team that asked may ask no more."""
    for right in Grant.objects.filter(right=Right.REQUEST, revoked_at=None):
        grants.revoke(by=world.ada, grant=right, why="another team takes over")


def test_a_request_ends_with_the_right_to_ask(world: World) -> None:
    world.publish(policy())
    request = world.request()
    ends_asking(world)
    with pytest.raises(Forbidden) as refused:
        promotions.promote(by=world.mona, request=request)
    assert refused.value.code == "requester_lost_right"
    assert not Promotion.objects.exists()


@pytest.mark.parametrize("whose", ["requester", "starter"])
def test_a_right_lost_on_the_way_stops_before_the_live_change(world: World, whose: str) -> None:
    world.publish(policy())
    promotion = world.run_to(promotions.promote(by=world.mona, request=world.request()), "pass_gate_again")
    if whose == "requester":
        ends_asking(world)
    else:
        grants.revoke(
            by=world.ada,
            grant=Grant.objects.get(person=world.mona, right=Right.PROMOTE, revoked_at=None),
            why="left",
        )
    failed = world.run(promotion)
    assert (failed.status, failed.live_at) == (S.FAILED, None)
    assert failed.reason.startswith(f"Whoever {'asked' if whose == 'requester' else 'started'}")
    assert world.effects()["updates"] == 0


def signs_as_well(world: World) -> None:
    """Mona, who promotes, may sign for fairness, too."""
    world.publish(policy(requires=SIGNED))
    grants.grant(
        by=world.ada,
        right=Right.SIGN,
        role="fairness",
        person=world.mona,
        project=world.project,
        stage="prod",
        why="reviews as well",
    )


def sign(world: World, request: DeploymentRequest) -> None:
    draft = signing.draft(by=world.mona, request=request, requirement="sign_off:fairness")
    signing.sign(
        by=world.mona,
        proof=Password(PASSWORD),
        request=request,
        requirement="sign_off:fairness",
        decision="approve",
        bound=draft.bound,
    )


def test_whoever_signs_what_they_started_does_not_bring_it_live(world: World) -> None:
    signs_as_well(world)
    request = world.request()
    world.sign(request)
    promotion = world.run_to(promotions.promote(by=world.mona, request=request), "pass_gate_again")
    signed = SignOff.objects.get()
    signoffs.withdraw(by=signed.person, signoff=signed, why="a doubt")
    sign(world, request)
    failed = world.run(promotion)
    assert (failed.status, failed.live_at) == (S.FAILED, None)
    assert "nobody starts what they signed" in failed.reason
    told = world.told(failed).entries
    assert [entry.facts["code"] for entry in told if entry.kind == EventKind.STEP_FAILED] == [
        "promoter_signed"
    ]
    assert moments(world, request.subject)[-1] == ("before_live", "met")
    assert world.effects()["updates"] == 0


@pytest.mark.parametrize("word", ["rejected, role lost", "withdrawn", "counts"])
def test_only_a_signature_that_counts_keeps_its_giver_from_starting(cast: Cast, word: str) -> None:
    given = grants.grant(
        by=cast.ada,
        right=Right.SIGN,
        role="fairness",
        person=cast.mona,
        project=cast.churn,
        stage="prod",
        why="reviews as well",
    )
    bundle = factories.bundle_registered(cast)
    request = factories.request_at(cast, bundle=bundle, lane=cast.prod)
    factories.all_but_signed(cast, bundle)
    decision = "reject" if word.startswith("rejected") else "approve"
    signed = factories.signed(cast.mona, request, "fairness", decision, "As I see it.")
    if word == "rejected, role lost":
        grants.revoke(by=cast.ada, grant=given, why="no more")
    elif word == "withdrawn":
        signoffs.withdraw(by=cast.mona, signoff=signed, why="a doubt")
    signers = ((cast.fay, "fairness"), (cast.eli, "explainability"), (cast.ravi, "model-risk"))
    for person, role in signers[1:] if word == "counts" else signers:
        factories.signed(person, request, role)
    assert judge_now(request).verdict.met
    if word == "counts":
        with pytest.raises(Forbidden) as forbidden:
            promotions.promote(by=cast.mona, request=request)
        assert forbidden.value.code == "promoter_signed"
    else:
        assert promotions.promote(by=cast.mona, request=request).started_by == cast.mona


def test_a_signature_under_another_clause_keeps_nobody_from_starting(world: World) -> None:
    signs_as_well(world)
    request = world.request()
    sign(world, request)
    with pytest.raises(Forbidden):
        promotions.promote(by=world.mona, request=request)
    world.publish(policy(requires=SIGNED.replace("all", "[models, data]")))
    world.sign(request)
    assert promotions.promote(by=world.mona, request=request).started_by == world.mona


def test_each_judgement_is_recorded_once(world: World) -> None:
    done = world.began()
    assert moments(world, done.request.subject) == [
        ("promote", "met"),
        ("start", "met"),
        ("before_live", "met"),
    ]


def test_a_held_request_asks_for_a_reason(world: World) -> None:
    request = world.request(world.bundle("v3"), "qa")
    world.control.fault("scenario_outcome", scenario="TEST_SMOKE", outcome="FAILED")
    world.run(promotions.promote(by=world.mona, request=request))
    holder = world.lane_holder("qa")
    assert holder is not None
    promotions.release_lane(by=world.mona, promotion=holder, why="looked at it")
    request.refresh_from_db()
    with pytest.raises(Invalid) as invalid:
        promotions.promote(by=world.mona, request=request)
    assert invalid.value.code == "why_missing"
    again = world.run(promotions.promote(by=world.mona, request=request, why="the table is there now"))
    assert again.status == S.SUCCEEDED


# --- one at a time ---


def test_one_promotion_per_lane(world: World) -> None:
    world.promote()
    with pytest.raises(Refused) as refused:
        world.promote()
    assert refused.value.code == "lane_busy"
    assert Promotion.objects.count() == 1


def test_who_holds_the_lane_is_told_with_what_to_do(world: World) -> None:
    running = world.promote()
    waiting = world.request()
    with pytest.raises(Refused) as refused:
        promotions.promote(by=world.mona, request=waiting)
    assert refused.value.sentence.startswith(f"Promotion {running.pk} runs and holds ")
    assert refused.value.sentence.endswith("Wait for it to end, then try again.")
    Promotion.objects.filter(pk=running.pk).update(status=S.FAILED, ended_at=timezone.now())
    waiting.refresh_from_db()
    with pytest.raises(Refused) as refused:
        promotions.promote(by=world.mona, request=waiting)
    assert refused.value.sentence.startswith(f"Promotion {running.pk} is over and still holds ")
    assert "release the lane" in refused.value.sentence


def test_a_request_is_tried_again_while_its_rollback_is_watched(world: World) -> None:
    world.began("v2")
    world.publish(policy(watch="60s"))
    bad = world.run(world.promote(world.bundle("v3")), until=lambda p: p.is_over)
    rollback = world.rollback_of(bad)
    assert rollback is not None
    held = DeploymentRequest.objects.select_related("lane__project", "lane__stage", "bundle").get(
        pk=bad.request_id
    )
    with pytest.raises(Refused) as refused:
        promotions.promote(by=world.mona, request=held, why="the table is there now")
    assert refused.value.code == "lane_busy"
    assert refused.value.sentence.startswith(f"Promotion {rollback.pk} runs and holds ")
    world.run_to(rollback, "watch")
    world.look(rollback)
    assert world.lane_holder() is None
    held.refresh_from_db()
    again = promotions.promote(by=world.mona, request=held, why="the table is there now")
    assert world.lane_holder() == again
    world.control.fault("scenario_outcome", scenario="TEST_SMOKE", outcome="SUCCESS")
    again = world.run_to(again, "watch")
    assert world.run(rollback).status == S.SUCCEEDED, "the newer live change ended its watch"
    world.look(again)
    assert world.running() == world.active() == bad.bundle.bundle_id


def test_a_promotion_is_not_started_twice(world: World) -> None:
    done = world.began()
    with pytest.raises(Stale):
        promotions.promote(by=world.mona, request=done.request)


@pytest.mark.postgres
def test_a_double_click_starts_one(committed_world: World) -> None:
    world = committed_world
    request = world.request()
    at_once = threading.Barrier(4)
    said: list[str] = []

    def click() -> None:
        try:
            mine = (
                type(request)
                .objects.select_related("lane__project", "lane__stage", "bundle")
                .get(pk=request.pk)
            )
            at_once.wait()
            promotions.promote(by=world.mona, request=mine)
            said.append("started")
        except Refused as refused:
            said.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said)[-1] == "started"
    assert said.count("started") == Promotion.objects.count() == 1
    assert set(said) - {"started"} <= {"moved_meanwhile", "request_not_open", "lane_busy"}
    kinds = [entry.kind for entry in ledger.events(subject=request.subject)]
    assert kinds.count(EventKind.REQUEST_PROMOTED) == 1
    world.check_ledger()


def test_only_who_may(world: World) -> None:
    request = world.request()
    with pytest.raises(Forbidden):
        promotions.promote(by=world.dev, request=request)
    with pytest.raises(Refused):
        promotions.promote(by=world.people["otto"], request=request)


# --- stopping ---


def test_a_stop_before_the_live_change(world: World) -> None:
    promotion = world.run_to(world.promote(), "pass_gate_again")
    assert promotions.stop(by=world.mona, promotion=promotion, why="wrong week") is None
    promotion.refresh_from_db()
    assert (promotion.status, promotion.reason, promotion.holds_lane) == (S.STOPPED, "wrong week", False)
    assert promotion.request.status == "open"
    assert world.effects()["updates"] == 0
    assert world.told(promotion).entries[-1].facts["then"] == "nothing had changed"
    assert not world.look(promotion).goes_on


@pytest.mark.parametrize("step", ["start_update", "await_update", "run_tests", "watch"])
def test_a_stop_after_the_live_change_rolls_back(world: World, step: str) -> None:
    good = world.began()
    world.publish(policy(watch="60s"))
    promotion = world.run_to(world.promote(), step)
    rollback = promotions.stop(by=world.mona, promotion=promotion, why="customers complain")
    assert rollback is not None
    assert world.lane_holder() == rollback
    world.publish(policy())
    assert world.run(rollback).status == S.SUCCEEDED
    assert world.active() == world.running() == good.bundle.bundle_id
    promotion.refresh_from_db()
    assert promotion.status == S.STOPPED


@pytest.mark.postgres
def test_a_stop_locks_the_promotion_alone(committed_world: World) -> None:
    """Somebody who edits the project meanwhile neither waits for it nor keeps it waiting."""
    world = committed_world
    promotion = world.promote()
    editing, over = threading.Event(), threading.Event()

    def edit() -> None:
        with transaction.atomic():
            Project.objects.select_for_update(no_key=True).get(pk=world.project.pk)
            editing.set()
            over.wait(20)
        connection.close()

    thread = threading.Thread(target=edit)
    thread.start()
    try:
        assert editing.wait(10)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        promotions.stop(by=world.mona, promotion=promotion, why="wrong week")
    finally:
        over.set()
        thread.join()
    promotion.refresh_from_db()
    assert promotion.status == S.STOPPED


def test_a_stop_while_dss_works_waits_for_its_end_and_rolls_back(world: World) -> None:
    good = world.began()
    world.control.set_durations(update=150)
    promotion = world.run_to(world.promote(), "await_update")
    rollback = promotions.stop(by=world.mona, promotion=promotion, why="no")
    assert rollback is not None
    assert world.run(rollback).status == S.SUCCEEDED
    assert world.active() == good.bundle.bundle_id


def test_a_stop_may_keep_what_runs(world: World) -> None:
    world.began()
    promotion = world.run_to(world.promote(), "smoke_test")
    assert promotions.stop(by=world.mona, promotion=promotion, why="it is fine", keep=True) is None
    assert world.lane_holder() == promotion
    assert world.active() == world.running() == promotion.bundle.bundle_id
    with pytest.raises(Refused) as refused:
        world.promote()
    assert refused.value.code == "lane_busy"
    promotions.release_lane(by=world.mona, promotion=promotion, why="tested by hand")
    assert world.lane_holder() is None
    world.promoted()


@pytest.mark.parametrize("keep", [False, True])
def test_a_stop_in_the_watch_takes_the_lane_back(world: World, keep: bool) -> None:
    world.began()
    world.publish(policy(watch="60s"))
    watching = world.run_to(world.promote(), "watch")
    world.look(watching)
    waiting = world.run_to(world.promote(), "pass_gate_again")
    rollback = promotions.stop(by=world.mona, promotion=watching, why="no", keep=keep)
    waiting.refresh_from_db()
    assert waiting.status == S.FAILED
    assert world.lane_holder() == (watching if keep else rollback)


def test_what_was_replaced_is_not_stopped(world: World) -> None:
    world.publish(policy(watch="60s"))
    older = world.run_to(world.promote(), "watch")
    world.look(older)
    newer = world.run_to(world.promote(), "start_update")
    with pytest.raises(Stale) as stale:
        promotions.stop(by=world.mona, promotion=older, why="no")
    assert str(newer.pk) in stale.value.sentence
    assert world.lane_holder() == newer


def test_a_rollback_is_not_stopped_and_a_lane_not_released_while_it_runs(world: World) -> None:
    world.began()
    promotion = world.run_to(world.promote(), "start_update")
    with pytest.raises(Stale):
        promotions.release_lane(by=world.mona, promotion=promotion, why="let go")
    rollback = promotions.stop(by=world.mona, promotion=promotion, why="no")
    assert rollback is not None
    with pytest.raises(Refused) as refused:
        promotions.stop(by=world.mona, promotion=rollback, why="no")
    assert refused.value.code == "rollback_not_stopped"
