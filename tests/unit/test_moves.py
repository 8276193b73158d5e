"""The move tables: every status, verb and actor, and the diagrams of the documentation."""

import itertools
import re
from pathlib import Path

import pytest
from django.conf import settings

from deployments.models import PROMOTION_MOVES, REQUEST_MOVES, DeploymentRequest, Promotion
from governance.models import REVIEW_MOVES, AccessReview
from portal.errors import Forbidden, Stale
from portal.models import Person, Right
from portal.moves import SYSTEM, Move
from portal.moving import make

TABLES: dict[str, tuple[dict[str, Move], list[str], str]] = {
    "request": (REQUEST_MOVES, list(DeploymentRequest.Status.values), DeploymentRequest.Status.OPEN),
    "promotion": (PROMOTION_MOVES, list(Promotion.Status.values), Promotion.Status.RUNNING),
    "review": (REVIEW_MOVES, list(AccessReview.Status.values), AccessReview.Status.OPEN),
}
DOCS = Path(settings.BASE_DIR) / "docs"
PAGES = {"promotions.md": ("request", "promotion"), "access-review.md": ("review",)}
# Whose move it is where the action asks, not the table.
BY = {"call_off": "an administrator"}


def diagram(table: dict[str, Move], statuses: list[str], first: str) -> str:
    lines = ["stateDiagram-v2", f"    [*] --> {first}"]
    for move in table.values():
        who = BY.get(move.verb, "by itself") if move.right is SYSTEM else move.right.value
        lines += [f"    {source} --> {move.target}: {move.verb} ({who})" for source in move.sources]
    left = {source for move in table.values() for source in move.sources}
    lines += [f"    {status} --> [*]" for status in statuses if status not in left]
    return "\n".join(lines)


@pytest.mark.parametrize("name", TABLES)
def test_every_status_is_in_the_table(name: str) -> None:
    table, statuses, first = TABLES[name]
    named = {first, *(move.target for move in table.values())}
    assert named == set(statuses)
    assert {source for move in table.values() for source in move.sources} <= set(statuses)


@pytest.mark.parametrize("name", TABLES)
def test_every_move_leaves_an_event(name: str) -> None:
    assert all(move.event is not None for move in TABLES[name][0].values())


@pytest.mark.parametrize("page", PAGES)
def test_the_page_shows_the_tables(page: str) -> None:
    shown = re.findall(r"```mermaid\n(.*?)\n```", (DOCS / page).read_text(), flags=re.DOTALL)
    assert shown == [diagram(*TABLES[name]) for name in PAGES[page]]


class Thing:
    """Enough of a row for `make()`: it says whether it was changed, and to what."""

    project_key = "CHURN"

    def __init__(self, status: str) -> None:
        self.pk, self.status, self.subject, self.lane = 1, status, "thing:1", None
        type(self)._default_manager = self  # type: ignore[attr-defined]

    def filter(self, pk: int, status__in: tuple[str, ...]) -> "Thing":
        self.fits = self.status in status__in
        return self

    def update(self, **fields: str) -> int:
        return int(self.fits)

    def get(self, pk: int) -> "Thing":
        return self


ACTORS = (*(right.value for right in Right), "nobody")


@pytest.mark.parametrize("name", TABLES)
def test_the_full_matrix(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each status, verb and actor: the move is made where the table and the actor's right allow it, and only there."""
    table, statuses, _first = TABLES[name]
    holding: list[str] = []

    def check(_by: Person, right: Right, _lane: object) -> None:
        if right.value not in holding:
            raise Forbidden("no", code="right_missing")

    monkeypatch.setattr("portal.moving.rights.check", check)
    monkeypatch.setattr("portal.moving.ledger.record", lambda *_args, **_facts: None)
    for status, (verb, move), actor in itertools.product(statuses, table.items(), ACTORS):
        holding[:] = [actor]
        thing = Thing(status)
        thing.lane = type("Lane", (), {"project": type("Project", (), {"key": "CHURN"})})  # type: ignore[assignment]
        may = move.right is SYSTEM or move.right.value == actor
        try:
            make(thing, table, verb, by=Person())  # type: ignore[arg-type]
            assert may
            assert status in move.sources
            assert thing.status == move.target
        except Stale:
            assert may
            assert status not in move.sources
        except Forbidden:
            assert not may
