"""Puts bytes into the content-addressed store and takes them out again, checking their digest.

What the portal writes itself (statements, cases, results) is a row. What people upload and what is rendered may be
large: `stage` brings it to the storage `contents`, where one is configured and it is above the threshold, and
`put_staged` writes the row that says so. Not in charge of what the bytes mean.
"""

import hashlib
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import Storage, storages
from django.utils.translation import gettext as _

from portal.canonical import canonical
from portal.errors import Refused, Unavailable
from portal.models.content import Content

LIMIT = 64 * 1024 * 1024
CHUNK = 256 * 1024
STORAGE = "contents"  # its alias in settings.STORAGES


@dataclass(frozen=True, slots=True)
class Staged:
    """Bytes that are about to be named by a row: the storage that holds them already, or else themselves."""

    digest: str
    media_type: str
    size: int
    kept_in: str
    body: bytes


def put(body: bytes, media_type: str) -> Content:
    """Store bytes under their SHA-256; storing the same bytes again is no error. Refuses more than 64 MiB."""
    _check_size(len(body))
    digest = hashlib.sha256(body).hexdigest()
    return put_staged(Staged(digest, media_type, len(body), "", body))


def put_many(bodies: Collection[bytes], media_type: str) -> None:
    """Store several bodies, each under its SHA-256, a few hundred in one query."""
    rows = [
        Content(digest=hashlib.sha256(body).hexdigest(), media_type=media_type, size=len(body), body=body)
        for body in bodies
    ]
    Content.objects.bulk_create(rows, batch_size=200, ignore_conflicts=True)


def put_json(value: Any, media_type: str = "application/json") -> Content:
    """Store a JSON value in canonical form (RFC 8785)."""
    return put(canonical(value), media_type)


def stage(file: IO[bytes], media_type: str) -> Staged:
    """Bring the bytes of a seekable file to where they are to stay, in a stream; before the transaction, not in it.

    Without a storage, or below its threshold, they travel in the answer, at most 64 MiB. A transaction that fails
    afterwards leaves bytes in the storage that nothing names, which does no harm. Raises Unavailable where the storage
    does not answer.
    """
    file.seek(0)
    hashed, size = hashlib.sha256(), 0
    while piece := file.read(CHUNK):
        hashed.update(piece)
        size += len(piece)
    digest = hashed.hexdigest()
    file.seek(0)
    if STORAGE not in settings.STORAGES or size <= settings.CONTENTS_ABOVE_BYTES:
        _check_size(size)
        return Staged(digest, media_type, size, "", file.read())
    with _Answering():
        _bring(storages[STORAGE], file, digest)
    return Staged(digest, media_type, size, STORAGE, b"")


def put_staged(staged: Staged) -> Content:
    """Write the row of what was staged; where the same bytes have one already, that stays as it is."""
    row = Content(
        digest=staged.digest,
        media_type=staged.media_type,
        size=staged.size,
        body=staged.body,
        kept_in=staged.kept_in,
    )
    Content.objects.bulk_create([row], ignore_conflicts=True)
    return Content.objects.defer("body").get(pk=staged.digest)


def stage_bytes(body: bytes, media_type: str) -> Staged:
    """Stage bytes that are in memory."""
    return stage(io.BytesIO(body), media_type)


def get(digest: str) -> bytes:
    """The bytes of a digest; raises Refused when they are absent or do not match it any more."""
    return get_many([digest])[digest]


def known(digests: Collection[str]) -> dict[str, bytes]:
    """Of several the bytes of those that are here and are what they were, by digest, in one query."""
    found = Content.objects.filter(pk__in=set(digests)).values_list("digest", "body")
    held = {key: bytes(body) for key, body in found}
    return {key: body for key, body in held.items() if hashlib.sha256(body).hexdigest() == key}


def get_many(digests: Collection[str]) -> dict[str, bytes]:
    """The same of several, by digest, in one query."""
    rows = Content.objects.filter(pk__in=set(digests)).values_list("digest", "body", "kept_in")
    found = {key: fetched(key, body, kept_in) for key, body, kept_in in rows}
    for digest in digests:
        if digest not in found:
            raise _missing(digest)
        if hashlib.sha256(found[digest]).hexdigest() != digest:
            raise Refused(
                f"The stored content {digest[:12]}… was altered; restore it from a backup.",
                code="content_altered",
            )
    return found


def fetched(digest: str, body: Any, kept_in: str) -> bytes:
    """The bytes of a row, from where they are kept; not yet checked. Raises Refused where a storage lost them."""
    if not kept_in:
        return bytes(body)
    return b"".join(pieces(digest, kept_in))


def pieces(digest: str, kept_in: str) -> Iterator[bytes]:
    """The bytes that a storage keeps, at most 256 KiB at a time; not checked."""
    if kept_in not in settings.STORAGES:
        raise Refused(
            _("The content %(digest)s… is in the storage “%(storage)s”, which is not configured any more.")
            % {"digest": digest[:12], "storage": kept_in},
            code="content_elsewhere",
        )
    with _Answering():
        storage = storages[kept_in]
        if not storage.exists(_name(digest)):
            raise _missing(digest)
        with storage.open(_name(digest)) as file:
            while piece := file.read(CHUNK):
                yield piece


def _bring(storage: Storage, file: IO[bytes], digest: str) -> None:
    name = _name(digest)
    if storage.exists(name):
        with storage.open(name) as held:
            if _digest_of(held) == digest:
                return
        storage.delete(name)  # altered, or half written: what it should be is at hand
    kept = storage.save(name, File(file, name=digest))
    if kept != name:  # somebody brought the same a moment earlier
        storage.delete(kept)


class _Answering:
    """What a storage raises where it is away, as a refusal; its own words stay in the log, they may name a key."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        # Each backend has errors of its own family; botocore's are no OSError.
        if isinstance(error, OSError) or type(error).__module__.startswith(("botocore.", "boto3.")):
            raise Unavailable(
                _("The storage of large files did not answer. Nothing was recorded; try again in a moment."),
                code="storage_away",
            ) from error


def _digest_of(file: IO[bytes]) -> str:
    hashed = hashlib.sha256()
    while piece := file.read(CHUNK):
        hashed.update(piece)
    return hashed.hexdigest()


def _name(digest: str) -> str:
    return f"{digest[:2]}/{digest}"


def _check_size(size: int) -> None:
    if size > LIMIT:
        raise Refused(
            f"This is larger than {LIMIT // 2**20} MiB and cannot be stored.", code="content_too_large"
        )


def _missing(digest: str) -> Refused:
    return Refused(
        f"The stored content {digest[:12]}… is missing; restore it from a backup.", code="content_missing"
    )
