"""Keeps the refusals an auditor asks about, where page and API meet the actions. Not in charge of any rule."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from portal import ledger
from portal.errors import Forbidden
from portal.event_kinds import EventKind
from portal.models import Person, Project

# What a member tried without the right, or without being who they said. What an action itself keeps (who signed, who
# asked) has codes of its own. Absent is never kept: an outsider did not even find the thing.
AUDITED: Final = frozenset({"right_missing", "password_wrong"})  # of too many, the first few are enough


@contextmanager
def audited(person: Person, project: Project | None, subject: str, action: str) -> Iterator[None]:
    """Record that `person` was refused this action on this subject, if they were, and let the refusal go on.

    To be put around the action, not inside it: a refusal undoes the action's own transaction, events included.
    """
    try:
        yield
    except Forbidden as refusal:
        if refusal.code in AUDITED:
            with ledger.business():
                ledger.record(
                    EventKind.ACCESS_REFUSED,
                    by=person,
                    project=project.key if project else "",
                    subject=subject,
                    action=action,
                    code=refusal.code,
                    reason=refusal.sentence,
                )
        raise
