"""Whatever stands in an address, page and API answer in words: every address of the map, with odd values in each place.

Which names a view reads of the query is found by asking it, so that a new one is tried without being listed here.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from zlib import crc32

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker

from governance import reviews
from governance.actions import access_reviews
from governance.actions.access_reviews import Answer
from governance.models import Report, SignOff
from portal.actions import grants, people
from portal.demo.cast import PASSWORD
from portal.models import Grant, Right
from portal.reauthentication import Password
from tests import factories
from tests.addresses import PLACE, Things, names_read, routes, written
from tests.cast import Cast, make_cast
from tests.databases import quicker_database
from tests.factories import (
    TO_READ,
    all_signed,
    bundle_registered,
    collected,
    intended_use,
    promotion_of,
    request_at,
)
from tests.pages import signed_in

ODD = (
    "\0",
    "²",
    "--5",
    "9" * 22,
    "9" * 5000,  # more digits than int() reads
    "",
    "\udcff[]{}%'\"\\",  # a byte that is no UTF-8, and what other languages give a meaning
)
SAMPLE = 1  # how many of them are tried in each place in the normal run; over all places each is tried often
ADMIN_TRIED = "/admin/portal/person/"
ADMIN_ALIKE = re.compile(r"/admin/\w+/\w+/.*")
SLOW = {"/api/v1/schema/"}  # written anew for each who asks, and looks nothing up


def cursor(place: str) -> str:
    """A cursor as the lists of the API write them, standing at this place."""
    return b64encode(f"p={written(place)}".encode()).decode()


def addresses() -> list[str]:
    """Every address as the map has it. Of admin, whose models are all alike, those of one."""
    return [
        path
        for path in dict.fromkeys(route.path for route in routes())
        if path not in SLOW and (path.startswith(ADMIN_TRIED) or not ADMIN_ALIKE.fullmatch(path))
    ]


ADDRESSES = addresses()


@dataclass(frozen=True, slots=True)
class Stage:
    """A person who may do everything, and what the places of addresses stand for."""

    client: Client
    things: Things

    def fill(self, address: str, odd: tuple[str, str] | None = None) -> str:
        """The address with every place filled in, one of them oddly."""
        return self.things.fill(address, dict([odd]) if odd else None)


@pytest.fixture(scope="module")
def stage(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    """One database for all of these, which only look: one of each thing, and Nora with every right."""
    with django_db_blocker.unblock(), quicker_database(request.config):
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
    for what in TO_READ:
        collected(cast, bundle, what)
    intended_use(cast, bundle)
    all_signed(cast, open_wish)
    made, _secret = people.make_token(by=cast.nora, name="t")
    review = access_reviews.start(
        by=cast.ada, project=cast.churn, due=timezone.now() + timedelta(days=9), why="For a test."
    )
    first = Grant.objects.get(person=cast.mona)
    said = Answer(first.pk, "confirm", reviews.facts_of([first])[first.pk].digest)
    answers = access_reviews.answer(by=cast.ada, review=review, proof=Password(PASSWORD), answers=[said])
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
        "access-reviews": review.pk,
        "places": review.places.get().pk,
        "signatures": answers.pk,
        "rights": Grant.objects.latest("pk").pk,
        "grants": Grant.objects.latest("pk").pk,
    }
    return Stage(signed_in(cast.nora), Things(things))


def tried(place: str, whole: bool) -> tuple[str, ...]:
    """The odd values that are tried in this place: all of them, or some that the place itself chooses."""
    first = crc32(place.encode()) % len(ODD)
    return ODD if whole else (*ODD, *ODD)[first : first + SAMPLE]


def tell(client: Client, path: str) -> int:
    """Ask, and hold the answer to its form: never broken, and every refusal of the API a problem with a sentence."""
    answer = client.get(path)
    # Where DSS is asked nothing answers here, which is our own word too.
    wrong = answer.status_code >= 500 and not (
        answer.status_code == 503 and b"COUNTERSIGN_DSS" in answer.content
    )
    assert not wrong, (path[:200], answer.status_code, answer.content[:500])
    if path.startswith("/api/") and answer.status_code >= 400:
        assert answer["Content-Type"] == "application/problem+json", path[:200]
        assert answer.json()["detail"], path[:200]
    return answer.status_code


@pytest.mark.parametrize("address", ADDRESSES)
def test_odd_values_are_answered_in_words(
    stage: Stage, settings: Settings, address: str, full_size: bool
) -> None:
    if not full_size:
        settings.NAV_COUNTS = {}  # counted for every page, and no odd value comes near it
    path = stage.fill(address)
    tell(stage.client, f"{path}?odd=%00")
    for name in names_read(stage.client.get, path) - {"odd"}:
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
        ("/projects/", {"q"}),
        ("/projects/CHURN/bundles/v1/", {"against"}),
    ):
        assert names <= names_read(stage.client.get, path)
