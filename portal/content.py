"""Puts bytes into the content-addressed store and takes them out again, checking their digest."""

import hashlib
from collections.abc import Collection
from typing import Any

from portal.canonical import canonical
from portal.errors import Refused
from portal.models.content import Content

LIMIT = 64 * 1024 * 1024


def put(body: bytes, media_type: str) -> Content:
    """Store bytes under their SHA-256; storing the same bytes again is no error. Refuses more than 64 MiB."""
    if len(body) > LIMIT:
        raise Refused(
            f"This is larger than {LIMIT // 2**20} MiB and cannot be stored.", code="content_too_large"
        )
    digest = hashlib.sha256(body).hexdigest()
    Content.objects.bulk_create(
        [Content(digest=digest, media_type=media_type, size=len(body), body=body)], ignore_conflicts=True
    )
    return Content.objects.get(pk=digest)


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
    found = {
        key: bytes(body)
        for key, body in Content.objects.filter(pk__in=set(digests)).values_list("digest", "body")
    }
    for digest in digests:
        if digest not in found:
            raise Refused(
                f"The stored content {digest[:12]}… is missing; restore it from a backup.",
                code="content_missing",
            )
        if hashlib.sha256(found[digest]).hexdigest() != digest:
            raise Refused(
                f"The stored content {digest[:12]}… was altered; restore it from a backup.",
                code="content_altered",
            )
    return found
