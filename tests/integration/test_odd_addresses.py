"""Whatever stands in an address, page and API answer in words: every address of the map, with odd values in each place.

Which names a view reads of the query is found by asking it, so that a new one is tried without being listed here.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch
from urllib.parse import quote
from zlib import crc32

import pytest
from django.db import connections
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.datastructures import MultiValueDict
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker

from governance.models import Collection, Report, SignOff
from portal.actions import grants, people
from portal.models import Grant, Right
from tests import factories
from tests.cast import Cast, make_cast
from tests.databases import copied, pointed_at
from tests.factories import (
    all_signed,
    bundle_registered,
    collected,
    intended_use,
    promotion_of,
    request_at,
)
from tests.pages import signed_in
from tests.settings import TEST_DATABASE

ODD = (
    "\0",
    "²",
    "--5",
    "9" * 22,
    "9" * 5000,  # more digits than int() reads
    "",
    "\udcff[]{}%'\"\\",  # a byte that is no UTF-8, and what other languages give a meaning
)
SAMPLE = 2  # how many of them are tried in each place in the normal run; over all places each is tried often
ADMIN_TRIED = "/admin/portal/person/"
ADMIN_ALIKE = re.compile(r"/admin/\w+/\w+/.*")
SLOW = {"/api/v1/schema/"}  # written anew for each who asks, and looks nothing up
PLACE = re.compile(r"<(?:\w+:)?(\w+)>")


def cursor(place: str) -> str:
    """A cursor as the lists of the API write them, standing at this place."""
    return b64encode(f"p={written(place)}".encode()).decode()


def written(text: str) -> str:
    """A text as it stands in an address."""
    return quote(text, safe="", errors="surrogateescape")


def addresses() -> list[str]:
    """Every address as the map has it. Of admin, whose models are all alike, those of one."""

    def walk(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[str]:
        for entry in patterns:
            path = before + str(entry.pattern)
            if isinstance(entry, URLResolver):
                yield from walk(entry.url_patterns, path)
            elif "(?P" not in path and (path.startswith(ADMIN_TRIED) or not ADMIN_ALIKE.fullmatch(path)):
                yield path

    return sorted(set(walk(get_resolver().url_patterns, "/")) - SLOW)


ADDRESSES = addresses()


@dataclass(frozen=True, slots=True)
class Stage:
    """A person who may do everything, and what the places of addresses stand for, by the word before and the name."""

    client: Client
    things: dict[str, str]

    def fill(self, address: str, odd: tuple[str, str] | None = None) -> str:
        """The address with every place filled in, one of them oddly."""

        def value(found: re.Match[str]) -> str:
            name = found[1]
            if odd and odd[0] == name:
                return written(odd[1])
            before = address[: found.start()].strip("/").rpartition("/")[2]
            return written(self.things.get(before) or self.things.get(name) or "1")

        return PLACE.sub(value, address)


@pytest.fixture(scope="module")
def stage(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Stage]:
    """One database for all of these, which only look: one of each thing, and Nora with every right."""
    with django_db_blocker.unblock(), copied(TEST_DATABASE) as database, pointed_at(database):
        yield furnished(make_cast())
        connections.close_all()


def furnished(cast: Cast) -> Stage:
    """One of each thing, and Nora with every right."""
    for right, role in (
        (Right.MANAGE, ""),
        (Right.PROMOTE, ""),
        (Right.REQUEST, ""),
        (Right.SIGN, "fairness"),
    ):
        grants.grant(by=cast.ada, person=cast.nora, right=right, role=role, why="For a test.")
    bundle = bundle_registered(cast)
    wish = request_at(cast, "promoting", bundle)
    open_wish = request_at(cast, "open", bundle, cast.prod)
    for what in Collection.What.values:
        collected(cast, bundle, what)
    intended_use(cast, bundle)
    all_signed(cast, open_wish)
    made, _secret = people.make_token(by=cast.nora, name="t")
    things = {
        "key": "CHURN",
        "bundle_id": "v1",
        "slug": cast.team.slug,
        "login": "dev",
        "name": cast.policy.name,
        "requirement": "sign_off:fairness",
        "requests": open_wish.pk,
        "promotions": promotion_of(wish).pk,
        "signoffs": SignOff.objects.latest("pk").pk,
        "documents": intended_use(cast, bundle).pk,
        "evidence": factories.tests_passed(cast, bundle).pk,
        "reports": Report.objects.create(project=cast.churn, about=wish.subject, asked_by=cast.nora).pk,
        "tokens": made.pk,
        "rights": Grant.objects.latest("pk").pk,
        "grants": Grant.objects.latest("pk").pk,
    }
    return Stage(signed_in(cast.nora), {name: str(thing) for name, thing in things.items()})


def tried(place: str, whole: bool) -> tuple[str, ...]:
    """The odd values that are tried in this place: all of them, or some that the place itself chooses."""
    first = crc32(place.encode()) % len(ODD)
    return ODD if whole else (*ODD, *ODD)[first : first + SAMPLE]


def tell(client: Client, path: str) -> int:
    """Ask, and hold the answer to its form: never broken, and every refusal of the API a problem with a sentence."""
    answer = client.get(path)
    assert answer.status_code < 500, (path[:200], answer.status_code, answer.content[:500])
    if path.startswith("/api/") and answer.status_code >= 400:
        assert answer["Content-Type"] == "application/problem+json", path[:200]
        assert answer.json()["detail"], path[:200]
    return answer.status_code


def names_read(client: Client, path: str) -> set[str]:
    """Which names of the query a view looks for."""
    read: set[str] = set()
    get, every = MultiValueDict.__getitem__, MultiValueDict.getlist

    def spying(self: Any, key: str) -> Any:
        read.add(key)
        return get(self, key)

    def spying_list(self: Any, key: str, default: Any = None) -> Any:
        read.add(key)
        return every(self, key, default)

    with patch.multiple(MultiValueDict, __getitem__=spying, getlist=spying_list):
        client.get(path, {"odd": "1"})
    return read


@pytest.mark.parametrize("address", ADDRESSES)
def test_odd_values_are_answered_in_words(
    stage: Stage, settings: Settings, address: str, full_size: bool
) -> None:
    if not full_size:
        settings.NAV_COUNTS = {}  # what waits is judged for every page, and no odd value comes near it
    path = stage.fill(address)
    tell(stage.client, f"{path}?odd=%00")
    for name in names_read(stage.client, path) - {"odd"}:
        odd = tried(f"{address} {name}", full_size)
        sent = [written(value) for value in odd]
        if name == "cursor":
            sent += [written(cursor(value)) for value in odd]
        for value in sent:
            tell(stage.client, f"{path}?{name}={value}")
        tell(stage.client, f"{path}?{name}=1&{name}=2&{name}[]=1&{name}[a]=2&{name}")
    for name in PLACE.findall(address):
        for value in tried(f"{address} {name} in the path", full_size):
            tell(stage.client, stage.fill(address, (name, value)))


def test_the_names_a_view_reads_are_found(stage: Stage) -> None:
    """The test above tries nothing where these are not."""
    for path, names in (
        ("/api/v1/events/", {"project", "subject", "kind", "after", "cursor", "page_size"}),
        ("/ledger/", {"before", "project", "kind", "subject"}),
        ("/projects/", {"q", "page"}),
        ("/projects/CHURN/bundles/v1/", {"against"}),
    ):
        assert names <= names_read(stage.client, path)
