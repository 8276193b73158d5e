"""An edit of rights between its form and its preview: what somebody ticked, kept until it is applied or left.

A draft keeps what its author meant against what they saw, not the state they wished for: what others change meanwhile
stays, and is shown to them. Drafts stand in the session; nothing here gives or revokes anything.
"""

import secrets
from collections.abc import Collection, MutableMapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from django.db.models import Q
from django.utils import timezone

from portal.actions.edits import Op
from portal.matrix import holder_key
from portal.models import Grant
from portal.places import place_of
from portal.rights_files import wanted, with_why

SESSION = "rights-drafts"
KEPT = 5


@dataclass(frozen=True, slots=True)
class Draft:
    """`on` are cells that were ticked, `off` cells that were not ticked any more, with the grant that stood there.

    `newest` is the newest grant there was when the form was made, `seen` those that stood in it. Of a file: its text.
    """

    page: str
    why: str
    until: str | None = None
    on: list[str] = field(default_factory=list)
    off: list[tuple[str, int]] = field(default_factory=list)
    newest: int = 0
    seen: list[int] = field(default_factory=list)
    file: str = ""
    file_form: Literal["yaml", "csv"] = "yaml"


@dataclass(frozen=True, slots=True)
class Settled:
    """A draft against what is in force now: what is left to do, and what others did since its form was made."""

    ops: list[Op]
    given_since: list[Grant]
    ended_since: list[Grant]
    done_already: int


def keep(session: MutableMapping[str, Any], draft: Draft) -> str:
    """Keep a draft in a session, the oldest of more than a few giving way; returns its name."""
    name = secrets.token_urlsafe(9)
    kept = dict(session.get(SESSION, {}))
    kept[name] = asdict(draft)
    session[SESSION] = dict(list(kept.items())[-KEPT:])
    return name


def kept(session: MutableMapping[str, Any], name: str, page: str) -> Draft | None:
    """The draft of this name, if it is about this page."""
    found = session.get(SESSION, {}).get(name)
    if found is None or found["page"] != page:
        return None
    return Draft(**{**found, "off": [(cell, grant) for cell, grant in found["off"]]})


def drop(session: MutableMapping[str, Any], name: str) -> None:
    """A draft that was applied or left."""
    session[SESSION] = {one: draft for one, draft in session.get(SESSION, {}).items() if one != name}


def drafted(
    page: str,
    shown: Q,
    *,
    ticked: Collection[str],
    seen: Collection[int],
    newest: int,
    why: str,
    until: datetime | None,
) -> Draft:
    """What somebody meant who saw these grants (of those a page shows) and left these cells ticked."""
    saw = {cell_of(grant): grant.pk for grant in _whole().filter(shown, pk__in=list(seen))}
    return Draft(
        page=page,
        why=why,
        until=until.isoformat() if until else None,
        on=sorted(set(ticked) - set(saw)),
        off=sorted((cell, grant) for cell, grant in saw.items() if cell not in ticked),
        newest=newest,
        seen=sorted(saw.values()),
    )


def settled(draft: Draft, shown: Q) -> Settled:
    """What is left to do of a draft; what somebody else gave or revoked meanwhile is theirs, and stays.

    A file states a place wholly, so that all of it is compared; raises Invalid where it cannot be used any more.
    """
    if draft.file:
        found = wanted(draft.file, draft.file_form)
        return Settled([op for one in found for op in with_why(one, draft.why)], [], [], 0)
    standing = list(_whole().in_force(timezone.now()).filter(shown))
    there = {cell_of(grant) for grant in standing}
    alive = {grant.pk for grant in standing}
    ops = [_revoke(grant, draft) for _cell, grant in draft.off if grant in alive]
    ops += [_give(cell, draft) for cell in draft.on if cell not in there]
    gone = [one for one in draft.seen if one not in alive]
    return Settled(
        ops=ops,
        given_since=[grant for grant in standing if grant.pk > draft.newest],
        ended_since=list(_whole().filter(shown, pk__in=gone)),
        done_already=len(draft.on) + len(draft.off) - len(ops),
    )


def cell_of(grant: Grant) -> str:
    """The cell of the form in which a grant stands: `<holder>@<place>|<right>|<role>|<stage>`."""
    key = f"{holder_key(grant.person, grant.team)}@{place_of(grant).key}"
    return f"{key}|{grant.right}|{grant.role}|{grant.stage}"


def _revoke(grant: int, draft: Draft) -> Op:
    return Op(op="revoke", grant=grant, why=draft.why)


def _give(cell: str, draft: Draft) -> Op:
    """Whatever stands in the cell's name is checked when the operation is."""
    row, right, role, stage = [*cell.split("|", 3), "", "", ""][:4]
    holder, _at, place = row.partition("@")
    op = Op(op="give", right=right, role=role, stage=stage, until=draft.until, why=draft.why)
    for name, prefix in (("team", "team:"), ("person", "person:")):
        if holder.startswith(prefix):
            op[name] = holder.removeprefix(prefix)  # type: ignore[literal-required]
    for name, prefix in (("project", "project:"), ("portfolio", "portfolio:")):
        if place.startswith(prefix):
            op[name] = place.removeprefix(prefix)  # type: ignore[literal-required]
    return op


def _whole() -> Any:
    return Grant.objects.select_related("person", "team", "project", "portfolio", "given_by", "revoked_by")
