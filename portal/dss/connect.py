"""Opens a client for a node of the estate, with the key that settings name. Nothing else knows where keys are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings

from portal.dss.client import MB, Dss
from portal.dss.errors import BadAnswer, Conflict, DssError, DssFault, Unreachable
from portal.dss.keys import KeyUnusable, read_key
from portal.errors import Unavailable
from portal.models import Node


def connect(node: Node, *, still: Callable[[], None] = lambda: None) -> Dss:
    """A client for one job on this node; close it (it is a context manager). `still` is asked with each piece of a
    stream and raises where the job is not wanted any more. Raises Refused when the node's key is missing."""
    try:
        key = read_key(node.key_name, directory=settings.DSS_KEY_DIR or None, prefix=settings.DSS_KEY_PREFIX)
    except KeyUnusable as error:
        raise Unavailable(error.sentence, code=error.code, node=node.slug) from error
    return Dss(
        url=node.url, key=key, node=node.slug, verify=node.verify_tls,
        connect_timeout=settings.DSS_CONNECT_SECONDS, read_timeout=settings.DSS_READ_SECONDS,
        stream_bytes=int(settings.DSS_STREAM_MB * MB), stream_seconds=settings.DSS_STREAM_SECONDS, still=still,
    )  # fmt: skip


def is_passing(error: DssError) -> bool:
    """Whether the same call may well succeed in a moment: no answer, a broken answer, a busy object."""
    return error.passing or isinstance(error, Unreachable | DssFault | BadAnswer | Conflict)


@contextmanager
def asking(node: Node) -> Iterator[Dss]:
    """A client whose errors are refusals with a next step: for what a person waits for."""
    try:
        with connect(node) as dss:
            yield dss
    except DssError as error:
        raise Unavailable(error.sentence, code="dss", node=node.slug) from error
