"""Bounds failed tries, by login and by address, in rows that all processes share.

A try is counted before it is looked at, so that a thousand at once get no further than one after another, and taken
back when it succeeds. Not in charge of what is tried.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from portal.errors import TooMany
from portal.models import Tries


@dataclass(frozen=True, slots=True)
class Limit:
    """What is counted together, such as `login:dev`, and how many failures it may have before it has to wait."""

    what: str
    most: int

    @property
    def key(self) -> str:
        """A keyed digest: the rows name neither logins nor addresses."""
        return salted_hmac("portal.throttle", self.what, algorithm="sha256").hexdigest()


def by_login(login: str) -> Limit:
    """The limit of a login as it is kept, known or not."""
    return Limit(f"login:{login[:150]}", settings.SIGN_IN_TRIES)


def by_address(address: str) -> Limit:
    """The limit of an address; of version 6, of its network, because whoever has one address has them all."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return Limit("address:", settings.SIGN_IN_TRIES_PER_ADDRESS)
    if found.version == 6:
        found = ipaddress.ip_network((found, 64), strict=False).network_address
    return Limit(f"address:{found}", settings.SIGN_IN_TRIES_PER_ADDRESS)


def by_signer(person_id: object) -> Limit:
    """The limit of proving oneself while signed in: apart from the login's, which strangers can use up."""
    return Limit(f"again:{person_id}", settings.SIGN_IN_TRIES)


def take(*limits: Limit) -> bool:
    """Count a try on each; True where it is the last before one has to wait. Raises TooMany, counting nothing."""
    now = timezone.now()
    last = False
    with transaction.atomic():
        for limit in sorted(
            limits, key=lambda one: one.key
        ):  # in one order, so that no two wait for each other
            row, _made = Tries.objects.select_for_update().get_or_create(
                key=limit.key, defaults={"since": now}
            )
            if now >= _free_at(row.since):
                row.count, row.since = 0, now
            if row.count >= limit.most:
                raise _too_many(_free_at(row.since), now)
            row.count += 1
            row.save()
            last = last or row.count == limit.most
    return last


def give_back(*limits: Limit) -> None:
    """Take back a try that succeeded."""
    with transaction.atomic():
        for limit in sorted(limits, key=lambda one: one.key):
            row = Tries.objects.select_for_update().filter(key=limit.key, count__gt=0).first()
            if row is not None:
                row.count -= 1
                row.save()


def forget(limit: Limit) -> None:
    """Start counting anew."""
    Tries.objects.filter(key=limit.key).update(count=0)


def forget_old() -> None:
    """Delete what counts no more."""
    Tries.objects.filter(since__lt=timezone.now() - timedelta(seconds=settings.SIGN_IN_WAIT_SECONDS)).delete()


def _free_at(since: datetime) -> datetime:
    return since + timedelta(seconds=settings.SIGN_IN_WAIT_SECONDS)


def _too_many(free_at: datetime, now: datetime) -> TooMany:
    minutes = max(1, -(-int((free_at - now).total_seconds()) // 60))
    local = timezone.localtime(free_at)
    return TooMany(
        _(
            "Too many tries failed, so none is looked at before %(time)s %(zone)s (in %(minutes)s min)."
            " Try again then, or ask an administrator for a new password."
        )
        % {"time": date_format(local, "H:i"), "zone": local.tzname() or "", "minutes": minutes},
        code="tries_exceeded",
        wait=max(1, int((free_at - now).total_seconds())),
    )
