"""Change tickets on requests, and windows: who sets them, what waits, and what starts when the time comes."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from deployments import starting
from deployments.actions import promotions, requests
from deployments.judging import judge_now
from deployments.models import Promotion
from governance import queries
from governance.actions import policies
from governance.gate import instant
from governance.window import DAYS
from portal import ledger
from portal.errors import Absent, Forbidden, Invalid, Refused, Stale
from portal.event_kinds import EventKind
from tests.api import session
from tests.cast import POLICY, Cast
from tests.factories import bundle_registered, request_at
from tests.pages import signed_in, words
from tests.world import World, policy

ASKS = POLICY.replace(
    "      qa:\n        requires: []",
    '      qa:\n        requires: [{change_ticket: {pattern: "CHG[0-9]+"}}]',
)


def on(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Let the gate judge at this moment."""
    monkeypatch.setattr(queries, "timezone", SimpleNamespace(now=lambda: moment))


# --- tickets ---


def test_the_gate_waits_for_the_ticket(cast: Cast) -> None:
    assert ASKS != POLICY
    policies.publish(by=cast.ada, source=ASKS)
    wish = request_at(cast, lane=cast.qa)
    (finding,) = judge_now(wish).verdict.findings
    assert (finding.code, str(cast.dev.pk) in finding.unblock) == ("ticket_missing", True)
    with pytest.raises(Refused):
        promotions.promote(by=cast.mona, request=wish, why="")
    requests.set_ticket(by=cast.olga, request=wish, ticket=" CHG0042 ")
    assert judge_now(wish).verdict.met
    requests.set_ticket(by=cast.olga, request=wish, ticket="CHG0042")
    requests.set_ticket(by=cast.dev, request=wish, ticket="")
    first, second = ledger.events(kinds=[EventKind.REQUEST_TICKETED])
    assert (first.subject, first.actor_id) == (wish.subject, str(cast.olga.pk))
    assert (first.facts["was"], first.facts["ticket"]) == ("", "CHG0042")
    assert (second.facts["was"], second.facts["ticket"]) == ("CHG0042", "")


def test_a_ticket_is_given_when_asking(cast: Cast) -> None:
    wish = requests.submit(
        by=cast.dev, bundle=bundle_registered(cast), lane=cast.qa, why="Please.", ticket="CHG7"
    )
    assert wish.ticket == "CHG7"
    (event,) = ledger.events(kinds=[EventKind.REQUEST_TICKETED])
    assert event.facts["ticket"] == "CHG7"
    # What no policy asks for is in the case all the same, so that a later policy can be replayed on it.
    assert judge_now(wish).case.ticket == "CHG7"
    assert (
        judge_now(request_at(cast, bundle=bundle_registered(cast, "v2"), lane=cast.prod)).case.ticket is None
    )


@pytest.mark.parametrize(
    "ticket", ["CHG 7", "-CHG7", "a" * 101, "CHG7\n8", "Ärger", "<b>CHG</b>", "CHG7\u202e"]
)
def test_what_is_no_ticket_is_refused_by_name(cast: Cast, ticket: str) -> None:
    wish = request_at(cast)
    with pytest.raises(Invalid) as invalid:
        requests.set_ticket(by=cast.dev, request=wish, ticket=ticket)
    assert (invalid.value.code, invalid.value.field) == ("ticket_unusable", "ticket")
    with pytest.raises(Invalid):
        requests.submit(by=cast.dev, bundle=wish.bundle, lane=cast.prod, why="Please.", ticket=ticket)


def test_who_may_request_sets_it_and_only_while_it_is_open(cast: Cast) -> None:
    wish = request_at(cast, lane=cast.prod)
    with pytest.raises(Absent):
        requests.set_ticket(by=cast.otto, request=wish, ticket="CHG7")
    for who in (cast.fay, cast.ada):
        with pytest.raises(Forbidden):
            requests.set_ticket(by=who, request=wish, ticket="CHG7")
    requests.withdraw(by=cast.dev, request=wish, why="Not now.")
    with pytest.raises(Stale) as stale:
        requests.set_ticket(by=cast.dev, request=wish, ticket="CHG7")
    assert "withdrawn" in stale.value.sentence


def test_the_page_offers_it_to_who_can(cast: Cast) -> None:
    policies.publish(by=cast.ada, source=ASKS)
    wish = request_at(cast, lane=cast.qa)
    path = f"/projects/CHURN/requests/{wish.pk}/"
    dev = signed_in(cast.dev)
    assert "The request carries no change ticket." in words(dev.get(path))
    assert "Give the ticket" in words(dev.get(path))
    assert "Give the ticket" not in words(signed_in(cast.nora).get(path))
    assert "A change ticket is a number" in words(dev.post(f"{path}ticket/", {"ticket": "no good"}))
    answer = dev.post(f"{path}ticket/", {"ticket": "CHG0042"})
    assert answer.status_code == 302
    page = words(dev.get(path))
    assert "The request carries CHG0042." in page
    assert "Change ticket CHG0042" in page
    assert signed_in(cast.fay).post(f"{path}ticket/", {"ticket": "CHG1"}).status_code == 403


def test_the_api_takes_it(cast: Cast) -> None:
    dev = session(cast.dev)
    bundle = bundle_registered(cast)
    asked = {"project": "CHURN", "bundle_id": bundle.bundle_id, "stage": "qa", "why": "Please."}
    made = dev.post("requests/", **asked, ticket="CHG7")
    assert made["ticket"] == "CHG7"
    again = dev.post(f"requests/{made['number']}/ticket/", ticket="CHG8")
    assert again["ticket"] == "CHG8"
    problem = dev.refused(400, "post", f"requests/{made['number']}/ticket/", {"ticket": "a b"})
    assert problem["field"] == "ticket"


# --- windows ---

OPENS = datetime(2027, 3, 28, 7, 30, tzinfo=UTC)  # Sunday, the day on which the clocks are put forward
SUNDAY = '[{window: {days: sun, hours: "09:30-16:00", zone: Europe/Paris}}]'
ENGINE = policy(requires=SUNDAY).replace("automation: manual", "automation: full")


def closed_now() -> str:
    day = DAYS[(timezone.now() + timedelta(days=3)).weekday()]
    return f'[{{window: {{days: {day}, hours: "09:00-16:00", zone: UTC}}}}]'


def test_the_sweep_starts_it_when_the_window_opens(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.publish(ENGINE)
    request = world.request(stage="prod")
    on(monkeypatch, OPENS - timedelta(days=2))
    verdict = judge_now(request).verdict
    assert verdict.holds_until == verdict.findings[0].holds_until == instant(OPENS)
    on(monkeypatch, OPENS - timedelta(microseconds=1))
    assert starting.start_ready() == []
    on(monkeypatch, OPENS)
    (promotion,) = starting.start_ready()
    assert promotion.request == request
    assert world.run(promotion).status == Promotion.Status.SUCCEEDED


def test_nobody_starts_it_outside_its_window(world: World) -> None:
    world.publish(policy(requires=closed_now()))
    with pytest.raises(Refused) as no:
        world.promote()
    assert no.value.code == "gate_closed"


def test_what_misses_its_window_waits_for_the_next_before_anything_is_live(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.publish(policy(requires=SUNDAY))
    on(monkeypatch, OPENS)
    promotion = world.run_to(world.promote(), "pass_gate_again")
    on(monkeypatch, OPENS + timedelta(days=1))
    before = len(world.told(promotion).entries)
    for _poll in range(3):
        turn = world.look(promotion)
        assert turn.at is not None
        assert timedelta(seconds=50) < turn.at - timezone.now() < timedelta(seconds=61)
        Promotion.objects.update(wake_at=None)
    step = world.step(promotion, "pass_gate_again")
    assert (step.status, step.output) == ("started", {"opens": instant(OPENS + timedelta(days=7, hours=0))})
    promotion.refresh_from_db()
    assert (promotion.live_at, promotion.status) == (None, "running")
    assert len(world.told(promotion).entries) == before, "a poll writes no event"
    page = words(signed_in(world.dev).get(f"/projects/CHURN/requests/{promotion.request_id}/"))
    assert "It goes on by itself when the window opens, on 4 April 2027, 07:30 UTC." in page
    on(monkeypatch, OPENS + timedelta(days=7))
    assert world.run(promotion).status == Promotion.Status.SUCCEEDED


def test_a_window_that_closes_after_the_last_look_is_waited_for_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.publish(policy(requires=SUNDAY))
    on(monkeypatch, OPENS)
    promotion = world.run_to(world.promote(), "go_live")
    on(monkeypatch, OPENS + timedelta(days=1))
    turn = world.look(promotion)
    assert turn.at is not None
    assert turn.at > timezone.now()
    promotion.refresh_from_db()
    assert (promotion.live_at, promotion.status, promotion.lease) == (None, "running", "")
    assert world.step(promotion, "go_live").output == {"opens": instant(OPENS + timedelta(days=7))}
    on(monkeypatch, OPENS + timedelta(days=7))
    assert world.run(promotion).status == Promotion.Status.SUCCEEDED


def test_what_lapses_while_it_waits_ends_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.publish(policy(requires=SUNDAY))
    on(monkeypatch, OPENS)
    promotion = world.run_to(world.promote(), "pass_gate_again")
    on(monkeypatch, OPENS + timedelta(days=1))
    world.look(promotion)
    world.publish(policy(requires=f'{SUNDAY[:-1]}, {{change_ticket: {{pattern: "CHG[0-9]+"}}}}]'))
    Promotion.objects.update(wake_at=None)
    world.look(promotion)
    promotion.refresh_from_db()
    assert (promotion.status, promotion.live_at) == ("failed", None)
    assert "A change ticket like CHG[0-9]+" in promotion.reason


def test_who_waits_can_be_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.publish(policy(requires=SUNDAY))
    on(monkeypatch, OPENS)
    promotion = world.run_to(world.promote(), "pass_gate_again")
    on(monkeypatch, OPENS + timedelta(days=1))
    world.look(promotion)
    promotions.stop(by=world.mona, promotion=promotion, why="Not this week.")
    assert world.lane_holder() is None
