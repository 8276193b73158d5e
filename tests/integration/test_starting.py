"""What a policy lets start by itself starts as soon as everything it asks is met, and only then."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from deployments import starting
from deployments.actions import promotions
from deployments.judging import judge_many, judge_now
from deployments.models import DeploymentRequest, Promotion
from deployments.tasks import look_after_all, start_ready, sweep_ready
from governance.actions import policies
from portal import ledger, outbox
from portal import settings as shipped
from portal.actions import accounts
from portal.celery import app
from portal.errors import Stale
from portal.event_kinds import EventKind
from portal.models import Person
from tests.cast import POLICY, Cast, imported, lane
from tests.factories import all_but_signed, all_signed, bundle_registered, request_at
from tests.integration.test_bytes_bound import copy_of
from tests.pages import signed_in, words
from tests.world import World, policy

FULL = POLICY.replace(
    "automation: manual\n        after: {watch: 2s", "automation: full\n        after: {watch: 2s", 1
)


@pytest.fixture
def by_itself(cast: Cast) -> DeploymentRequest:
    """A request for production, where a promotion starts by itself; everything is there but the signatures."""
    assert FULL != POLICY
    policies.publish(by=cast.ada, source=FULL)
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    return request_at(cast, bundle=bundle, lane=cast.prod)


def test_it_starts_with_the_last_signature_and_not_before(cast: Cast, by_itself: DeploymentRequest) -> None:
    assert starting.start_ready("CHURN") == []
    all_signed(cast, by_itself)
    assert starting.start_ready("MAINT") == []
    (promotion,) = starting.start_ready("CHURN")
    by_itself.refresh_from_db()
    assert by_itself.status == "promoting"
    assert (promotion.request, promotion.started_by) == (by_itself, Person.objects.system())
    assert promotion.on_behalf_of is None
    event = ledger.events(kinds=[EventKind.REQUEST_PROMOTED], subject=by_itself.subject)[-1]
    assert event.facts["why"] == (
        "Policy demo-policy, version 2, starts it by itself: everything it asks is met."
    )
    judged = ledger.events(kinds=[EventKind.VERDICT_JUDGED], subject=by_itself.subject)[-1]
    assert (judged.facts["outcome"], judged.facts["moment"]) == ("met", "promote")
    assert starting.start_ready() == [], "once"


def test_the_sweep_starts_it_as_well(cast: Cast, by_itself: DeploymentRequest) -> None:
    sweep_ready()
    assert not Promotion.objects.filter(request=by_itself).exists()
    all_signed(cast, by_itself)
    sweep_ready()
    assert Promotion.objects.filter(request=by_itself).exists()


def test_a_sweep_looks_at_so_many_and_the_next_at_the_others(
    cast: Cast, by_itself: DeploymentRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "A_SWEEP", 1)
    # More than the bound, none of them ready, and all of them looked at longer ago.
    others = [
        DeploymentRequest.objects.create(
            lane=lane(other, "prod"),
            bundle=copy_of(by_itself.bundle, project_id=other.pk),
            why="It is better.",
            requested_by=cast.dev,
            swept_at=timezone.now() - timedelta(hours=number),
        )
        for number, other in enumerate(
            (
                imported(
                    by=cast.ada,
                    node=cast.design,
                    pipeline=cast.pipeline,
                    key=key,
                    tier=cast.churn.tier,
                    owner="olga",
                )
                for key in ("ONE", "TWO")
            ),
            start=1,
        )
    ]
    all_signed(cast, by_itself)
    judged: list[int] = []

    def counted(requests: list[DeploymentRequest]) -> Any:
        judged.extend(one.pk for one in requests)
        return judge_many(requests)

    monkeypatch.setattr(starting, "judge_many", counted)
    for _sweep in range(2):
        assert starting.start_ready() == []
    assert len(starting.start_ready()) == 1, "none waits for ever behind those that never get ready"
    assert judged == [others[1].pk, others[0].pk, by_itself.pk]
    starting.start_ready()
    assert judged[3:] == [others[1].pk]


def test_where_a_person_starts_nothing_starts_by_itself(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    request = request_at(cast, bundle=bundle, lane=cast.prod)
    all_signed(cast, request)
    assert starting.start_ready() == []


def test_a_held_request_waits_for_a_person(cast: Cast, by_itself: DeploymentRequest) -> None:
    all_signed(cast, by_itself)
    ((request, judged),) = starting._ready(None)
    DeploymentRequest.objects.filter(pk=by_itself.pk).update(held="The last one failed.")
    assert starting.start_ready() == []
    # Also where that happened after it was read.
    with pytest.raises(Stale, match="held"):
        promotions.start_by_itself(by=Person.objects.system(), request=request, judged=judged)
    by_itself.refresh_from_db()
    assert (by_itself.status, by_itself.held) == ("open", "The last one failed.")


def test_a_lane_that_is_taken_is_waited_for(cast: Cast, by_itself: DeploymentRequest) -> None:
    all_signed(cast, by_itself)
    Promotion.objects.filter(lane=cast.qa).update(
        lane=cast.prod, holds_lane=True, status="running", ended_at=None
    )
    assert starting.start_ready() == []
    Promotion.objects.filter(lane=cast.prod).update(
        holds_lane=False, status="succeeded", ended_at=timezone.now()
    )
    assert len(starting.start_ready()) == 1


def test_whoever_asked_must_still_be_allowed_to(cast: Cast, by_itself: DeploymentRequest) -> None:
    all_signed(cast, by_itself)
    accounts.disable(by=cast.ada, person=cast.dev, why="Left.")
    assert starting.start_ready() == []


def test_the_page_says_why_it_does_not_start(cast: Cast, by_itself: DeploymentRequest) -> None:
    all_signed(cast, by_itself)
    accounts.disable(by=cast.ada, person=cast.dev, why="Left.")
    page = words(signed_in(cast.mona).get(f"/projects/CHURN/requests/{by_itself.pk}/"))
    assert "Whoever asked for this no longer has the right to." in page
    assert "by itself in a moment" not in page


def test_one_that_cannot_be_started_stops_no_other(
    cast: Cast, by_itself: DeploymentRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_signed(cast, by_itself)
    real = promotions.start_by_itself
    asked: list[int] = []

    def breaks_once(**wish: Any) -> Promotion:
        asked.append(wish["request"].pk)
        if len(asked) == 1:
            raise ZeroDivisionError
        return real(**wish)

    monkeypatch.setattr(promotions, "start_by_itself", breaks_once)
    monkeypatch.setattr(starting, "_ready", lambda project, ready=starting._ready: [*ready(project)] * 2)
    assert len(starting.start_ready()) == 1


def test_two_at_once_start_it_once(cast: Cast, by_itself: DeploymentRequest) -> None:
    all_signed(cast, by_itself)
    ((request, judged),) = starting._ready(None)
    again = DeploymentRequest.objects.select_related("lane__project", "lane__stage").get(pk=request.pk)
    promotions.start_by_itself(by=Person.objects.system(), request=request, judged=judged)
    with pytest.raises(Stale):
        promotions.start_by_itself(by=Person.objects.system(), request=again, judged=judged)
    assert Promotion.objects.filter(request=request).count() == 1


def test_what_is_not_met_or_not_full_is_not_started_whoever_calls(
    cast: Cast, by_itself: DeploymentRequest
) -> None:
    request = DeploymentRequest.objects.select_related(
        "lane__project", "lane__stage", "bundle__author", "requested_by", "on_behalf_of"
    ).get(pk=by_itself.pk)
    with pytest.raises(ValueError, match="does not start by itself"):
        promotions.start_by_itself(by=Person.objects.system(), request=request, judged=judge_now(request))


def test_the_page_says_so(cast: Cast, by_itself: DeploymentRequest) -> None:
    address = f"/projects/CHURN/requests/{by_itself.pk}/"
    assert "As soon as everything is met, v1 goes to Production by itself." in words(
        signed_in(cast.dev).get(address)
    )
    all_signed(cast, by_itself)
    assert "v1 goes to Production by itself in a moment." in words(signed_in(cast.dev).get(address))


@pytest.mark.parametrize(
    "kind",
    ["signoff.given", "signoff.withdrawn", "evidence.recorded", "deployment.changed", "request.submitted"],
)
def test_events_wake_it_with_the_project(kind: str, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    sent: list[tuple[str, list[str]]] = []

    class Wire:
        def __enter__(self) -> "Wire":
            return self

        def __exit__(self, *_exc: object) -> None: ...

    monkeypatch.setattr(app, "connection_for_write", lambda **_options: Wire())
    monkeypatch.setattr(app, "send_task", lambda task, args, **_options: sent.append((task, args)))
    settings.EVENT_TASKS, settings.PROJECT_TASKS = {}, shipped.PROJECT_TASKS
    settings.ESTATE_TASKS = shipped.ESTATE_TASKS
    outbox.wake(kind, "thing:7", "CHURN")
    assert (start_ready.name, ["CHURN"]) in sent
    before = len(sent)
    outbox.wake(kind, "thing:7", "")
    assert len(sent) == before
    # A right on the estate, or a portfolio, is no project's event; any signature may hang on it.
    outbox.wake("grant.revoked", "grant:7", "")
    assert sent[before:] == [(look_after_all.name, [""])]


def test_what_wakes_something_is_a_kind_of_event_and_a_task_there_is() -> None:
    app.loader.import_default_modules()
    every = (shipped.EVENT_TASKS, shipped.PROJECT_TASKS, shipped.ESTATE_TASKS)
    for kind, tasks in [one for some in every for one in some.items()]:
        assert kind in set(EventKind)
        assert set(tasks) <= set(app.tasks)


# --- through the engine -----------------------------------------------------------------------------------------------

ENGINE = policy().replace("automation: manual", "automation: full")


def test_the_engine_takes_it_to_its_end(world: World) -> None:
    world.publish(ENGINE)
    request = world.request(stage="prod")
    (promotion,) = starting.start_ready()
    done = world.run(promotion)
    assert done.status == Promotion.Status.SUCCEEDED, done.reason
    assert world.running() == request.bundle.bundle_id


def test_a_policy_that_changed_meanwhile_stops_it_before_anything_is_live(world: World) -> None:
    world.publish(ENGINE)
    world.request(stage="prod")
    (promotion,) = starting.start_ready()
    world.run_to(promotion, "pass_gate_again")
    world.publish(policy())
    failed = world.run(promotion)
    assert (failed.status, failed.live_at) == (Promotion.Status.FAILED, None)
    assert "does not let that be any more" in failed.reason
    failed.request.refresh_from_db()
    assert failed.request.held
    assert starting.start_ready() == []


def test_what_failed_does_not_start_again_by_itself(world: World) -> None:
    world.publish(ENGINE)
    world.control.fault("future_fails", message="no space left")
    world.request(stage="prod")
    (promotion,) = starting.start_ready()
    world.run(promotion)
    world.publish(ENGINE)
    assert starting.start_ready() == []
