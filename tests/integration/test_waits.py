"""Who looks at waits: tickets, bounded rounds, the sweep; and once all of it with a real worker on a real broker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as portal_settings
from django.utils import timezone

from deployments import runner, tasks, waits
from deployments.actions import promotions
from deployments.models import Poller, Promotion
from portal.celery import app
from tests import servers
from tests.world import World

S = Promotion.Status


class Sent:
    """Stands in for the broker: messages are kept, and delivered when a test says so."""

    def __init__(self) -> None:
        self.polls: list[tuple[int, float]] = []
        self.advances: list[int] = []


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    kept = Sent()
    monkeypatch.setattr(tasks, "_send_poll", lambda ticket, seconds: kept.polls.append((ticket, seconds)))
    monkeypatch.setattr(tasks.advance_promotion, "delay", lambda pk: kept.advances.append(int(pk)))
    return kept


def waiting(world: World, step: str = "await_update") -> Promotion:
    """A promotion that waits for DSS."""
    world.control.set_durations(update=60_000)
    promotion = world.run_to(world.promote(), step)
    runner.advance(promotion.pk)
    promotion.refresh_from_db()
    assert promotion.wake_at is not None
    return promotion


def due(promotion: Promotion) -> None:
    Promotion.objects.filter(pk=promotion.pk).update(wake_at=timezone.now() - timedelta(seconds=3))


# --- tickets ---


def test_only_the_newest_ticket_counts(db: None) -> None:
    seen: list[int] = []
    now = timezone.now()
    waits.schedule(now + timedelta(seconds=10), lambda ticket, _s: seen.append(ticket))
    waits.schedule(now + timedelta(seconds=5), lambda ticket, _s: seen.append(ticket))
    assert len(seen) == 2
    assert waits.take(seen[0]) is None, "overtaken by a sooner one"
    assert waits.take(seen[1]) == []
    assert waits.take(seen[1]) is None, "the same message came twice"


def test_a_later_wait_sends_nothing(db: None) -> None:
    seen: list[float] = []
    now = timezone.now()
    waits.schedule(now + timedelta(seconds=5), lambda _t, seconds: seen.append(seconds))
    waits.schedule(now + timedelta(seconds=10), lambda _t, seconds: seen.append(seconds))
    assert seen == [pytest.approx(5, abs=0.5)]


def test_a_poll_looks_at_what_is_due_and_comes_back(world: World, sent: Sent) -> None:
    promotion = waiting(world)
    due(promotion)
    waits.schedule(timezone.now(), tasks._send_poll)
    tasks.poll(sent.polls[-1][0])
    promotion.refresh_from_db()
    assert promotion.wake_at is not None
    assert promotion.wake_at > timezone.now() - timedelta(seconds=1)
    ticket, seconds = sent.polls[-1]
    assert seconds <= 2
    assert ticket == Poller.objects.get().ticket


def test_a_lost_poll_is_made_good_by_the_sweep(world: World, sent: Sent) -> None:
    promotion = waiting(world)
    waits.schedule(timezone.now(), tasks._send_poll)
    lost = sent.polls.pop()
    tasks.sweep()
    assert sent.polls == [], "it is not late yet"
    due(promotion)
    Poller.objects.update(due_at=timezone.now() - timedelta(seconds=3))
    tasks.sweep()
    assert len(sent.polls) == 1
    tasks.poll(lost[0])
    assert len(sent.polls) == 1, "the lost message came after all, and does not count"


def test_a_poll_that_died_half_way_is_made_good(world: World, sent: Sent) -> None:
    promotion = waiting(world)
    waits.schedule(timezone.now(), tasks._send_poll)
    assert waits.take(sent.polls.pop()[0]) is not None  # and then the worker dies
    due(promotion)
    tasks.sweep()
    assert sent.polls or promotion.pk in sent.advances


def test_doubled_messages_do_no_harm(world: World, sent: Sent) -> None:
    promotion = world.promote()
    for _ in range(60):
        tasks.advance_promotion(str(promotion.pk))
        tasks.advance_promotion(str(promotion.pk))
        for ticket, _seconds in list(sent.polls[-2:]):
            tasks.poll(ticket)
        time.sleep(0.02)
        Promotion.objects.filter(pk=promotion.pk).update(wake_at=None)
        promotion.refresh_from_db()
        if promotion.is_over:
            break
    assert promotion.status == S.SUCCEEDED
    assert world.effects()["updates"] == 1


def test_a_look_that_breaks_does_not_stop_the_poll(
    world: World, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    promotion = waiting(world)
    due(promotion)
    waits.schedule(timezone.now(), tasks._send_poll)

    def broken(_pk: int) -> runner.Turn:
        raise RuntimeError("database gone")

    monkeypatch.setattr(runner, "advance", broken)
    tasks.poll(sent.polls.pop()[0])
    assert sent.polls, "it comes back"


# --- many ---


def test_one_round_is_bounded(db: None, sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred are due and each look takes 20 ms: a poll stops after its second and sends the next one."""
    looked: list[int] = []

    def slow(pk: int) -> runner.Turn:
        looked.append(pk)
        time.sleep(0.02)
        return runner.OVER

    monkeypatch.setattr(runner, "advance", slow)
    monkeypatch.setattr(waits, "take", lambda _ticket: list(range(200)))
    monkeypatch.setattr(waits, "others_than", lambda _looked_at: True)
    monkeypatch.setattr(waits, "next_due", timezone.now)
    began = time.monotonic()
    tasks.poll(1)
    assert time.monotonic() - began < 3
    assert 5 < len(looked) < 100
    ahead = sent.polls[0]
    assert ahead[1] == pytest.approx(1, abs=0.2), "should one look hang, another poll goes on in a second"


def test_a_round_with_nothing_due_takes_few_queries(
    world: World, sent: Sent, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    """What a poll asks about the waits themselves; each look has its own."""
    promotion = waiting(world)
    Promotion.objects.filter(pk=promotion.pk).update(wake_at=timezone.now() + timedelta(hours=1))
    waits.schedule(timezone.now(), tasks._send_poll)
    with django_assert_max_num_queries(10):
        tasks.poll(sent.polls.pop()[0])


# --- a real worker ---


@contextmanager
def worker(environment: dict[str, str], place: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts workers with beat; all are gone on leaving."""
    begun: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        with (place / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", "portal.celery", "worker", "--beat"),
                    *("--concurrency", "1", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"),
                    *("--pidfile", "", "--schedule", str(place / "beat")),
                ],
                env=environment,
                stdout=log,
                stderr=log,
                cwd=portal_settings.BASE_DIR,
                start_new_session=True,
                preexec_fn=servers.dies_with_parent(signal.SIGKILL),
            )
        begun.append(process)
        return process

    try:
        yield start
    finally:
        for process in begun:
            kill(process)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL to the worker and its pool."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.crash
@pytest.mark.parametrize(
    "killed", [pytest.param(False, id="left alone", marks=pytest.mark.long), pytest.param(True, id="killed")]
)
def test_a_real_worker(
    each_database: Any,
    fresh_sandbox: Any,
    valkey: servers.Broker,
    tmp_path: Path,
    settings: Any,
    killed: bool,
) -> None:
    """The message of the promotion's own event wakes the worker; a killed one is followed by the next."""
    world = World(fresh_sandbox)
    bundle = world.bundle()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "COUNTERSIGN_DEMO": "1",
        "COUNTERSIGN_DATABASE_URL": each_database.url,
        "COUNTERSIGN_DATA_DIR": str(tmp_path),
        "COUNTERSIGN_BROKER_URL": valkey.url,
        "COUNTERSIGN_DSS_KEY_DIR": settings.DSS_KEY_DIR,
        "COUNTERSIGN_SWEEP_SECONDS": "0.5",
        "COUNTERSIGN_LEASE_SECONDS": "2",
    }
    with worker(environment, tmp_path) as start:
        process = start()
        request = world.request(bundle)
        with app.connection_for_write(url=valkey.url) as connection:
            world.control.set_durations(update=600, scenario=100)
            promotion = promotions.promote(by=world.mona, request=request)
            app.send_task(
                "deployments.tasks.advance_promotion", args=[str(promotion.pk)], connection=connection
            )

        def status() -> str:
            return Promotion.objects.get(pk=promotion.pk).status

        if killed:
            servers.until(lambda: world.current(promotion) == "await_update", "the wait", 60)
            kill(process)
            start()
        try:
            servers.until(lambda: status() != S.RUNNING, "the end", 25)
        except TimeoutError:
            print(
                (tmp_path / "worker.log").read_text()[-3000:],
                world.steps(promotion),
                Promotion.objects.values(),
                Poller.objects.values(),
            )
            raise
    assert status() == S.SUCCEEDED, (tmp_path / "worker.log").read_text()[-3000:]
    effects = world.effects()
    assert effects["uploads"] == effects["updates"] == effects["runs_finished TEST_SMOKE"] == 1
    world.check_ledger()
