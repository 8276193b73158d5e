"""Hostile archives: each kind is refused with its own code and a sentence with a next step."""

import io
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.dss import archive
from portal.dss.archive import ManifestError, entries, unpack
from portal.dss.manifest import read_manifest

SOUND = {
    "export-manifest.json": b'{"projectKey":"CHURN"}',
    "project_config/params.json": b"{}",
    "project_config/recipes/score.py": b"x = 1\n" * 200,
}


def zipped(members: dict[str, bytes] | list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as target:
        for name, body in members.items() if isinstance(members, dict) else members:
            target.writestr(name, body)
    return buffer.getvalue()


class Pipe(io.RawIOBase):
    """A target that cannot seek, so that zipfile writes the sizes after the data, as Java does."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self.data += piece
        return len(piece)


def streamed(members: dict[str, bytes]) -> bytes:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as target:
        for name, body in members.items():
            target.writestr(name, body)
    return bytes(pipe.data)


def contents(data: bytes) -> dict[str, bytes]:
    source = io.BytesIO(data)
    return {entry.path: b"".join(unpack(source, entry)) for entry in entries(source)}


def refusal(data: bytes) -> ManifestError:
    with pytest.raises(ManifestError) as caught:
        read_manifest(io.BytesIO(data))
    error = caught.value
    assert error.sentence[0].isupper()
    assert error.sentence.endswith(".")
    assert any(
        step in error.sentence for step in ("Export the bundle again", "Do not use it", "Leave folders")
    )
    return error


@pytest.mark.parametrize("write", [zipped, streamed])
def test_reads_what_was_written(write: Callable[[dict[str, bytes]], bytes]) -> None:
    assert contents(write(SOUND)) == SOUND


def test_reads_stored_members_folders_and_a_comment() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        target.comment = b"PK\x05\x06 is no end record here"
        target.mkdir("project_config")
        target.writestr("project_config/params.json", b"{}")
        target.writestr("Grün/ö.txt", b"")
    assert contents(buffer.getvalue()) == {"project_config/params.json": b"{}", "Grün/ö.txt": b""}


def test_reads_zip64_entries() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        with target.open("managed_folders/a.bin", "w", force_zip64=True) as member:
            member.write(b"a" * 100_000)
        target.writestr("b.txt", b"b")
    assert contents(buffer.getvalue()) == {"managed_folders/a.bin": b"a" * 100_000, "b.txt": b"b"}


def test_reads_zip64_end_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    data = zipped(SOUND)
    assert b"PK\x06\x06" in data
    assert contents(data) == SOUND


def test_not_a_zip() -> None:
    assert refusal(b"<html>log in</html>").code == "not_a_zip"
    assert refusal(b"").code == "not_a_zip"


def test_no_files() -> None:
    assert refusal(zipped({})).code == "empty"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_shortened_archive_is_taken(data: st.DataObject) -> None:
    whole = zipped(SOUND)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert refusal(whole[:cut]).code in {"truncated", "not_a_zip", "damaged"}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_flipped_byte_never_gives_other_contents(data: st.DataObject) -> None:
    whole = bytearray(zipped(SOUND))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    try:
        found = contents(bytes(whole))
    except ManifestError:
        return
    # Times, versions and attributes may differ; the name of a file cannot, for it stands twice.
    assert found == SOUND


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(noise: bytes) -> None:
    for data in (noise, b"PK\x03\x04" + noise, noise + zipped(SOUND)[-120:]):
        with pytest.raises(ManifestError):
            read_manifest(io.BytesIO(data))


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py",
        "project_config/../../evil.py",
        "/etc/passwd",
        "C:/evil.exe",
        "..\\evil.py",
        "a//b",
        "./a",
        "a/.",
        "line\nbreak",
        "bell\x07",
        "\u202egnp.exe",
        "x" * 5000,
    ],
)
def test_paths_that_leave_the_folder(name: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        info = zipfile.ZipInfo("placeholder")
        # The constructor would tidy the name.
        info.filename = name
        target.writestr(info, b"x")
    error = refusal(buffer.getvalue())
    assert error.code == "bad_path"
    assert error.sentence.isprintable()
    assert len(error.sentence) < 400


def test_a_name_that_is_no_utf8() -> None:
    data = zipped({"ää": b"x"})
    assert refusal(data.replace("ää".encode(), b"\xff\xfe\xff\xfe")).code == "bad_path"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_names() -> None:
    assert refusal(zipped([("a.py", b"1"), ("a.py", b"2")])).code == "duplicate_member"
    composed, split = (unicodedata.normalize(form, "é.py") for form in ("NFC", "NFD"))
    assert refusal(zipped([(composed, b"1"), (split, b"2")])).code == "duplicate_member"


@pytest.mark.parametrize("kind", [0o120000, 0o060000, 0o010000, 0o040000])
def test_links_and_devices(kind: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        info = zipfile.ZipInfo("project_config/lib/link")
        info.create_system = 3
        info.external_attr = (kind | 0o777) << 16
        target.writestr(info, b"/etc/passwd")
    assert refusal(buffer.getvalue()).code == "special_member"


def test_a_folder_with_bytes() -> None:
    data = zipped([("folder+", b"hello")], zipfile.ZIP_STORED)
    assert refusal(data.replace(b"folder+", b"folder/")).code == "special_member"


def test_encrypted_members() -> None:
    data = bytearray(zipped({"a.py": b"x"}))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    assert refusal(bytes(data)).code == "encrypted"


def test_other_compressions() -> None:
    assert refusal(zipped({"a.py": b"x" * 99}, zipfile.ZIP_BZIP2)).code == "unsupported"


def test_several_volumes() -> None:
    data = bytearray(zipped(SOUND))
    struct.pack_into("<H", data, len(data) - 22 + 4, 1)
    assert refusal(bytes(data)).code == "unsupported"


def test_declared_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "RATIO_MATTERS_ABOVE", 1_000_000)
    error = refusal(zipped({"zeros": bytes(2_000_000)}))
    assert error.code == "zip_bomb"
    monkeypatch.setattr(archive, "MAX_RATIO", 10_000)
    monkeypatch.setattr(archive, "MAX_TOTAL", 1_500_000)
    assert refusal(zipped({"zeros": bytes(2_000_000)})).code == "zip_bomb"


def test_a_bomb_that_declares_little_is_stopped_at_once() -> None:
    real = bytes(50_000_000)
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packed.compress(real) + packed.flush()
    data = handmade("bomb", body, size=1000, crc=zlib.crc32(real))
    source = io.BytesIO(data)
    [entry] = entries(source)
    pieces: list[bytes] = []
    with pytest.raises(ManifestError, match="larger than it says"):
        pieces.extend(unpack(source, entry))
    assert sum(map(len, pieces)) <= archive.CHUNK


def test_a_member_that_is_shorter_than_declared() -> None:
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packed.compress(b"short") + packed.flush()
    assert refusal(handmade("a", body, size=5000, crc=zlib.crc32(b"short"))).code == "damaged"


def test_bytes_after_the_end_of_a_member() -> None:
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packed.compress(b"short") + packed.flush() + b"hidden"
    assert refusal(handmade("a", body, size=5, crc=zlib.crc32(b"short"))).code == "damaged"


def test_a_wrong_checksum() -> None:
    data = zipped({"a.py": b"content of this"}, zipfile.ZIP_STORED)
    error = refusal(data.replace(b"content of this", b"content of that"))
    assert error.code == "damaged"
    assert "checksum" in error.sentence


def test_too_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    assert refusal(zipped(SOUND)).code == "too_many_members"


def test_a_directory_that_promises_too_many_members_is_not_read() -> None:
    data = bytearray(zipped(SOUND))
    # Far fewer bytes than entries: refused by the number alone.
    struct.pack_into("<2H", data, len(data) - 22 + 8, 60_000, 60_000)
    assert refusal(bytes(data)).code in {"truncated", "damaged"}


def test_bytes_hidden_before_between_and_after() -> None:
    whole = zipped(SOUND)
    assert refusal(b"#!/bin/sh\n" + whole).code == "damaged"
    assert refusal(whole + b"more").code in {"truncated", "not_a_zip"}
    start = whole.index(b"PK\x01\x02")
    shifted = bytearray(whole[:start] + b"hidden" + whole[start:])
    struct.pack_into("<L", shifted, len(shifted) - 22 + 16, start + 6)
    assert refusal(bytes(shifted)).code == "hidden_data"


def test_a_member_left_out_of_the_directory() -> None:
    whole = zipped({"a.py": b"1", "b.py": b"2"}, zipfile.ZIP_STORED)
    second = whole.rindex(b"PK\x01\x02")
    end = whole.rindex(b"PK\x05\x06")
    cut = bytearray(whole[:second] + whole[end:])
    first = whole.index(b"PK\x01\x02")
    struct.pack_into("<2H2L", cut, len(cut) - 22 + 8, 1, 1, second - first, first)
    assert zipfile.ZipFile(io.BytesIO(cut)).namelist() == ["a.py"], "Python's own reader is taken in"
    assert refusal(bytes(cut)).code == "hidden_data"


def test_two_entries_over_the_same_bytes() -> None:
    whole = bytearray(zipped({"a.py": b"1", "b.py": b"2"}, zipfile.ZIP_STORED))
    struct.pack_into("<L", whole, whole.rindex(b"PK\x01\x02") + 42, 0)
    assert refusal(bytes(whole)).code == "hidden_data"


def test_another_name_inside_than_in_the_directory() -> None:
    whole = bytearray(zipped({"good.py": b"1"}, zipfile.ZIP_STORED))
    at = whole.index(b"good.py")
    whole[at : at + 7] = b"evil.py"
    assert refusal(bytes(whole)).code == "damaged"


def test_a_descriptor_that_lies() -> None:
    whole = bytearray(streamed({"a.py": b"1" * 50}))
    struct.pack_into("<L", whole, whole.index(b"PK\x07\x08") + 12, 51)
    assert refusal(bytes(whole)).code == "hidden_data"


def handmade(name: str, body: bytes, *, size: int, crc: int) -> bytes:
    """An archive of one deflated member, with whatever is claimed of it."""
    raw = name.encode()
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 33, crc, len(body), size, len(raw), 0)
    central = struct.pack(
        "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 8, 0, 33, crc, len(body), size, len(raw), 0, 0, 0, 0, 0, 0
    )
    start = len(local) + len(raw) + len(body)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(central) + len(raw), start, 0)
    return local + raw + body + central + raw + end
