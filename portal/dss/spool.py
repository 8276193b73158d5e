"""Keeps what DSS sends in a temporary file, where it can be read more than once.

Not in charge of how much that is: the client ends a stream that goes on beyond its limits.
"""

import errno
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO

from portal.dss.errors import NoRoom

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def spooled(download: AbstractContextManager[Iterable[bytes]]) -> Iterator[IO[bytes]]:
    """Download to the end into a temporary file and give it, at its beginning. Raises NoRoom where the disk is full."""
    try:
        with tempfile.TemporaryFile() as spool:
            with download as chunks:
                for chunk in chunks:
                    spool.write(chunk)
            spool.seek(0)
            yield spool
    except OSError as error:  # also as the file is closed, which writes what is still buffered
        if error.errno not in _FULL:
            raise
        raise NoRoom(passing=True) from error
