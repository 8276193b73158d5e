"""Django's sessions, in our own rows: keys only as digests, and for whoever signed in also who, how and from where.

settings.SESSION_ENGINE names this module. Not in charge of signing in or of ending somebody's sessions: actions are.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from portal.models import Session

# Where in a session stands how and from where somebody signed in: {"method": …, "address": …, "browser": …}.
ENTRY = "entry"
# A row is written for presence at most this often.
SEEN_EVERY = timedelta(minutes=1)

# By hand: every request asks it.
_LIVE = "SELECT id, data, begun_at, seen_at FROM portal_session WHERE hashed = %s AND expires_at > %s"


def hashed(key: str) -> str:
    """The digest under which a session's key is kept."""
    return hashlib.sha256(key.encode()).hexdigest()


def ends_at(begun_at: datetime, seen_at: datetime) -> datetime:
    """When a session ends unless it is used again."""
    return min(
        begun_at + timedelta(seconds=settings.SESSION_COOKIE_AGE),
        seen_at + timedelta(seconds=settings.SESSION_IDLE_SECONDS),
    )


@dataclass(frozen=True, slots=True)
class _Times:
    begun_at: datetime
    seen_at: datetime


class SessionStore(SessionBase):
    """One session, as Django's middleware drives it."""

    _times: _Times | None = None

    @property
    def hashed(self) -> str:
        """The digest of this session's key; empty before it has one."""
        return hashed(self.session_key) if self.session_key else ""

    @property
    def begun_at(self) -> datetime:
        """When it began, which for whoever signed in is when they did."""
        self.is_empty()  # reads it, if it was not read yet
        return self._times.begun_at if self._times else timezone.now()

    @property
    def is_stale(self) -> bool:
        """Whether it is time to write down that somebody is there."""
        return self._times is not None and timezone.now() - self._times.seen_at > SEEN_EVERY

    def exists(self, session_key: str) -> bool:
        """Whether there is a row of this key."""
        return Session.objects.filter(hashed=hashed(session_key)).exists()

    def load(self) -> dict[str, Any]:
        """What the session holds; nothing where it has ended."""
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        row = next(iter(Session.objects.raw(_LIVE, [self.hashed, now])), None)
        if row is None:
            self._session_key = None
            return {}
        self._times = _Times(row.begun_at, row.seen_at)
        return self.decode(row.data)

    def create(self) -> None:
        """Begin a session under a key that nobody has."""
        while True:
            self._session_key = self._get_new_session_key()  # type: ignore[attr-defined]
            try:
                self.save(must_create=True)
            except CreateError:
                continue
            self.modified = True
            return

    def save(self, must_create: bool = False) -> None:
        """Write the row. Raises CreateError where the key is taken, UpdateError where the session ended meanwhile."""
        if self.session_key is None:
            self.create()
            return
        data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        now = timezone.now()
        if must_create:
            self._times = _Times(now, now)
        elif self._times is None:
            self._times = self._kept_times() or _Times(now, now)
        entry = data.get(ENTRY) or {}
        fields = {
            "data": self.encode(data),
            "person_id": data.get(SESSION_KEY),
            "method": entry.get("method", ""),
            "address": entry.get("address", ""),
            "browser": entry.get("browser", ""),
            "expires_at": ends_at(self._times.begun_at, self._times.seen_at),
        }
        if must_create:
            try:
                with transaction.atomic():
                    Session.objects.create(
                        hashed=self.hashed,
                        begun_at=self._times.begun_at,
                        seen_at=self._times.seen_at,
                        **fields,
                    )
            except IntegrityError:
                raise CreateError from None
        elif not Session.objects.filter(hashed=self.hashed).update(**fields):
            raise UpdateError

    def delete(self, session_key: str | None = None) -> None:
        """End it."""
        key = session_key or self.session_key
        if key is not None:
            Session.objects.filter(hashed=hashed(key)).delete()

    def see(self) -> None:
        """Write down that somebody is there, which moves the session's end."""
        assert self._times is not None
        now = timezone.now()
        self._times = _Times(self._times.begun_at, now)
        Session.objects.filter(hashed=self.hashed).update(
            seen_at=now, expires_at=ends_at(self._times.begun_at, now)
        )

    def _kept_times(self) -> _Times | None:
        row = Session.objects.filter(hashed=self.hashed).values_list("begun_at", "seen_at").first()
        return _Times(*row) if row else None

    @classmethod
    def clear_expired(cls) -> None:
        """Delete what has ended."""
        Session.objects.filter(expires_at__lte=timezone.now()).delete()

    @classmethod
    def get_session_store_class(cls) -> type[Self]:
        return cls


class PresenceMiddleware:
    """Moves the end of a session that is used. A part of a page that reads itself anew is nobody at the keyboard."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Before the view, so that a view which ends sessions has the last word."""
        by_itself = request.method == "GET" and request.headers.get("HX-Request") == "true"
        store = request.session
        if (
            not by_itself
            and request.user.is_authenticated
            and isinstance(store, SessionStore)
            and store.is_stale
        ):
            store.see()
        return self.get_response(request)
