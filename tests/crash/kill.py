"""Kills a worker at an exact point of its work, as SIGKILL would: nothing after that point happens, no lease is given
back. Not in charge of what comes after: the sweep's `waits.orphans()` has to find it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from deployments import runner, waits
from deployments.models import Promotion
from deployments.steps import STEPS
from deployments.steps.outcome import Answer, StepFailed, Work
from portal.dss.client import Dss
from tests.world import World

POINTS = ("before the step", "after the step", "after the commit", "after each act of DSS", "sandbox")


class Killed(BaseException):
    """SIGKILL: no `except Exception` sees it."""


@contextmanager
def kills(world: World, monkeypatch: pytest.MonkeyPatch, point: str) -> Iterator[list[str]]:
    """Kill once at every look that differs: at each step, and there at each note. Yields where kills happened."""
    happened: list[str] = []

    def first_time(where: str) -> bool:
        if where in happened:
            return False
        happened.append(where)
        return True

    def look(step: Callable[[Work], Answer]) -> Callable[[Work], Answer]:
        def stepped(work: Work) -> Answer:
            where = f"{work.promotion.kind}/{step.__name__} {'+'.join(sorted(_flat(work.note)))}"
            if point == "before the step" and first_time(where):
                raise Killed
            if point == "sandbox" and first_time(where.split()[0]):
                world.sandbox.restart()
            try:
                answer = step(work)
            except StepFailed:
                if point == "after the step" and first_time(where):
                    raise Killed from None
                raise
            if point == "after the step" and first_time(where):
                raise Killed
            return answer

        return stepped

    for name, step in list(STEPS.items()):
        monkeypatch.setitem(STEPS, name, look(step))
    if point == "after the commit":
        real_keep = runner._keep

        def keep(promotion: Promotion, token: str, step: Any, answer: Answer) -> runner.Turn:
            turn = real_keep(promotion, token, step, answer)
            if first_time(f"{promotion.kind}/{step.name} {type(answer).__name__}"):
                raise Killed
            return turn

        real_failed = runner._failed

        def failed(promotion: Promotion, token: str, step: Any, *rest: Any, **named: Any) -> runner.Turn:
            turn = real_failed(promotion, token, step, *rest, **named)
            if first_time(f"{promotion.kind}/{step.name} failed"):
                raise Killed
            return turn

        monkeypatch.setattr(runner, "_keep", keep)
        monkeypatch.setattr(runner, "_failed", failed)
    if point == "after each act of DSS":
        real_act = Dss._act

        def act(self: Dss, operation: str, call: Callable[[], Any], *, repeatable: bool = False) -> Any:
            answer = real_act(self, operation, call, repeatable=repeatable)
            if first_time(operation):
                raise Killed
            return answer

        monkeypatch.setattr(Dss, "_act", act)
    yield happened


def _flat(note: dict[str, Any]) -> list[str]:
    """The names of what was noted; the results of tests by their number."""
    names = [name for name, value in note.items() if value not in (None, [], {})]
    current = note.get("current") or {}
    return [*names, *(f"current.{name}" for name in current), str(len(note.get("results", [])))]


def run(world: World, promotion: Promotion) -> int:
    """Work a promotion and its rollback off; a killed worker's promotions are found by the sweep. Returns the kills."""
    kills_seen = 0
    following: Promotion | None = promotion
    for _turn in range(1000):
        if following is None:
            return kills_seen
        following.refresh_from_db()
        if following.is_over:
            following = world.rollback_of(following)
            continue
        try:
            world.look(following)
        except Killed:
            kills_seen += 1
            world.expire(following)
            assert following.pk in waits.orphans() or Promotion.objects.get(pk=following.pk).is_over
    raise TimeoutError(f"still not over: {world.steps(promotion)}")
