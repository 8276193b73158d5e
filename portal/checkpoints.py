"""Signed checkpoints of the ledger's tree, as C2SP signed notes (tlog-checkpoint).

A checkpoint that left the portal proves later that nothing before it was rewritten. Not in charge of when one is cut
(beat, reports) nor of checking the rows (portal/verification.py).
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import ledger, merkle, signing
from portal.errors import Invalid, Refused
from portal.event_kinds import EventKind
from portal.models import Checkpoint, Event, Person

ED25519 = b"\x01"
DASH = "— "
AT_A_TIME = 5_000


@dataclass(frozen=True, slots=True)
class Note:
    """What a checkpoint says: the log's origin, how many events it has, and the root (32 bytes) over them."""

    origin: str
    size: int
    root: bytes


# --- cutting ----------------------------------------------------------------------------------------------------------


def cut(*, by: Person | None = None) -> Checkpoint:
    """Sign the tree over every event committed so far; the event about the checkpoint comes after what it covers.

    Raises Refused, and signs nothing, where the rows no longer fit the last checkpoint.
    """
    with ledger.business():
        last = Checkpoint.objects.order_by("-size", "-id").first()
        tree = merkle.Tree()
        for leaf in leaves():
            tree.add(leaf)
            if last is not None and tree.size == last.size and tree.root() != bytes(last.root):
                raise _rewritten()
        if last is not None and tree.size < last.size:
            raise _rewritten()
        text = note_text(Note(settings.LEDGER_ORIGIN, tree.size, tree.root()))
        note = text + signature_line(
            settings.LEDGER_ORIGIN, signing.public_key(), signing.sign(text.encode())
        )
        made = Checkpoint.objects.create(size=tree.size, root=tree.root(), note=note, at=timezone.now())
        ledger.record(
            EventKind.CHECKPOINT_CUT,
            by=by,
            project="",
            subject=f"checkpoint:{made.pk}",
            size=made.size,
            root=made.root.hex(),
            note=note,
        )
        return made


def cut_if_grown() -> Checkpoint | None:
    """Cut a checkpoint if anything but checkpoints was recorded since the last one."""
    last = Checkpoint.objects.order_by("-size", "-id").first()
    since = Event.objects.filter(seq__gte=last.size if last else 0).exclude(kind=EventKind.CHECKPOINT_CUT)
    return cut() if since.exists() else None


def leaves(size: int | None = None) -> Iterator[bytes]:
    """The leaf hashes in order, of the first `size` events or of all, read in pieces (constant memory)."""
    found = Event.objects.order_by("seq").values_list("seq", "leaf")
    if size is not None:
        found = found.filter(seq__lt=size)
    last = -1
    while piece := list(found.filter(seq__gt=last)[:AT_A_TIME]):
        last = piece[-1][0]
        yield from (bytes(leaf) for _seq, leaf in piece)


def _rewritten() -> Refused:
    return Refused(
        _(
            "The ledger no longer fits its last checkpoint, so no new one was signed. Run manage.py verify_ledger to"
            " see where, then restore the database from a backup."
        ),
        code="ledger_rewritten",
    )


# --- the format -------------------------------------------------------------------------------------------------------


def note_text(note: Note) -> str:
    """The text that is signed: origin, size and root in base64, a line each."""
    return f"{note.origin}\n{note.size}\n{base64.b64encode(note.root).decode()}\n"


def signature_line(name: str, key: Ed25519PublicKey, signature: bytes) -> str:
    """The empty line and the signature line that turn a signed text into a note."""
    return f"\n{DASH}{name} {base64.b64encode(key_hash(name, key) + signature).decode()}\n"


def key_hash(name: str, key: Ed25519PublicKey) -> bytes:
    """The four bytes by which a note names the key of a signature."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + signing.raw_public(key)).digest()[:4]


def verifier_key(name: str, key: Ed25519PublicKey) -> str:
    """The key as other tools for signed notes take it: name, key hash and key, joined by plus signs."""
    encoded = base64.b64encode(ED25519 + signing.raw_public(key)).decode()
    return f"{name}+{key_hash(name, key).hex()}+{encoded}"


def verify_note(note: str, key: Ed25519PublicKey, *, origin: str) -> Note:
    """What a note says if this key signed it for this origin; lines of other signers are passed over.

    Raises Invalid with the reason otherwise.
    """
    text, parted, signatures = note.rpartition("\n\n")
    lines = text.split("\n")
    if not parted or not signatures.endswith("\n") or len(lines) < 3 or not all(lines):
        raise _broken()
    if lines[0] != origin:
        raise Invalid(
            _("The checkpoint is of another ledger: its origin is %(found)s and not %(origin)s.")
            % {"found": lines[0], "origin": origin},
            code="checkpoint_other",
        )
    said = _said(lines)
    wanted = f"{DASH}{origin} "
    for line in signatures[:-1].split("\n"):
        if not line.startswith(DASH):
            raise _broken()
        held = _base64(line[len(wanted) :]) if line.startswith(wanted) else b""
        if held[:4] == key_hash(origin, key) and signing.holds(key, held[4:], f"{text}\n".encode()):
            return said
    raise Invalid(
        _("The checkpoint was not signed with this key, or was changed after."), code="checkpoint_unsigned"
    )


def _said(lines: list[str]) -> Note:
    root = _base64(lines[2])
    if not (lines[1].isascii() and lines[1].isdigit()) or str(int(lines[1])) != lines[1] or len(root) != 32:
        raise _broken()
    return Note(lines[0], int(lines[1]), root)


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise _broken() from None


def _broken() -> Invalid:
    return Invalid(
        _("This is not a checkpoint. Ask for the file again; it may be cut off."), code="checkpoint_broken"
    )
