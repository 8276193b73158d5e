"""Move tables: which verb takes a thing from which state to which, by whose right, and the event it leaves.

A table sits beside its model and is read as a list; `portal.moving.make` is the one way a move is made.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from portal.event_kinds import EventKind
from portal.models.right import Right

SYSTEM = None  # in the `right` column: only the system makes this move


@dataclass(frozen=True, slots=True)
class Move:
    """One line of a move table. `right` is None when only the system makes it; `event` None when the action records."""

    verb: str
    sources: tuple[str, ...]
    target: str
    right: Right | None
    event: EventKind | None


Line = tuple[str, str | tuple[str, ...], str, Right | None, EventKind | None]


def moves(*lines: Line) -> dict[str, Move]:
    """A move table from its lines: verb, from, to, right, event."""
    return {
        verb: Move(verb, (sources,) if isinstance(sources, str) else tuple(sources), target, right, event)
        for verb, sources, target, right, event in lines
    }


def open_to(status: str, table: dict[str, Move], codenames: Iterable[str]) -> list[str]:
    """The verbs a holder of these rights can make from the present status: what buttons to show."""
    held = set(codenames)
    return [
        move.verb
        for move in table.values()
        if move.right is not SYSTEM and move.right.value in held and status in move.sources
    ]
