"""The one way any status changes: `make()` checks the right, compares and sets, and records the event.

What else a move brings about is the action's.
"""

from typing import Any, Protocol, cast

from django.db.models import Model
from django.utils.translation import gettext as _

from portal import ledger, rights
from portal.errors import Stale
from portal.models import Lane, Person
from portal.moves import SYSTEM, Move


class Movable(Protocol):
    """What `make()` moves: a model with a status, the key of its project (empty: the estate's) and a subject.

    One whose table asks for rights has a lane to ask them on, too.
    """

    pk: Any
    status: str

    @property
    def project_key(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def _meta(self) -> Any: ...


class Laned(Protocol):
    """What happens in a lane."""

    @property
    def lane(self) -> Lane: ...


def make(
    thing: Movable,
    table: dict[str, Move],
    verb: str,
    *,
    by: Person,
    facts: dict[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Move `thing`: check the right, compare and set, record the event, in the caller's business transaction.

    `fields` are further columns set in the same update. Raises Absent/Forbidden for the right, Stale when the thing is
    no longer in a state the move starts from.
    """
    move = table[verb]
    if move.right is not SYSTEM:
        rights.check(by, move.right, cast(Laned, thing).lane)
    model: type[Model] = type(thing)  # type: ignore[assignment]
    moved = model._default_manager.filter(pk=thing.pk, status__in=move.sources).update(
        status=move.target, **fields
    )
    if not moved:
        now = model._default_manager.get(pk=thing.pk).status  # type: ignore[attr-defined]
        raise Stale(
            _("This is %(now)s now, so it cannot be changed that way. Reload the page to see what happened.")
            % {"now": _(now)},
            code="moved_meanwhile",
            verb=verb,
            status=now,
        )
    thing.status = move.target
    for name, value in fields.items():
        setattr(thing, name, value)
    if move.event is not None:
        ledger.record(move.event, by=by, project=thing.project_key, subject=thing.subject, **(facts or {}))
