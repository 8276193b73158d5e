"""Checks the whole ledger: every row, every disclosure, every checkpoint, in one pass and constant memory.

It trusts the signing key and nothing in the database. Not in charge of repairing anything.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from portal import checkpoints, ledger, merkle, protection, signing
from portal.canonical import canonical
from portal.content import pieces
from portal.errors import Invalid, Refused
from portal.event_kinds import EventKind
from portal.models import Checkpoint, Content, Disclosure, Event, LedgerHead

AT_A_TIME = 2_000
BODY_KEYS = {"kind", "v", "at", "zone", "actor", "project", "subject", "facts"}


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked. `root` is hex; `problem` is empty when all holds, else it names the first broken row.

    `unsigned` are the events after the last checkpoint: no signature would miss them if they were cut off.
    """

    events: int
    disclosures: int
    erased: int
    checkpoints: int
    unsigned: int
    contents: int
    root: str
    problem: str

    @property
    def holds(self) -> bool:
        return not self.problem

    @property
    def sentence(self) -> str:
        """One line for a person."""
        if self.problem:
            return _("The ledger is broken: %(problem)s") % {"problem": self.problem}
        return _(
            "The ledger is intact: events %(events)d (%(unsigned)d after the last of %(checkpoints)d signed "
            "checkpoints), stored contents %(contents)d, root %(root)s."
        ) % {
            "events": self.events,
            "unsigned": self.unsigned,
            "checkpoints": self.checkpoints,
            "contents": self.contents,
            "root": self.root,
        }


class _Broken(Exception):
    """The first thing that does not hold, as a sentence without its beginning."""


def verify() -> Verification:
    """Check everything. Others may append meanwhile; what they add is checked too or left for the next time."""
    walk = _Walk()
    try:
        walk.through()
        problem = ""
    except (_Broken, Refused) as broken:
        problem = str(broken)
    return Verification(
        events=walk.tree.size,
        disclosures=walk.disclosures,
        erased=walk.commitments - walk.disclosures,
        checkpoints=walk.checkpoints,
        unsigned=walk.tree.size - walk.signed,
        contents=walk.contents,
        root=walk.tree.root().hex(),
        problem=problem,
    )


class _Walk:
    """One pass over the ledger in order of seq, with the checkpoints as they fall due."""

    def __init__(self) -> None:
        self.tree = merkle.Tree()
        self.disclosures = 0
        self.commitments = 0
        self.checkpoints = 0
        self.signed = 0
        self.contents = 0

    def through(self) -> None:
        """Check everything; raises _Broken at the first thing that does not hold."""
        _check_protection()
        # Which checkpoints there are and the head are read before the rows, so that what others append meanwhile can
        # only make the ledger longer than these two say.
        self._due = _checkpoints(list(Checkpoint.objects.order_by("size", "id").values_list("pk", flat=True)))
        self._next = next(self._due, None)
        least = _head()
        self._check_due()
        for row, disclosed in _rows():
            if row.seq != self.tree.size:
                raise _Broken(
                    _("event %(seq)d is missing; in its place stands %(found)d.")
                    % {"seq": self.tree.size, "found": row.seq}
                )
            self._check_event(row, disclosed)
            self.tree.add(bytes(row.leaf))
            self._check_due()
        if self._next is not None:
            raise _Broken(
                _("checkpoint %(id)d is over %(size)d events, and there are only %(found)d.")
                % {"id": self._next.pk, "size": self._next.size, "found": self.tree.size}
            )
        if not least <= self.tree.size <= _head():
            raise _Broken(
                _("its head counts %(head)d events, and there are %(found)d.")
                % {"head": _head(), "found": self.tree.size}
            )
        self._check_contents()

    def _check_contents(self) -> None:
        """What events name by digest is still those bytes."""
        for content in Content.objects.order_by("digest").iterator(chunk_size=8):
            hashed = hashlib.sha256()
            for piece in (
                pieces(content.digest, content.kept_in) if content.kept_in else [bytes(content.body)]
            ):
                hashed.update(piece)
            if hashed.hexdigest() != content.digest:
                raise _Broken(_("the stored content %(digest)s was altered.") % {"digest": content.digest})
            self.contents += 1

    def _check_due(self) -> None:
        """Check the checkpoints over exactly the events seen so far."""
        while self._next is not None and self._next.size == self.tree.size:
            _check_checkpoint(self._next, self.tree.root())
            self.checkpoints += 1
            self.signed = self._next.size
            self._next = next(self._due, None)

    def _check_event(self, row: Event, disclosed: list[Disclosure]) -> None:
        body = bytes(row.body)
        if merkle.leaf_hash(body) != bytes(row.leaf):
            raise _wrong(row, _("its leaf is not the hash of its body"))
        try:
            said = ledger.decoded(body)
            if canonical(said) != body:
                raise _wrong(row, _("its body is not in canonical form"))
        except (ValueError, RecursionError):
            raise _wrong(row, _("its body is not in canonical form")) from None
        if not isinstance(said, dict) or said.keys() != BODY_KEYS or not isinstance(said["facts"], dict):
            raise _wrong(row, _("its body has another shape"))
        columns = {
            "kind": row.kind,
            "project": row.project,
            "subject": row.subject,
            "at": ledger.instant(row.at),
            "actor": {"id": str(row.actor), "kind": said["actor"].get("kind")},
        }
        for name, value in columns.items():
            if said[name] != value:
                raise _wrong(row, _("its column “%(column)s” differs from its body") % {"column": name})
        self._check_disclosures(row, said["facts"], disclosed)
        if row.kind == EventKind.CHECKPOINT_CUT:
            _check_cut(row, said["facts"])

    def _check_disclosures(self, row: Event, facts: dict[str, Any], disclosed: list[Disclosure]) -> None:
        committed = {
            f"facts.{name}": value["commitment"]
            for name, value in facts.items()
            if isinstance(value, dict) and value.keys() == {"commitment"}
        }
        for one in disclosed:
            if committed.get(one.path) != ledger.commitment(one.salt, one.value):
                raise _wrong(
                    row, _("the value disclosed for “%(path)s” is not the one recorded") % {"path": one.path}
                )
        self.commitments += len(committed)
        self.disclosures += len(disclosed)


def _rows() -> Iterator[tuple[Event, list[Disclosure]]]:
    """Every event in order with its disclosures, read in pieces."""
    waiting = Event.objects.order_by("seq")
    while piece := list(waiting[:AT_A_TIME]):
        first, last = piece[0].seq, piece[-1].seq
        disclosed: dict[int, list[Disclosure]] = {}
        for one in Disclosure.objects.filter(event_id__gte=first, event_id__lte=last):
            disclosed.setdefault(one.event_id, []).append(one)
        for row in piece:
            yield row, disclosed.get(row.seq, [])
        waiting = Event.objects.order_by("seq").filter(seq__gt=last)


def _checkpoints(ids: list[int]) -> Iterator[Checkpoint]:
    """The checkpoints of these ids in this order, read in pieces."""
    for start in range(0, len(ids), AT_A_TIME):
        piece = ids[start : start + AT_A_TIME]
        found = Checkpoint.objects.in_bulk(piece)
        yield from (found[one] for one in piece)


def _head() -> int:
    return LedgerHead.objects.filter(pk=1).values_list("size", flat=True).first() or 0


def _check_protection() -> None:
    tables = [model._meta.db_table for model in (Event, Checkpoint, Content, Disclosure)]
    if bare := protection.unprotected(connection, tables):
        raise _Broken(
            _("the database no longer refuses to rewrite %(tables)s; restore its triggers from a backup.")
            % {"tables": ", ".join(bare)}
        )


def _check_checkpoint(row: Checkpoint, root: bytes) -> None:
    """The checkpoint is signed by us and says of its size what the rows say."""
    try:
        said = checkpoints.verify_note(row.note, signing.public_key(), origin=settings.LEDGER_ORIGIN)
    except Invalid as invalid:
        raise _Broken(_("checkpoint %(id)d: %(why)s") % {"id": row.pk, "why": invalid.sentence}) from None
    if (said.size, said.root) != (row.size, bytes(row.root)):
        raise _Broken(_("checkpoint %(id)d: its columns differ from its signed note.") % {"id": row.pk})
    if said.root != root:
        raise _Broken(
            _("checkpoint %(id)d: the first %(size)d events are not those it was signed over.")
            % {"id": row.pk, "size": row.size}
        )


def _check_cut(row: Event, facts: dict[str, Any]) -> None:
    """The checkpoint an event speaks of is still there."""
    note = str(facts.get("note"))
    said = {(one.size, bytes(one.root).hex()) for one in Checkpoint.objects.filter(note=note)}
    if (facts.get("size"), facts.get("root")) not in said:
        raise _wrong(row, _("the checkpoint it speaks of is gone"))


def _wrong(row: Event, why: str) -> _Broken:
    return _Broken(_("event %(seq)d: %(why)s.") % {"seq": row.seq, "why": why})
