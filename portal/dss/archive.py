"""Reading a zip archive that may be hostile, in constant memory.

Python's own reader loads and trusts the directory at the archive's end; DSS may read from the front. Here the
two views must agree byte for byte: members lie back to back, nothing is hidden between them, and what is
declared is what comes out. Not in charge of what the members mean.
"""

import struct
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

MAX_MEMBERS = 200_000
# Far above any project; a limit only so that an archive cannot promise to fill a disk or a day.
MAX_TOTAL = 256 * 1024**3
# Text compresses ten- to twentyfold; a whole archive beyond this is made to hurt. Small ones cannot.
MAX_RATIO = 200
RATIO_MATTERS_ABOVE = 64 * 1024**2
CHUNK = 256 * 1024

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")

_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_SIZES_FOLLOW = 0x0008
_UTF8 = 0x0800
_STORED, _DEFLATED = 0, 8
_UNIX = 3
_FILE_TYPE, _REGULAR, _DIRECTORY = 0o170000, 0o100000, 0o040000

_AGAIN = "Export the bundle again in DSS and register the new one."
_ASK = "Do not use it; ask a DSS administrator where it comes from."


class ManifestError(ValueError):
    """An archive that is refused. `code` is stable, `sentence` says why and what to do next."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive. offset: of its local header; packed, size: bytes in the archive and unpacked."""

    path: str
    offset: int
    packed: int
    size: int
    crc: int
    method: int
    flags: int

    @property
    def raw_name(self) -> bytes:
        """The name as it stands in the archive."""
        return self.path.encode(_charset(self.flags))


def quote(name: str) -> str:
    """A member's name for a sentence: short and printable."""
    shown = "".join(c if c.isprintable() else "?" for c in name[:80])
    return f"'{shown}…'" if len(name) > 80 else f"'{shown}'"


def _damaged(what: str) -> ManifestError:
    return ManifestError("damaged", f"The archive is damaged: {what}. {_AGAIN}")


def _read(source: IO[bytes], size: int) -> bytes:
    data = source.read(size)
    while len(data) < size:
        more = source.read(size - len(data))
        if not more:
            raise ManifestError("truncated", f"The archive is cut short. {_AGAIN}")
        data += more
    return data


def entries(source: IO[bytes]) -> list[Entry]:
    """Return the files of the archive in the order they lie in it, checked but not yet unpacked.

    source: a seekable binary file. Raises ManifestError: not_a_zip, truncated, damaged, empty, encrypted, bad_path,
    duplicate_member, special_member, unsupported, zip_bomb, too_many_members, hidden_data.
    """
    total = source.seek(0, 2)
    count, start, end = _directory(source, total)
    if count == 0:
        raise ManifestError("empty", f"The archive holds no files. {_AGAIN}")
    if count > MAX_MEMBERS:
        raise ManifestError(
            "too_many_members",
            f"The archive has {count} files; more than {MAX_MEMBERS} are refused. Leave folders with "
            "very many small files out of the bundle.",
        )
    source.seek(start)
    found: list[Entry] = []
    names: set[str] = set()
    unpacked = 0
    for _ in range(count):
        entry, is_folder = _central(source)
        unpacked += entry.size
        # Two spellings of one accented name would be one file on some systems.
        name = unicodedata.normalize("NFC", entry.path)
        if name in names:
            raise ManifestError(
                "duplicate_member", f"The archive has two files named {quote(entry.path)}. {_ASK}"
            )
        names.add(name)
        found.append(entry)
        if is_folder and (entry.size or entry.packed > 2):
            raise ManifestError(
                "special_member", f"The folder {quote(entry.path)} in the archive holds bytes. {_ASK}"
            )
    if source.tell() != end:
        raise _damaged("its directory has another length than it says")
    if unpacked > MAX_TOTAL or (unpacked > RATIO_MATTERS_ABOVE and unpacked > MAX_RATIO * total):
        raise ManifestError(
            "zip_bomb",
            f"The archive of {total} bytes would unpack to {unpacked}, which no bundle does. {_ASK}",
        )
    found.sort(key=lambda entry: entry.offset)
    _check_layout(source, found, start)
    return [entry for entry in found if not entry.path.endswith("/")]


def _directory(source: IO[bytes], total: int) -> tuple[int, int, int]:
    """Return (number of entries, start, end) of the central directory."""
    source.seek(max(0, total - _END.size - 0xFFFF))
    tail = source.read(_END.size + 0xFFFF)
    at = tail.rfind(b"PK\x05\x06")
    # The comment may itself hold the signature; only the one whose comment ends the file is the end record.
    while at >= 0:
        if len(tail) - at >= _END.size:
            record = _END.unpack_from(tail, at)
            if at + _END.size + record[7] == len(tail):
                break
        at = tail.rfind(b"PK\x05\x06", 0, at)
    else:
        source.seek(0)
        if source.read(4) == b"PK\x03\x04":
            raise ManifestError("truncated", f"The archive is cut short: its directory is missing. {_AGAIN}")
        raise ManifestError(
            "not_a_zip",
            f"This is not a zip archive, so it is no bundle. Choose a bundle that DSS exported. {_AGAIN}",
        )
    _, disk, first_disk, here, count, size, start, _ = record
    end = total - len(tail) + at
    if end >= _LOCATOR.size:
        source.seek(end - _LOCATOR.size)
        mark, disk64, offset64, disks = _LOCATOR.unpack(_read(source, _LOCATOR.size))
        if mark == b"PK\x06\x07":
            if offset64 > end - _LOCATOR.size - _END64.size:
                raise _damaged("its end records point outside of it")
            source.seek(offset64)
            mark, length, _, _, disk, first_disk, here, count, size, start = _END64.unpack(
                _read(source, _END64.size)
            )
            if mark != b"PK\x06\x06" or disk64 or disks > 1 or offset64 + 12 + length != end - _LOCATOR.size:
                raise _damaged("its end records do not fit together")
            end = offset64
    if disk or first_disk or here != count:
        raise ManifestError("unsupported", f"The archive is one of several volumes. {_AGAIN}")
    if start + size != end:
        raise _damaged("its directory is not where it should be")
    return count, start, end


def _central(source: IO[bytes]) -> tuple[Entry, bool]:
    fields = _CENTRAL.unpack(_read(source, _CENTRAL.size))
    mark, made_by, _, flags, method, _, _, crc, packed, size = fields[:10]
    name_len, extra_len, comment_len, disk, _, mode, offset = fields[10:]
    if mark != b"PK\x01\x02":
        raise _damaged("its directory cannot be read")
    raw_name = _read(source, name_len)
    extra = _read(source, extra_len)
    source.seek(comment_len, 1)
    path = _path(raw_name, flags)
    if flags & _ENCRYPTED:
        raise ManifestError(
            "encrypted",
            f"The file {quote(path)} in the archive is encrypted, so nobody can review it. {_AGAIN}",
        )
    if method not in (_STORED, _DEFLATED) or disk not in (0, 0xFFFF):
        raise ManifestError(
            "unsupported", f"The file {quote(path)} is packed in a way that DSS does not use. {_AGAIN}"
        )
    size, packed, offset = _wide(extra, size, packed, offset)
    is_folder = path.endswith("/")
    kind = (mode >> 16) & _FILE_TYPE
    if made_by >> 8 == _UNIX and kind not in (0, _DIRECTORY if is_folder else _REGULAR):
        raise ManifestError(
            "special_member",
            f"The member {quote(path)} of the archive is a link or a device, not a file. {_ASK}",
        )
    return Entry(path, offset, packed, size, crc, method, flags), is_folder


def _charset(flags: int) -> str:
    # DSS writes UTF-8 and says so; old writers mean their own code page when they do not.
    return "utf-8" if flags & _UTF8 else "cp437"


def _path(raw_name: bytes, flags: int) -> str:
    try:
        name = raw_name.decode(_charset(flags))
    except UnicodeDecodeError:
        raise ManifestError("bad_path", f"The archive has a file whose name cannot be read. {_ASK}") from None
    steps = name.removesuffix("/").split("/")
    if (
        not name
        or "\\" in name
        or not all(c.isprintable() for c in name)
        or any(step in ("", ".", "..") for step in steps)
        or (len(steps[0]) == 2 and steps[0][1] == ":")
        or len(raw_name) > 4096
    ):
        raise ManifestError(
            "bad_path",
            f"The archive has a file named {quote(name)}, which would land outside its folder or cannot be "
            f"shown. {_ASK}",
        )
    return name


def _wide(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Return sizes and offset, taken from the zip64 field where the short ones are too small."""
    if 0xFFFFFFFF not in (size, packed, offset):
        return size, packed, offset
    while len(extra) >= 4:
        tag, length = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        if tag != 1:
            continue
        numbers = iter(struct.unpack(f"<{len(body) // 8}Q", body[: len(body) // 8 * 8]))
        try:
            size = next(numbers) if size == 0xFFFFFFFF else size
            packed = next(numbers) if packed == 0xFFFFFFFF else packed
            offset = next(numbers) if offset == 0xFFFFFFFF else offset
        except StopIteration:
            break
        return size, packed, offset
    raise _damaged("a large file lacks its size")


def _check_layout(source: IO[bytes], found: list[Entry], directory: int) -> None:
    """Refuse archives whose front-to-back view differs from their directory."""
    position = 0
    for index, entry in enumerate(found):
        if entry.offset != position:
            raise _hidden()
        following = found[index + 1].offset if index + 1 < len(found) else directory
        end = _data_start(source, entry) + entry.packed
        gap = following - end
        if gap < 0:
            raise _hidden()
        if entry.flags & _SIZES_FOLLOW:
            source.seek(end)
            if gap not in (12, 16, 20, 24) or not _is_descriptor(_read(source, gap), entry):
                raise _hidden()
        elif gap:
            raise _hidden()
        position = following
    if position != directory:
        raise _hidden()


def _hidden() -> ManifestError:
    return ManifestError(
        "hidden_data",
        f"The archive holds bytes that its directory does not account for, or files that overlap. {_ASK}",
    )


def _data_start(source: IO[bytes], entry: Entry) -> int:
    source.seek(entry.offset)
    mark, _, flags, method, _, _, crc, packed, size, name_len, extra_len = _LOCAL.unpack(
        _read(source, _LOCAL.size)
    )
    if mark != b"PK\x03\x04":
        raise _hidden()
    if _read(source, name_len) != entry.raw_name or method != entry.method:
        raise _damaged(f"{quote(entry.path)} has another name inside than in its directory")
    if (flags ^ entry.flags) & (_ENCRYPTED | _SIZES_FOLLOW):
        raise _damaged(f"{quote(entry.path)} is described in two ways")
    # Where the sizes follow the data they are zero here; a zip64 entry has the marker and its extra field.
    if not flags & _SIZES_FOLLOW and (
        crc != entry.crc or packed not in (entry.packed, 0xFFFFFFFF) or size not in (entry.size, 0xFFFFFFFF)
    ):
        raise _damaged(f"{quote(entry.path)} is described in two ways")
    return entry.offset + _LOCAL.size + int(name_len) + int(extra_len)


def _is_descriptor(data: bytes, entry: Entry) -> bool:
    if len(data) in (16, 24):
        if data[:4] != b"PK\x07\x08":
            return False
        data = data[4:]
    return data == struct.pack("<LLL" if len(data) == 12 else "<LQQ", entry.crc, entry.packed, entry.size)


def unpack(source: IO[bytes], entry: Entry) -> Iterator[bytes]:
    """Yield the bytes of one file, at most 256 KiB at a time.

    Raises ManifestError (damaged, truncated) as soon as they differ from what the directory says.
    """
    source.seek(_data_start(source, entry))
    left, given, crc = entry.packed, 0, 0
    inflate = zlib.decompressobj(-zlib.MAX_WBITS) if entry.method == _DEFLATED else None
    while left:
        packed = _read(source, min(CHUNK, left))
        left -= len(packed)
        while packed:
            if inflate is None:
                piece, packed = packed, b""
            else:
                try:
                    piece = inflate.decompress(packed, CHUNK)
                except zlib.error:
                    raise _damaged(f"{quote(entry.path)} cannot be unpacked") from None
                packed = inflate.unconsumed_tail
                if inflate.unused_data or (inflate.eof and left):
                    raise _damaged(f"{quote(entry.path)} is followed by other bytes")
            given += len(piece)
            if given > entry.size:
                raise _damaged(f"{quote(entry.path)} is larger than it says")
            crc = zlib.crc32(piece, crc)
            if piece:
                yield piece
    if (inflate is not None and not inflate.eof) or given != entry.size:
        raise _damaged(f"{quote(entry.path)} is shorter than it says")
    if crc != entry.crc:
        raise _damaged(f"{quote(entry.path)} does not match its checksum")
