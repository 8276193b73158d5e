"""What is in a bundle: its members, the part each belongs to, and the digests that sign-offs are bound to.

Pure: an archive in, values out. Not in charge of fetching archives nor of what a changed part means for a
sign-off. The rules of digests are constants here, each with its reason; changing one changes every digest.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from portal.canonical import NotCanonical, canonical, loads_strict
from portal.dss.archive import CHUNK, Entry, ManifestError, entries, unpack
from portal.dss.texts import keepable

__all__ = [
    "PARTS",
    "HashingReader",
    "Manifest",
    "ManifestDiff",
    "ManifestError",
    "Member",
    "PartDiff",
    "Texts",
    "changed_parts",
    "diff",
    "manifest_from_json",
    "manifest_to_json",
    "part_digests",
    "part_of",
    "read_manifest",
    "read_members",
]

PARTS = ("data", "flow", "models", "automation", "presentation", "settings", "other")

# Canonical form needs the whole member in memory, several times over.
MAX_CANONICAL = 1024 * 1024

EXPORT_MANIFEST = "export-manifest.json"
_CONFIG = "project_config/"

# The first folder or file of a path (below project_config/, where there is one) decides. The member layout is
# unconfirmed for real nodes; what is not listed is "other", which every scope covers, so a gap here can only
# ask for a signature too many.
_PART_OF: Mapping[str, str] = {
    # What the project is made from: schemas and the data and folders that travel along.
    "datasets": "data",
    "managed_datasets": "data",
    "managed_folders": "data",
    "connections": "data",
    "streaming_endpoints": "data",
    "uploads": "data",
    # What is computed. Library code is imported by recipes, so a change of it changes what they compute.
    "recipes": "flow",
    "flow": "flow",
    "lib": "flow",
    "zones": "flow",
    # What was trained.
    "saved_models": "models",
    "analysis": "models",
    "analysis-data": "models",
    "model_evaluation_stores": "models",
    # What starts by itself.
    "scenarios": "automation",
    "continuous_activities": "automation",
    # What people look at; it computes nothing that the flow uses.
    "dashboards": "presentation",
    "insights": "presentation",
    "wiki": "presentation",
    "web_apps": "presentation",
    "webapps": "presentation",
    "notebooks": "presentation",
    "ipython_notebooks": "presentation",
    "jupyter_notebooks": "presentation",
    "sql_notebooks": "presentation",
    # How it runs: project settings, variables, environments.
    EXPORT_MANIFEST: "settings",
    "params.json": "settings",
    "variables.json": "settings",
    "code_envs": "settings",
    "code-envs": "settings",
    "plugins": "settings",
}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_moment(value: Any) -> bool:
    return _is_count(value) or (isinstance(value, str) and _ISO.fullmatch(value) is not None)


def _is_login(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_LOGIN and value.isprintable()


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_stamp(value: Any) -> bool:
    """`{versionNumber, lastModifiedBy: {login}, lastModifiedOn}`, as far as it is there, and nothing besides."""
    return _holds_only(
        value,
        {
            "versionNumber": _is_count,
            "lastModifiedBy": lambda who: _holds_only(who, {"login": _is_login}),
            "lastModifiedOn": _is_moment,
        },
    )


def _is_exporter(value: Any) -> bool:
    return _holds_only(value, {"exportedBy": _is_login, "createdBy": _is_login, "exportedOn": _is_moment})


def _holds_only(value: Any, shapes: Mapping[str, Callable[[Any], bool]]) -> bool:
    return isinstance(value, dict) and all(
        name in shapes and shapes[name](inner) for name, inner in value.items()
    )


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A field that DSS writes anew although nothing of the project changed.

    `member`: a full-match pattern; `fits`: whether a value is what DSS writes there. Another value is content.
    """

    member: re.Pattern[str]
    field: str
    fits: Callable[[Any], bool]
    why: str


MAX_LOGIN = 150
_ID = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_ISO = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]{5,18}(Z|[+-]\d\d:?\d\d)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_HEAD = re.compile(re.escape(EXPORT_MANIFEST))
# The project's own settings, and the definition of each object, which DSS saves with a stamp. Only these: whatever
# people can fill as they like (libraries, notebooks, the wiki, what nobody knows here) is content down to the last
# field. A kind of object that is missing here can only ask for a signature too many.
_SAVED = re.compile(
    r"project_config/(params|(datasets|managed_folders|streaming_endpoints|recipes|saved_models|model_evaluation_stores"
    r"|scenarios|continuous_activities|dashboards|insights|web_apps|webapps)/[^/]+)\.json"
)

# The only fields that are left out of a digest: at the top level of the members named, and only with a value of the
# shape that DSS gives it, so that nothing else can travel in them.
REWRITTEN: tuple[Rewritten, ...] = (
    Rewritten(_HEAD, "bundleId", _is_id, "names this export; the same state may be exported under two names"),
    Rewritten(_HEAD, "exportedBy", _is_login, "who pressed the button, not what was exported"),
    Rewritten(_HEAD, "exportedOn", _is_moment, "when it was exported"),
    Rewritten(_HEAD, "exportUserInfo", _is_exporter, "who and when again, as some versions group it"),
    Rewritten(_HEAD, "exportUUID", _is_id, "drawn anew for each export"),
    Rewritten(_HEAD, "releaseNotes", _is_text, "words about the export, shown with the bundle"),
    Rewritten(
        _SAVED,
        "versionTag",
        _is_stamp,
        "counts saves and stamps the last one; what was saved is in the rest of the member",
    ),
)

# What of the export manifest is worth showing, as DSS names it.
_FACTS = ("projectKey", "bundleId", "exportedBy", "exportedOn", "dssVersion", "releaseNotes")


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a bundle. size: bytes unpacked; digest: SHA-256 of its canonical form or of its bytes."""

    path: str
    size: int
    digest: str
    part: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A bundle's contents. members are sorted by path; parts holds all seven; size: bytes of the archive.

    export: facts of the export manifest as DSS wrote them (projectKey, bundleId, exportedBy, exportedOn,
    dssVersion, releaseNotes), as far as they are there. Memory is that of the members, about 300 bytes each.
    """

    members: tuple[Member, ...]
    parts: Mapping[str, str]
    archive_sha256: str
    size: int
    export: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PartDiff:
    """What differs in one part. changed: pairs of (old, new) of the same path."""

    added: tuple[Member, ...] = ()
    removed: tuple[Member, ...] = ()
    changed: tuple[tuple[Member, Member], ...] = ()


@dataclass(frozen=True, slots=True)
class ManifestDiff:
    """What differs between two bundles, by part, in the order of PARTS; parts that are equal are not there."""

    parts: Mapping[str, PartDiff] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not self.parts


class Texts:
    """What of a bundle people read line by line, by its member's digest, so that two bundles can be compared later.

    Code, queries and the definitions of what computes, starts by itself or is set; of models what they were trained on.
    Bounded in each text, in all and in number; what is more is not kept, and a difference says so.
    """

    MOST_BYTES, MOST_IN_ALL, MOST = 64 * 1024, 4 * 1024 * 1024, 2000

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self._size = 0

    @staticmethod
    def wanted(path: str) -> bool:
        """Whether this member is such a text."""
        if _CODE.search(path) or _TRAINED.search(path):
            return True
        return path.endswith(".json") and part_of(path) in ("flow", "automation", "settings")

    def take(self, digest: str, body: bytes) -> None:
        """Keep these bytes, which have this digest, as far as there is room."""
        fits = len(body) <= self.MOST_BYTES and self._size + len(body) <= self.MOST_IN_ALL
        if fits and digest not in self.kept and len(self.kept) < self.MOST and b"\0" not in body:
            self.kept[digest] = body
            self._size += len(body)


_CODE = re.compile(r"\.(py|sql|r|sh|scala|hql|pig|jl)$", re.IGNORECASE)
# UNCONFIRMED for real nodes, as all of the layout: the model's definition, and what its versions say of their features.
_TRAINED = re.compile(
    r"^project_config/saved_models/[^/]+\.json$"
    r"|^(project_config/)?saved_models/[^/]+/versions/[^/]+/(core_params|rpreprocessing_params)\.json$"
)


class HashingReader:
    """Counts and hashes (SHA-256) the bytes that pass through it on their way to somewhere else.

    source: an open binary file, or an iterable of chunks such as a download. It can be read or iterated over,
    once. `length`: the bytes still to come, None where the source does not know.
    """

    def __init__(self, source: IO[bytes] | Iterable[bytes]) -> None:
        self._hash = hashlib.sha256()
        self._rest = b""
        self.size = 0
        self._total = _length(source)
        # An open file is iterable too, but by lines.
        read = getattr(source, "read", None)
        self._read = read
        self._chunks = iter(()) if read is not None else iter(source)

    @property
    def length(self) -> int | None:
        return None if self._total is None else self._total - self.size

    @property
    def sha256(self) -> str:
        """Lower-case hexadecimal digest of what was read so far."""
        return self._hash.hexdigest()

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, all of them when negative; b"" at the end."""
        if size < 0:
            return b"".join(self)
        piece = self._next(size)
        self._hash.update(piece)
        self.size += len(piece)
        return piece

    def _next(self, size: int) -> bytes:
        if self._read is not None:
            return bytes(self._read(size))
        while not self._rest:
            try:
                self._rest = next(self._chunks)
            except StopIteration:
                return b""
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(CHUNK):
            yield piece

    def copy_to(self, target: IO[bytes]) -> None:
        """Write everything that is left to `target`."""
        for piece in self:
            target.write(piece)


def _length(source: Any) -> int | None:
    known = getattr(source, "length", None)
    if isinstance(known, int):
        return known
    try:
        here = source.tell()
        end = source.seek(0, 2)
        source.seek(here)
    except (AttributeError, OSError):
        return None
    return int(end) - int(here)


def part_of(path: str) -> str:
    """Return the part that a member belongs to."""
    head, _, _ = path.removeprefix(_CONFIG).partition("/")
    return _PART_OF.get(head, "other")


def read_manifest(source: IO[bytes], texts: Texts | None = None) -> Manifest:
    """Read a bundle archive from a seekable binary file, such as a spooled temporary one; `texts` takes what is read
    line by line.

    Memory does not depend on the archive's size. Raises ManifestError for anything that is not a sound archive.
    """
    source.seek(0)
    whole = HashingReader(source)
    for _ in whole:
        pass
    export: Mapping[str, Any] = {}
    members = []
    waiting = entries(source)
    waiting.reverse()
    # One description makes place for the other: an archive may have very many small members.
    while waiting:
        entry = waiting.pop()
        digest, value = _digest(source, entry, texts)
        members.append(Member(entry.path, entry.size, digest, part_of(entry.path)))
        if entry.path == EXPORT_MANIFEST and isinstance(value, dict):
            export = {name: fact for name in _FACTS if (fact := _fact(value.get(name))) is not None}
    members.sort(key=_order)
    return Manifest(tuple(members), part_digests(members), whole.sha256, whole.size, export)


def read_members(source: IO[bytes], paths: Iterable[str], limit: int = MAX_CANONICAL) -> dict[str, bytes]:
    """Return the bytes of the named members that exist and have at most `limit` bytes. Raises ManifestError."""
    wanted = set(paths)
    return {
        entry.path: b"".join(unpack(source, entry))
        for entry in entries(source)
        if entry.path in wanted and entry.size <= limit
    }


def _digest(source: IO[bytes], entry: Entry, texts: Texts | None) -> tuple[str, Any]:
    """Return a member's digest and, where it has a canonical form, its value."""
    kept = texts if texts is not None and texts.wanted(entry.path) else None
    if entry.path.endswith(".json") and entry.size <= MAX_CANONICAL:
        body, value = b"".join(unpack(source, entry)), None
        with suppress(NotCanonical):
            value = loads_strict(body)
            body = canonical(_kept(entry.path, value))
        digest = hashlib.sha256(body).hexdigest()
        if kept is not None:
            kept.take(digest, body)
        return digest, value
    if kept is not None and entry.size <= Texts.MOST_BYTES:
        body = b"".join(unpack(source, entry))
        digest = hashlib.sha256(body).hexdigest()
        kept.take(digest, body)
        return digest, None
    hashed = hashlib.sha256()
    for piece in unpack(source, entry):
        hashed.update(piece)
    return hashed.hexdigest(), None


def _fact(value: Any) -> str | int | None:
    # A manifest is as hostile as the rest: only what fits a table cell, or a short note, is shown.
    # A control character is marked, not dropped: a key with one in it must not pass for the key without.
    if isinstance(value, str):
        return keepable(_CONTROL.sub("\ufffd", value[:2000]))
    return value if isinstance(value, int) else None


def _kept(path: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    dropped = {
        rule.field
        for rule in REWRITTEN
        if rule.field in value and rule.member.fullmatch(path) and rule.fits(value[rule.field])
    }
    return {name: inner for name, inner in value.items() if name not in dropped}


def _order(member: Member) -> bytes:
    return member.path.encode()


def part_digests(members: Iterable[Member]) -> dict[str, str]:
    """Return the digest of each of the seven parts; a part without members has the digest of nothing.

    It is the SHA-256 over the part's members sorted by the UTF-8 bytes of their path, one line
    "<digest>  <path>\\n" each, as sha256sum prints them. Paths hold no line breaks.
    """
    hashes = {part: hashlib.sha256() for part in PARTS}
    for member in sorted(members, key=_order):
        hashes[member.part].update(f"{member.digest}  {member.path}\n".encode())
    return {part: hashed.hexdigest() for part, hashed in hashes.items()}


def changed_parts(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """Return the parts whose digests differ, in the order of PARTS; one that only one side knows differs."""
    return tuple(part for part in PARTS if (part in old or part in new) and old.get(part) != new.get(part))


def diff(old: Manifest | None, new: Manifest) -> ManifestDiff:
    """Return what differs between two bundles; against nothing, everything was added."""
    before = {member.path: member for member in old.members} if old else {}
    after = {member.path: member for member in new.members}
    found: dict[str, PartDiff] = {}
    for part in PARTS:
        added = tuple(m for m in new.members if m.part == part and m.path not in before)
        removed = tuple(m for m in (old.members if old else ()) if m.part == part and m.path not in after)
        changed = tuple(
            (before[m.path], m)
            for m in new.members
            if m.part == part and m.path in before and before[m.path].digest != m.digest
        )
        if added or removed or changed:
            found[part] = PartDiff(added, removed, changed)
    return ManifestDiff(found)


def manifest_to_json(manifest: Manifest) -> dict[str, Any]:
    """Return a JSON value to store; `manifest_from_json` reads it back."""
    return {
        "archive": manifest.archive_sha256,
        "size": manifest.size,
        "parts": dict(manifest.parts),
        "export": dict(manifest.export),
        "members": [[m.path, m.size, m.digest, m.part] for m in manifest.members],
    }


def manifest_from_json(value: Mapping[str, Any]) -> Manifest:
    """Read back what `manifest_to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    members = tuple(
        Member(str(path), int(size), str(digest), str(part)) for path, size, digest, part in value["members"]
    )
    return Manifest(
        members, dict(value["parts"]), str(value["archive"]), int(value["size"]), dict(value["export"])
    )
