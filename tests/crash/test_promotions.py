"""Promotion, rollback and disabling, each killed at every step and note: same end, same effects, same events."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.db import transaction

from deployments.models import Deployment, Promotion
from tests.crash.kill import POINTS, kills, run
from tests.world import World, difference

pytestmark = pytest.mark.crash


@dataclass(frozen=True, slots=True)
class End:
    """What a way of going comes to, whatever happened on it."""

    statuses: tuple[str, ...]
    effects: dict[str, int]
    events: tuple[tuple[str, ...], ...]
    running: bool
    lane: str | None


def good(world: World) -> Promotion:
    return world.promote(world.bundle("v2"))


def failing(world: World) -> Promotion:
    """Its smoke test fails in production; there is something good to return to."""
    return world.promote(world.bundle("v3"))


def first(world: World) -> None:
    return None


def before(world: World) -> None:
    world.began("v2")


WAYS: dict[str, tuple[Callable[[World], None], Callable[[World], Promotion]]] = {
    "promotion": (before, good),
    "first promotion": (first, good),
    "rollback": (before, failing),
    "disabling": (first, failing),
}


def come_to(world: World, promotion: Promotion, effects: dict[str, int]) -> End:
    all_of_it = [promotion]
    while (rollback := world.rollback_of(all_of_it[-1])) is not None:
        all_of_it.append(rollback)
    for one in all_of_it:
        one.refresh_from_db()
    holder = world.lane_holder()
    assert world.running() == (world.active() if world.running() else None)
    assert Deployment.objects.filter(lane=world.lane(), ended_at__isnull=True).count() <= 1
    return End(
        tuple(f"{one.kind} {one.status}" for one in all_of_it),
        effects,
        tuple((*world.told(one).kinds(), *world.told(one).steps()) for one in all_of_it),
        world.running() is not None,
        holder.kind if holder else None,
    )


def play(world: World, way: str) -> tuple[End, int]:
    begin, then = WAYS[way]
    begin(world)
    promotion = then(world)
    effects_before = world.effects()
    killed = run(world, promotion)
    return come_to(world, promotion, difference(world.effects(), effects_before)), killed


UNDISTURBED: dict[str, End] = {}


@pytest.mark.parametrize("way", WAYS)
def test_undisturbed(world: World, way: str) -> None:
    end, killed = play(world, way)
    UNDISTURBED[way] = end
    assert killed == 0
    assert (
        end.statuses
        == {
            "promotion": ("promote succeeded",),
            "first promotion": ("promote succeeded",),
            "rollback": ("promote failed", "rollback succeeded"),
            "disabling": ("promote failed", "disable succeeded"),
        }[way]
    )
    assert end.lane == ("disable" if way == "disabling" else None)


# A sandbox takes long to come back; on these two ways it is killed at every kind of step.
SOON = {"first promotion", "rollback"}
KILLS = [
    pytest.param(way, point, marks=[pytest.mark.long] if point == "sandbox" and way not in SOON else [])
    for point in POINTS
    for way in WAYS
]


@pytest.mark.parametrize(("way", "point"), KILLS)
def test_killed(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    point: str,
) -> None:
    if way not in UNDISTURBED:  # this test worker has not played it yet
        pristine = transaction.savepoint()
        UNDISTURBED[way], _none = play(world, way)
        transaction.savepoint_rollback(pristine)  # a disabling, for one, holds its lane
        world.control.reset()
    begin, then = WAYS[way]
    begin(world)
    promotion = then(world)
    effects_before = world.effects()
    with kills(world, monkeypatch, point) as happened:
        killed = run(world, promotion)
    steps = {where.split()[0] for where in happened}
    if point != "after each act of DSS":
        walked = {
            f"{one.kind}/{step.name}"
            for one in Promotion.objects.filter(pk__gte=promotion.pk)
            for step in one.steps.exclude(status="skipped")
        }
        assert steps == walked
        assert killed == (0 if point == "sandbox" else len(happened))
    assert come_to(world, promotion, difference(world.effects(), effects_before)) == UNDISTURBED[way]
    world.check_ledger()
