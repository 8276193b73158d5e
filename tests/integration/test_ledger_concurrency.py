"""Many writers at once: no gap at any moment, commit order, nothing lost."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection

from portal import checkpoints, ledger
from portal.event_kinds import EventKind
from portal.models import Event, Person
from portal.verification import verify
from tests.conftest import Database

WRITERS = 8


def land(writer: int, number: int) -> None:
    ledger.record(
        EventKind.REQUEST_LANDED,
        by=None,
        project="CHURN",
        subject=f"writer:{writer}",
        request=number,
        promotion=writer,
    )


def in_threads(*calls: Callable[[], None]) -> None:
    """Run these at the same time, each with a connection of its own, and raise what any of them raised."""
    start = threading.Barrier(len(calls))

    def one(call: Callable[[], None]) -> None:
        try:
            start.wait(30)
            call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(one, call) for call in calls]
    for future in running:
        future.result()


def test_eight_writers_leave_no_gap(each_database: Database, full_size: bool) -> None:
    turns = 200 if full_size else 15
    Person.objects.system()
    written = threading.Event()
    gaps: list[tuple[int, int]] = []

    def write(writer: int) -> None:
        for number in range(turns):
            with ledger.business():
                land(writer, 2 * number)
                land(writer, 2 * number + 1)

    def look() -> None:
        while not written.wait(0.005):
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*), coalesce(max(seq) + 1, 0) FROM portal_event")
                count, following = cursor.fetchone()
            if count != following:
                gaps.append((count, following))
        connection.close()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        in_threads(*[partial(write, writer) for writer in range(WRITERS)])
    finally:
        written.set()
        looking.join()
    assert gaps == []
    entries = ledger.events()
    assert [entry.seq for entry in entries] == list(range(WRITERS * turns * 2))
    for writer in range(WRITERS):
        own = [entry for entry in entries if entry.subject == f"writer:{writer}"]
        assert [entry.facts["request"] for entry in own] == list(range(turns * 2))
        # The two events of one transaction stand side by side.
        assert all(second.seq == first.seq + 1 for first, second in zip(own[::2], own[1::2], strict=True))
    assert verify().problem == ""


def test_checkpoints_cut_among_writers_hold(each_database: Database) -> None:
    Person.objects.system()

    def write(writer: int) -> None:
        for number in range(10):
            with ledger.business():
                land(writer, number)

    def cut() -> None:
        for _ in range(5):
            checkpoints.cut()

    in_threads(partial(write, 1), partial(write, 2), cut, cut)
    found = verify()
    assert (found.problem, found.events, found.checkpoints) == ("", 30, 10)


@pytest.mark.postgres
def test_the_number_is_taken_at_the_end_of_a_transaction(database_copy: Database) -> None:
    """Who recorded first and commits last comes last, and keeps nobody waiting meanwhile."""
    Person.objects.system()
    recorded, committed = threading.Event(), threading.Event()

    def slow() -> None:
        with ledger.business():
            land(1, 1)
            recorded.set()
            assert committed.wait(30)

    def quick() -> None:
        assert recorded.wait(30)
        with ledger.business():
            land(2, 1)
        committed.set()

    in_threads(slow, quick)
    assert [row.subject for row in Event.objects.order_by("seq")] == ["writer:2", "writer:1"]


@pytest.mark.postgres
def test_whoever_is_next_is_next(database_copy: Database) -> None:
    """What was committed before is seen by then, and nothing comes in between."""
    Person.objects.system()
    waits, has_recorded = threading.Event(), threading.Event()
    seen: list[int] = []

    def first() -> None:
        with ledger.business():
            ledger.be_next()
            seen.append(Event.objects.count())
            waits.set()
            assert has_recorded.wait(30)
            seen.append(Event.objects.count())
            land(1, 1)

    def other() -> None:
        assert waits.wait(30)
        with ledger.business():
            land(2, 1)
            has_recorded.set()

    with ledger.business():
        land(0, 1)
    in_threads(first, other)
    assert seen == [1, 1]
    assert [row.subject for row in Event.objects.order_by("seq")] == ["writer:0", "writer:1", "writer:2"]


def test_nobody_is_next_outside_a_business_transaction(each_database: Database) -> None:
    with pytest.raises(ledger.Misrecorded):
        ledger.be_next()
