"""What the ledger costs: one action's event, against a plain INSERT of the same row."""

import os
import statistics
import time
from collections.abc import Callable

from django.db import transaction
from django.utils import timezone

from portal import ledger
from portal.event_kinds import EventKind
from portal.models import Event, Person
from tests.bench.registry import Measured, benchmark
from tests.databases import copied, pointed_at

TURNS = 300


def each(work: Callable[[int], None]) -> float:
    """Milliseconds of a call, the median of many: a background flush hits one turn, not the figure."""
    times = []
    for number in range(TURNS):
        began = time.perf_counter()
        work(number)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


@benchmark("ledger-append", unit="ms", goal=8.0)
def ledger_append() -> Measured:
    """A business transaction that records one event with a personal fact, against one INSERT in one transaction.

    On PostgreSQL. The append locks the head, writes event and disclosure, moves the head: four statements to the
    floor's one.
    """
    body = os.urandom(600)

    def insert(number: int) -> None:
        with transaction.atomic():
            Event.objects.bulk_create(
                [
                    Event(
                        seq=number, leaf=body[:32], body=body, kind="lane.released", project="CHURN",
                        subject="promotion:1", actor=actor.pk, at=timezone.now(),
                    )
                ]
            )  # fmt: skip

    def append(number: int) -> None:
        with ledger.business():
            ledger.record(
                EventKind.LANE_RELEASED, by=actor, project="CHURN", subject=f"promotion:{number}",
                stage="prod", promotion=number, why="seen by hand", on_behalf_of=None,
            )  # fmt: skip

    with copied("postgres") as database, pointed_at(database):
        actor = Person.objects.create_person("mona", name="Mona Castell")
        floor = each(insert)
    with copied("postgres") as database, pointed_at(database):
        actor = Person.objects.create_person("mona", name="Mona Castell")
        return Measured(each(append), floor)
