"""Pages of people: who is here, one person, and the tokens of a service account."""

import pytest

from portal.actions import people
from portal.demo.cast import PASSWORD
from portal.models import Person, Token
from tests.cast import NAMES, Cast
from tests.pages import outsider_sees_nothing, queries_of, refused, signed_in, words

NEEDS = "You need the right to manage rights and settings on the whole estate."


def robot_of(cast: Cast) -> Person:
    return people.add_person(by=cast.ada, login="robot", name="Nightly export", kind="service")


def test_people_are_for_administrators(cast: Cast) -> None:
    for path in ("/people/", "/people/add/", f"/people/{cast.dev.pk}/"):
        for nobody in (cast.olga, cast.otto, cast.nora):
            refused(signed_in(nobody).get(path), 403, NEEDS)
        assert signed_in(cast.ada).get(path).status_code == 200
    assert "People" in words(signed_in(cast.ada).get("/inbox/"))
    assert 'href="/people/"' not in signed_in(cast.nora).get("/inbox/").content.decode()


def test_the_list_is_searched_and_filtered(cast: Cast) -> None:
    robot = robot_of(cast)
    Person.objects.filter(pk=cast.otto.pk).update(is_active=False)
    ada = signed_in(cast.ada)
    assert all(name in words(ada.get("/people/")) for name in NAMES.values())
    for query, found in (
        ("q=oKafor", [cast.fay]),
        ("q=fay@example", [cast.fay]),
        ("kind=service", [robot]),
        ("state=disabled", [cast.otto]),
        ("q=nobody+of+that+name", []),
    ):
        assert list(ada.get(f"/people/?{query}").context["page"]) == found, query
    assert "Nobody like that" in words(ada.get("/people/?q=nobody+of+that+name"))


def test_somebody_is_added(cast: Cast) -> None:
    ada = signed_in(cast.ada)
    wish = {
        "kind": "person",
        "name": "Ida Sand",
        "login": "Ida",
        "zone": "Europe/Paris",
        "password": PASSWORD,
    }
    answer = ada.post("/people/add/", wish, follow=True)
    assert "Ida Sand is added." in words(answer)
    assert not Person.objects.get(login="ida").has_usable_password(), "she chooses her own, with a code"
    again = ada.post("/people/add/", wish)
    assert "The login “Ida” is taken; choose another." in words(again)
    ada.post("/people/add/", {**wish, "kind": "service", "login": "robot"})
    assert not Person.objects.get(login="robot").has_usable_password()


def test_a_token_of_a_service_account_is_shown_once_and_revoked(cast: Cast) -> None:
    robot = robot_of(cast)
    ada, page = signed_in(cast.ada), f"/people/{robot.pk}/"
    shown = ada.post(page, {"name": "nightly", "days": "30", "rights": ["request"], "projects": "CHURN"})
    secret = next(word for word in words(shown).split() if word.startswith("csn_") and "…" not in word)
    by = people.person_of_token(secret)
    assert by == robot
    assert by.scope is not None
    assert by.scope.rights == frozenset({"request"})
    assert by.scope.projects == frozenset({cast.churn.pk})
    assert secret not in words(ada.get(page))
    assert "request CHURN" in words(ada.get(page))
    token = Token.objects.get()
    outsider_sees_nothing(ada, f"/people/{cast.dev.pk}/tokens/{token.pk}/revoke/", post=True)
    assert people.person_of_token(secret) is not None
    ada.post(f"{page}tokens/{token.pk}/revoke/")
    assert people.person_of_token(secret) is None


def test_a_token_of_a_person_is_not_made_by_another(cast: Cast) -> None:
    page = f"/people/{cast.dev.pk}/"
    refused(
        signed_in(cast.ada).post(page, {"name": "x", "days": "9"}),
        403,
        "Dev Rao makes their own tokens, on their account page.",
    )
    assert "Make a token" not in words(signed_in(cast.ada).get(page))
    refused(signed_in(cast.olga).post(page, {"name": "x", "days": "9"}), 403, NEEDS)
    assert not Token.objects.exists()


@pytest.mark.parametrize(
    "wish, field",
    [
        ({"projects": "MAINT"}, "projects"),
        ({"projects": "CHURN, NOWHERE"}, "projects"),
        ({"rights": ["sign"]}, "rights"),
        ({"days": "367"}, "days"),
    ],
)
def test_a_token_that_cannot_be_is_refused_on_the_form(
    cast: Cast, wish: dict[str, object], field: str
) -> None:
    answer = signed_in(cast.dev).post("/account/", {"name": "x", "days": "9", **wish})
    assert list(answer.context["form"].errors) == [field]
    assert not Token.objects.exists()


def test_the_list_of_people_takes_as_many_queries_at_any_size(cast: Cast) -> None:
    client = signed_in(cast.ada)
    few = queries_of(client, "/people/")
    Person.objects.bulk_create(Person(login=f"p{n}", name=f"P {n}", password="!") for n in range(990))
    assert queries_of(client, "/people/") == few <= 20
    assert "of 1,000" in words(client.get("/people/"))
