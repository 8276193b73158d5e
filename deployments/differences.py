"""What a bundle changes against another: members by part, texts line by line, models in words.

For the pages and the API alike. Everything shown is bounded: members, texts, lines. What was not kept of a bundle when
it was registered (too large, too many, or registered before texts were kept) is named without its lines.
"""

import difflib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal import content
from portal.dss.manifest import Manifest, Member, Texts, diff, manifest_from_json
from portal.dss.texts import keepable
from portal.dss.trained import ModelChange, model_changes, wanted
from portal.models import Bundle

LISTED = 60  # members named per part on a page
SHOWN = 30  # texts compared line by line, of all parts together
LONGEST = 1_500  # lines of a text that is compared: what it takes grows with the square of them
LINES = 400  # lines of one difference that are shown
WIDEST = 400  # characters of a line

What = Literal["changed", "added", "removed"]
# They reorder what is shown, so code may read otherwise than it runs.
_TURNING = re.compile("[\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")


@dataclass(frozen=True, slots=True)
class Changed:
    """One member that differs. unified: its lines, as a unified difference, empty where they are not shown and then
    `why` says why, if it is a text at all; cut: how many lines of it are left out."""

    what: What
    path: str
    old: Member | None
    new: Member | None
    unified: str = ""
    cut: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class PartChange:
    """What differs in one part: the first members with their texts, how many there are of each kind, and how many of
    them are not listed."""

    part: str
    members: tuple[Changed, ...]
    changed: int
    added: int
    removed: int
    more: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two bundles. `models`: a sentence for each model that is another."""

    parts: tuple[PartChange, ...] = ()
    models: tuple[str, ...] = ()
    trained: tuple[ModelChange, ...] = ()


def manifest_of(bundle: Bundle) -> Manifest:
    """What a registered bundle holds."""
    return manifest_from_json(json.loads(content.get(str(bundle.manifest_id))))


def difference(old: Bundle, new: Bundle, *, listed: int = LISTED) -> Difference:
    """What `new` changes against `old`, both registered; in three queries, whatever they hold."""
    before, after = manifest_of(old), manifest_of(new)
    found = diff(before, after).parts
    rows: dict[str, list[tuple[What, Member | None, Member | None]]] = {
        part: [
            *(("changed", was, now) for was, now in change.changed),
            *(("added", None, member) for member in change.added),
            *(("removed", member, None) for member in change.removed),
        ]
        for part, change in found.items()
    }
    compared = _compared([row for part in rows for row in rows[part][:listed]])
    asked = {digest for pair in compared.values() for digest in pair}
    if "models" in found:
        asked |= {*wanted(before), *wanted(after)}
    texts = content.known(asked)
    trained = tuple(model_changes(before, after, texts.get)) if "models" in found else ()
    parts = tuple(
        PartChange(
            part,
            tuple(_changed(*row, compared, texts) for row in rows[part][:listed]),
            len(change.changed),
            len(change.added),
            len(change.removed),
            max(0, len(rows[part]) - listed),
        )
        for part, change in found.items()
    )
    return Difference(parts, tuple(sentence_of(one) for one in trained), trained)


def sentence_of(change: ModelChange) -> str:
    """A change of a model in words."""
    values: dict[str, Any] = {"model": change.name, "n": change.features, "was": change.features_before}
    match change.what:
        case "new" if change.features is None:
            text = _("Model “%(model)s” is new.")
        case "new":
            text = ngettext(
                "Model “%(model)s” is new: %(n)s feature.",
                "Model “%(model)s” is new: %(n)s features.",
                values["n"],
            )
        case "gone":
            text = _("Model “%(model)s” is gone.")
        case "settings":
            text = _("Model “%(model)s” has other settings; what was trained is the same.")
        case _ if change.features is None:
            text = _("Model “%(model)s” was retrained.")
        case _ if change.features_before is None:
            text = ngettext(
                "Model “%(model)s” was retrained: %(n)s feature.",
                "Model “%(model)s” was retrained: %(n)s features.",
                values["n"],
            )
        case _ if change.features == change.features_before:
            text = ngettext(
                "Model “%(model)s” was retrained: %(n)s feature, as before.",
                "Model “%(model)s” was retrained: %(n)s features, as before.",
                values["n"],
            )
        case _:
            text = ngettext(
                "Model “%(model)s” was retrained: %(n)s feature, was %(was)s.",
                "Model “%(model)s” was retrained: %(n)s features, was %(was)s.",
                values["n"],
            )
    return text % values


# --- lines ---


def _compared(
    rows: list[tuple[What, Member | None, Member | None]],
) -> dict[str, tuple[str, ...]]:
    """Of the texts among these the first SHOWN: path -> the digests of both sides, as far as there are two."""
    found: dict[str, tuple[str, ...]] = {}
    for _what, was, now in rows:
        member = now or was
        if member is not None and Texts.wanted(member.path) and len(found) < SHOWN:
            found[member.path] = tuple(one.digest for one in (was, now) if one is not None)
    return found


def _changed(
    what: What,
    was: Member | None,
    now: Member | None,
    compared: Mapping[str, tuple[str, ...]],
    texts: Mapping[str, bytes],
) -> Changed:
    member = now or was
    assert member is not None
    if not Texts.wanted(member.path):
        return Changed(what, member.path, was, now)
    if member.path not in compared:
        return Changed(what, member.path, was, now, why=_("more texts changed than are compared here"))
    if any(digest not in texts for digest in compared[member.path]):
        return Changed(what, member.path, was, now, why=_("its text was not kept"))
    before, after = (_lines(member.path, texts[one.digest]) if one else [] for one in (was, now))
    if max(len(before), len(after)) > LONGEST:
        return Changed(what, member.path, was, now, why=_("too long to compare line by line"))
    unified = list(difflib.unified_diff(before, after, "a", "b", lineterm=""))
    return Changed(what, member.path, was, now, "\n".join(unified[:LINES]), max(0, len(unified) - LINES))


def _lines(path: str, body: bytes) -> list[str]:
    """The lines of a text as they may be shown. JSON is kept in canonical form, in one line, and laid out here."""
    text = body.decode("utf-8", errors="replace")
    if path.endswith(".json"):
        with suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    shown = _TURNING.sub(lambda found: f"<U+{ord(found[0]):04X}>", keepable(text))
    return [line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…" for line in shown.split("\n")]
