"""The ledger: what happened, in rows that are only ever added, each a leaf of an RFC 9162 tree.

`business()` opens the one transaction of an action, `record()` says inside it what happened, and the rows are appended
as that transaction's last act, so that the change and its event exist together or not at all. Not in charge of signing
the tree (portal/checkpoints.py), of checking all of it (portal/verification.py) or of who may read it.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from portal import merkle, outbox
from portal.canonical import MAX_INTEGER, canonical
from portal.errors import Refused
from portal.event_kinds import SHAPES, EventKind
from portal.models import Disclosure, Event, LedgerHead, Person
from portal.prepared import prepared

SALT_BYTES = 16
ERASED = "(erased)"
# Names of event ids in one query: below every limit on the number of parameters (SQLite's lowest is 32,766).
AT_A_TIME = 10_000


class Misrecorded(TypeError):
    """An event that does not fit its shape, or a record outside a business transaction: a mistake in the program."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as it is read. `at` is aware (UTC); `digest` and `leaf` are hex SHA-256 of the body and of 0x00 + body.

    `facts` hold personal values as they were given, or None where they were erased (`erased` names those).
    """

    seq: int
    kind: EventKind
    at: datetime
    zone: str
    actor_id: str
    actor_kind: str
    project: str
    subject: str
    facts: Mapping[str, Any]
    erased: frozenset[str]
    digest: str
    leaf: str


@dataclass(frozen=True, slots=True)
class _Pending:
    """An event that waits for the end of its business transaction. `secrets` are path, salt and value."""

    kind: EventKind
    project: str
    subject: str
    actor: UUID
    at: datetime
    body: bytes
    secrets: tuple[tuple[str, str, str], ...]
    wake: Callable[[], None]


_pending: ContextVar[list[_Pending] | None] = ContextVar("ledger_pending", default=None)


# --- writing ----------------------------------------------------------------------------------------------------------


@contextmanager
def business() -> Iterator[None]:
    """The one transaction of an action: everything in it and its events are committed together, or nothing is.

    Inside another `business()` it is a savepoint of that one, which appends for both. It does not start inside a plain
    transaction, because the row appended last would not be the last act there.
    """
    if _pending.get() is not None:
        with transaction.atomic():
            yield
        return
    with transaction.atomic(durable=True):
        said: list[_Pending] = []
        token = _pending.set(said)
        try:
            yield
        finally:
            # Before the commit: what runs on commit may open a business transaction of its own.
            _pending.reset(token)
        _append(said)


def record(kind: EventKind, /, *, by: Person | None, project: str, subject: str, **facts: Any) -> None:
    """Say what happened; `by` None is the system, `project` empty is the estate, `subject` is like `request:42`.

    Facts are JSON values, and also datetimes (aware), uuids and lazy texts. They must be those of the kind's shape;
    personal ones are plain texts and reach the body as salted commitments only. Raises Misrecorded otherwise.
    """
    said = _pending.get()
    if said is None:
        raise Misrecorded(f"{kind} was recorded outside ledger.business().")
    shape = SHAPES[kind]
    if facts.keys() != shape.facts:
        missing, unknown = sorted(shape.facts - facts.keys()), sorted(facts.keys() - shape.facts)
        raise Misrecorded(f"{kind}: missing facts {missing}, unknown facts {unknown}.")
    actor = by or Person.objects.system()
    at = timezone.now()
    stated: dict[str, Any] = {}
    hidden: list[tuple[str, str, str]] = []
    for name, value in facts.items():
        if name not in shape.personal:
            stated[name] = _plain(value)
            continue
        if not isinstance(value, str):
            raise Misrecorded(f"{kind}: the personal fact {name} is not a text.")
        salt = secrets.token_hex(SALT_BYTES)
        stated[name] = {"commitment": commitment(salt, value)}
        hidden.append((f"facts.{name}", salt, str(value)))
    body = canonical(
        {
            "kind": kind.value,
            "v": shape.v,
            "at": instant(at),
            "zone": actor.zone,
            "actor": {"id": str(actor.pk), "kind": str(actor.kind)},
            "project": project,
            "subject": subject,
            "facts": stated,
        }
    )
    wake = partial(outbox.wake, kind, subject, project)
    said.append(_Pending(kind, project, subject, actor.pk, at, body, tuple(hidden), wake))
    # Django forgets these callbacks when a savepoint is rolled back, which is how _append() knows what was undone.
    transaction.on_commit(wake, robust=True)


def be_next() -> None:
    """Make this business transaction the next to be committed of all that record something.

    What was committed before is seen by what is read from here on, and whatever else is recorded comes after. The lock
    is the one that `_append` takes last, so no row that others may hold is locked or written after this.
    """
    if _pending.get() is None:
        raise Misrecorded("There is no business transaction that could be the next.")
    _locked_head()


@prepared
def _head() -> QuerySet[LedgerHead]:
    return LedgerHead.objects.select_for_update().filter(pk=1)


def _locked_head() -> LedgerHead:
    return next(iter(_head()), None) or LedgerHead.objects.select_for_update().get_or_create(pk=1)[0]


def _append(said: list[_Pending]) -> None:
    """Append what was said and not undone: lock the head, number the rows, write them, move the head."""
    kept = {id(function) for _sids, function, _robust in transaction.get_connection().run_on_commit}
    lasting = [event for event in said if id(event.wake) in kept]
    if not lasting:
        return
    head = _locked_head()
    events: list[Event] = []
    disclosures: list[Disclosure] = []
    for seq, event in enumerate(lasting, start=head.size):
        events.append(
            Event(
                seq=seq,
                leaf=merkle.leaf_hash(event.body),
                body=event.body,
                kind=event.kind.value,
                project=event.project,
                subject=event.subject,
                actor=event.actor,
                at=event.at,
            )
        )
        disclosures += [
            Disclosure(event_id=seq, path=path, salt=salt, value=value) for path, salt, value in event.secrets
        ]
    Event.objects.bulk_create(events)
    Disclosure.objects.bulk_create(disclosures)
    LedgerHead.objects.filter(pk=1).update(size=head.size + len(events))


def erase(seq: int, path: str) -> bool:
    """Erase the personal value at `path` (as `facts.name`) of an event; the commitment stays. False: none was there."""
    erased, _by_model = Disclosure.objects.filter(event_id=seq, path=path).delete()
    return bool(erased)


def commitment(salt: str, value: str) -> str:
    """Hex SHA-256 of the salt's bytes (given in hex) followed by the UTF-8 text."""
    return hashlib.sha256(bytes.fromhex(salt) + value.encode()).hexdigest()


def instant(at: datetime) -> str:
    """An aware time as the ledger writes it: UTC, microseconds, Z. Raises ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError("A time without a zone cannot be recorded.")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _plain(value: Any) -> Any:
    """A fact as JSON knows it; what has no place in JSON is refused by its canonical form."""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Promise):
        with translation.override("en"):
            return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(held) for held in value]
    return value


# --- reading ----------------------------------------------------------------------------------------------------------


def events(
    *,
    project: str | Collection[str] | None = None,
    subject: str | Collection[str] | None = None,
    kinds: Collection[EventKind] | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> list[Entry]:
    """The events that fit, oldest first, in two queries. `after` is the seq before the first wanted."""
    found = rows(project=project, subject=subject, kinds=kinds, after=after)
    return read(found if limit is None else found[:limit])


def rows(
    *,
    project: str | Collection[str] | None = None,
    subject: str | Collection[str] | None = None,
    kinds: Collection[EventKind] | None = None,
    after: int | None = None,
) -> QuerySet[Event]:
    """The rows that fit, oldest first, not read yet: to be counted, turned round or cut into pages, then `read()`."""
    found = Event.objects.order_by("seq")
    for column, wanted in (("project", project), ("subject", subject)):
        if isinstance(wanted, str):
            found = found.filter(**{column: wanted})
        elif wanted is not None:
            found = found.filter(**{f"{column}__in": list(wanted)})
    if kinds is not None:
        found = found.filter(kind__in=[kind.value for kind in kinds])
    return found if after is None else found.filter(seq__gt=after)


def read(found: Iterable[Event]) -> list[Entry]:
    """The entries of rows, in their order, with the personal values that were not erased; one more query.

    Raises Refused where a row or a disclosure was altered.
    """
    held = list(found)
    disclosed: dict[int, dict[str, tuple[str, str]]] = {}
    for start in range(0, len(held), AT_A_TIME):
        some = [row.seq for row in held[start : start + AT_A_TIME]]
        for one in Disclosure.objects.filter(event_id__in=some):
            disclosed.setdefault(one.event_id, {})[one.path] = (one.salt, one.value)
    return [_entry(row, disclosed.get(row.seq, {})) for row in held]


# Facts that hold a name of ours (`check_health`, `model-risk`), which reads as words.
_SLUGS = {"evidence", "kind", "moment", "right", "role", "step", "what"}
_WORD_FIRST = tuple(f"{{{name}}}" for name in sorted(_SLUGS | {"count"}))


def sentence(entry: Entry, names: Callable[[str], str]) -> str:
    """What happened, as a person reads it; `names` gives the printed name of a person's id."""
    shown = {name: _shown(value, erased=name in entry.erased) for name, value in entry.facts.items()}
    if "right" in shown:
        shown["right"] += f" for {shown['role']}" if shown["role"] else ""
    for name in _SLUGS & shown.keys():
        shown[name] = shown[name].replace("_", " ").replace("-", " ")
    if "about" in shown:
        shown["about"] = shown["about"].replace(":", " ")
    if "until" in shown:
        shown["until"] = _until(entry.facts["until"])
    for name in {"starts_at", "due"} & shown.keys():
        shown[name] = _minute(entry.facts[name])
    if {"count", "people"} <= shown.keys():
        shown["count"] = "one person" if entry.facts["count"] == 1 else f"{shown['count']} people"
    template = SHAPES[entry.kind].sentence
    said = template.format_map({"actor": _actor(entry, names), **shown})
    return said[:1].upper() + said[1:] if template.startswith(_WORD_FIRST) else said


def people_in(entries: Iterable[Entry]) -> list[str]:
    """The ids of those who acted in these events, and of those they stood in for."""
    return [
        one for entry in entries for one in (entry.actor_id, entry.facts.get("on_behalf_of") or "") if one
    ]


def _actor(entry: Entry, names: Callable[[str], str]) -> str:
    """Who acted, and for whom where they stood in for somebody."""
    principal = entry.facts.get("on_behalf_of")
    if not principal:
        return names(entry.actor_id)
    return f"{names(entry.actor_id)} for {names(str(principal))}"


def decoded(body: bytes) -> Any:
    """The value of canonical bytes. Whole floats beyond 2^53 come back as floats, which is what they were."""
    return json.loads(body, parse_int=_number)


def _entry(row: Event, disclosed: Mapping[str, tuple[str, str]]) -> Entry:
    body = bytes(row.body)
    if merkle.leaf_hash(body) != bytes(row.leaf):
        raise _altered(row.seq)
    said = decoded(body)
    kind = EventKind(said["kind"])
    facts: dict[str, Any] = {}
    erased: set[str] = set()
    for name, value in said["facts"].items():
        if name not in SHAPES[kind].personal:
            facts[name] = value
        elif f"facts.{name}" not in disclosed:
            facts[name] = None
            erased.add(name)
        else:
            salt, text = disclosed[f"facts.{name}"]
            if commitment(salt, text) != value["commitment"]:
                raise _altered(row.seq)
            facts[name] = text
    return Entry(
        seq=row.seq,
        kind=kind,
        at=datetime.fromisoformat(said["at"]),
        zone=said["zone"],
        actor_id=said["actor"]["id"],
        actor_kind=said["actor"]["kind"],
        project=said["project"],
        subject=said["subject"],
        facts=facts,
        erased=frozenset(erased),
        digest=hashlib.sha256(body).hexdigest(),
        leaf=bytes(row.leaf).hex(),
    )


def _altered(seq: int) -> Refused:
    return Refused(
        _("Event %(seq)s of the ledger was altered. Run manage.py verify_ledger, then restore from a backup.")
        % {"seq": seq},
        code="ledger_altered",
        seq=seq,
    )


def _number(text: str) -> int | float:
    return float(text) if abs(int(text)) > MAX_INTEGER else int(text)


def _shown(value: Any, *, erased: bool) -> str:
    if erased:
        return ERASED
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(_shown(held, erased=False) for held in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(held, erased=False)}" for key, held in value.items())
    return str(value)


def _until(value: Any) -> str:
    if not value:
        return ""
    return f" until {_minute(value)}"


def _minute(value: Any) -> str:
    return f"{datetime.fromisoformat(str(value)).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
