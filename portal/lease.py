"""Keeps a claim on a row alive while its holder works, however long a single call takes.

Whoever claims a row sets its `lease_until`; whoever is silent longer than that loses it. A call to DSS may take half an
hour (an export, an upload), so a thread renews the lease meanwhile; it dies with its process, and then so does the
lease. Not in charge of claiming or of giving back.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import QuerySet
from django.utils import timezone

log = logging.getLogger(__name__)

LONGEST = 2 * 3600.0  # seconds after which a holder counts as stuck, although its process lives


class Lost(Exception):
    """The claim is somebody else's now, or nobody's: whatever was being done for it is to be left."""


class Lease:
    """A claim that is held: `rows()` is the row while it is ours, and nothing once somebody else took it."""

    def __init__(self, row: QuerySet[Any], until: datetime) -> None:
        self._row = row
        self.until = until
        self.lost = False

    def check(self) -> None:
        """Raises Lost once the renewal found the claim gone: for long work, to be asked as often as one likes."""
        if self.lost:
            raise Lost

    def rows(self) -> QuerySet[Any]:
        return self._row.filter(lease_until=self.until)

    def renew(self) -> bool:
        """Compare and set; False when it was lost."""
        later = timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)
        if not self.rows().update(lease_until=later):
            self.lost = True
            return False
        self.until = later
        return True


@contextmanager
def renewed(row: QuerySet[Any], until: datetime) -> Iterator[Lease]:
    """Renew the claim `until` on `row` from a thread, three times as often as needed, until the block is left."""
    lease = Lease(row, until)
    over = threading.Event()
    thread = threading.Thread(target=_renew, args=(lease, over), name="lease", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        over.set()
        thread.join()


def _renew(lease: Lease, over: threading.Event) -> None:
    stuck = time.monotonic() + LONGEST
    asked = False
    try:
        while not over.wait(settings.LEASE_SECONDS / 3) and time.monotonic() < stuck:
            asked = True
            try:
                if not lease.renew():
                    return
            except DatabaseError:
                log.warning("A lease could not be renewed; trying again.", exc_info=True)
        # Left because the holder counts as stuck: should it live, it is to stop.
        lease.lost = lease.lost or not over.is_set()
    finally:
        if asked:
            connection.close()
