"""Bundle archives: real zip files, written from project content and read back into it.

The member layout is our reading of what DSS writes (UNCONFIRMED): `export-manifest.json`, `project_config/...`,
`saved_models/ID/versions/V/...`, `managed_datasets/...`, `managed_folders/...`. Two exports of the same state differ in
the manifest's exportedBy, exportedOn and exportUUID, in the lastModifiedOn of the project's version tag, and in the zip
timestamps, as two exports by a DSS do.
"""

import hashlib
import json
import os
import random
import re
import time
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from portal.dss.sandbox.errors import DssError, coded
from portal.dss.sandbox.state import Json, Store
from portal.dss.sandbox.wire import DSS_VERSION

MANIFEST = "export-manifest.json"
PARAMS = "project_config/params.json"
SAFE_ID = re.compile(r"[A-Za-z0-9_.-]{1,120}")
_READ_FOLDERS = ("project_config/", "saved_models/")
_READ_LIMIT = 1 << 20
_BALLAST = "managed_folders/ballast/ballast.bin"
_BALLAST_BLOCK = 1 << 20


def manifest(project: str, bundle: str, by: str, at_ms: int, notes: str = "") -> Json:
    """The export manifest; everything in it but the two ids is rewritten at each export."""
    return {
        "projectKey": project,
        "bundleId": bundle,
        "exportedBy": by,
        "exportedOn": at_ms,
        "dssVersion": DSS_VERSION,
        "exportUUID": str(uuid.uuid4()),
        "releaseNotes": notes,
    }


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).encode()


def _ballast(size: int) -> Iterator[bytes]:
    """Incompressible but repeatable bytes, for bundles of any size in constant memory."""
    left = size
    block = 0
    while left > 0:
        piece = random.Random(f"ballast:{block}").randbytes(min(left, _BALLAST_BLOCK))
        yield piece
        left -= len(piece)
        block += 1


def write(path: Path, members: Json, head: Json, ballast_bytes: int = 0) -> str:
    """Write an archive and return its SHA-256. The members are not changed."""
    stamp = time.gmtime(head["exportedOn"] / 1000)[:6]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:

        def add(name: str, body: bytes) -> None:
            info = zipfile.ZipInfo(name, date_time=stamp)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, body)

        add(MANIFEST, _bytes(head))
        for name in sorted(members):
            value = members[name]
            if name == PARAMS:
                tag = {**value.get("versionTag", {}), "lastModifiedOn": head["exportedOn"]}
                value = {**value, "versionTag": tag}
            add(name, _bytes(value))
        if ballast_bytes:
            info = zipfile.ZipInfo(_BALLAST, date_time=stamp)
            info.external_attr = 0o644 << 16
            with archive.open(info, "w", force_zip64=True) as target:
                for piece in _ballast(ballast_bytes):
                    target.write(piece)
    return digest_of(path)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in constant memory."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def invalid(reason: str) -> DssError:
    """The documented error for an archive that is not a bundle."""
    return coded("ERR_PROJECT_INVALID_ARCHIVE", f"Not a valid bundle archive: {reason}")


def read(path: Path) -> tuple[Json, Json]:
    """The (manifest, members) of an archive, every member's checksum verified.

    Large and binary members are checked but not kept: the archive itself holds them.
    Raises DssError with ERR_PROJECT_INVALID_ARCHIVE for anything that is not a whole bundle.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            if broken is not None:
                raise invalid(f"member {broken} is damaged")
            head = json.loads(archive.read(MANIFEST))
            members = {
                info.filename: _value(info.filename, archive.read(info))
                for info in archive.infolist()
                if info.filename.startswith(_READ_FOLDERS)
                and info.file_size <= _READ_LIMIT
                and not info.is_dir()
            }
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        OSError,
        RuntimeError,
        NotImplementedError,
        EOFError,
        zlib.error,
    ) as error:
        raise invalid(type(error).__name__ if not str(error) else str(error)[:200]) from None
    if not isinstance(head, dict) or not all(
        isinstance(head.get(name), str) for name in ("projectKey", "bundleId")
    ):
        raise invalid("the export manifest does not name a project and a bundle")
    for name in ("projectKey", "bundleId"):
        if not SAFE_ID.fullmatch(head[name]):
            raise invalid(f"{name} has characters that ids do not have")
    if not isinstance(members.get(PARAMS), dict):
        raise invalid("the project's parameters are missing")
    return head, members


def _value(name: str, body: bytes) -> Any:
    text = body.decode("utf-8", errors="replace")
    return json.loads(text) if name.endswith(".json") else text


def take_in(store: Store, path: Path) -> tuple[str, Json, Json]:
    """Check an uploaded file and move it to the archives: (SHA-256, manifest, members). Removes a bad file."""
    try:
        head, members = read(path)
        digest = digest_of(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    store.keep_archive(path, digest)
    return digest, head, members


def write_new(store: Store, members: Json, head: Json, ballast_bytes: int) -> str:
    """Write an archive into the archives folder; it appears there whole or not at all. Returns its SHA-256."""
    descriptor, path = store.new_file()
    os.close(descriptor)
    digest = write(path, members, head, ballast_bytes)
    store.keep_archive(path, digest)
    return digest
