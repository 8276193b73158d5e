"""People, teams and tokens over the API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.actions import people
from portal.models import Person, Team, Token
from tests.api import Api, same_at_any_size, session, token, told
from tests.cast import NAMES, Cast

# --- who asks ---


def test_me_says_who_asks_and_how(cast: Cast) -> None:
    found = session(cast.mona).get("me/")
    assert found["login"] == "mona"
    assert found["name"] == "Mona Castell"
    assert found["teams"] == [{"slug": "churn-team", "name": "Churn team"}]
    assert found["estate_rights"] == []
    assert found["authenticated_by"] == "session"
    assert token(cast.ada).get("me/")["authenticated_by"] == "token"
    assert session(cast.ada).get("me/")["estate_rights"] == ["manage"]
    assert "password" not in found


# --- people ---


def test_an_admin_lists_and_adds_people(cast: Cast) -> None:
    ada = session(cast.ada)
    assert {one["login"] for one in ada.rows("people/")} == set(NAMES)
    made = ada.post("people/", login="Ida", name="Ida Sand", zone="Europe/Paris")
    assert (made["login"], made["kind"], made["zone"]) == ("ida", "person", "Europe/Paris")
    assert told("person.added").subject == f"person:{made['id']}"
    assert made["has_password"] is False
    assert not Person.objects.get(login="ida").has_usable_password()


def test_people_are_for_admins(cast: Cast) -> None:
    for person in (cast.olga, cast.otto):
        assert session(person).refused(403, "get", "people/")["code"] == "right_missing"
        found = session(person).refused(403, "post", "people/", {"login": "ida", "name": "Ida Sand"})
        assert found["detail"] == (
            "You need the right to manage rights and settings on the whole estate. "
            "Abe Tanner or Ada Novak can grant it."
        )


@pytest.mark.parametrize(
    "body, field",
    [
        ({"login": "dev", "name": "Dev Again"}, "login"),
        ({"login": "ida", "name": "Ida", "zone": "Mars/Base"}, "zone"),
        ({"login": "ida", "name": "Ida", "email": "ida"}, "email"),
        ({"login": "ida", "name": "Ida", "kind": "system"}, "kind"),
        ({"login": "ida", "name": ""}, "name"),
        ({"login": "ida", "name": "Ida", "password": "known to two"}, "password"),
        ({"login": "ida", "name": "Ida", "is_superuser": True}, "is_superuser"),
    ],
)
def test_a_person_who_cannot_be_added(cast: Cast, body: dict[str, object], field: str) -> None:
    assert session(cast.ada).refused(400, "post", "people/", body)["field"] == field


def test_the_list_of_people_costs_the_same_at_any_size(cast: Cast) -> None:
    def grow(count: int) -> None:
        start = Person.objects.count()
        Person.objects.bulk_create(
            Person(login=f"p{start + n}", name=f"P {start + n}", password="!") for n in range(count)
        )

    same_at_any_size(session(cast.ada), "people/", grow, already=len(NAMES), most=4)


# --- teams ---


def test_teams_are_seen_by_admins_auditors_and_their_members(cast: Cast) -> None:
    for person in (cast.ada, cast.nora, cast.dev):
        (team,) = session(person).rows("teams/")
        assert team["slug"] == "churn-team"
        assert [one["login"] for one in team["members"]] == ["dev", "mona", "olga"]
    assert session(cast.otto).rows("teams/") == []


def test_an_admin_makes_a_team_and_its_members(cast: Cast) -> None:
    ada = session(cast.ada)
    assert ada.post("teams/", name="Fraud team") == {
        "slug": "fraud-team",
        "name": "Fraud team",
        "members": [],
    }
    told("team.added")
    found = ada.post("teams/fraud-team/members/", login="otto", why="Helps.")
    assert [one["login"] for one in found["members"]] == ["otto"]
    told("team.joined")
    assert ada.send("delete", "teams/fraud-team/members/otto/?why=Over.").status_code == 204
    told("team.left")
    assert not Team.objects.get(slug="fraud-team").members.exists()


def test_teams_are_made_by_admins_alone(cast: Cast) -> None:
    dev, otto = session(cast.dev), session(cast.otto)
    assert dev.refused(403, "post", "teams/", {"name": "Fraud team"})["code"] == "right_missing"
    assert dev.refused(403, "post", "teams/churn-team/members/", {"login": "otto"})["code"] == "right_missing"
    assert dev.refused(403, "delete", "teams/churn-team/members/olga/")["code"] == "right_missing"
    otto.absent("post", "teams/churn-team/members/", {"login": "otto"})
    otto.absent("post", "teams/no-team/members/", {"login": "otto"})
    otto.absent("delete", "teams/churn-team/members/olga/")


def test_a_team_that_is_there_already(cast: Cast) -> None:
    found = session(cast.ada).refused(400, "post", "teams/", {"name": "Churn team"})
    assert (found["code"], found["field"]) == ("team_taken", "name")
    found = session(cast.ada).refused(
        400, "post", "teams/churn-team/members/", {"login": "nobody", "why": "x"}
    )
    assert (found["code"], found["field"]) == ("person_unknown", "login")


def test_the_list_of_teams_costs_the_same_at_any_size(cast: Cast) -> None:
    group = type(cast.team.group)

    def grow(count: int) -> None:
        start = Team.objects.count()
        groups = group.objects.bulk_create(group(name=f"g{start + n}") for n in range(count))
        Team.objects.bulk_create(Team(group=one, slug=one.name, name=one.name) for one in groups)
        through = Person.groups.through
        through.objects.bulk_create(through(person_id=cast.otto.pk, group_id=one.pk) for one in groups)

    same_at_any_size(session(cast.ada), "teams/", grow, already=1, most=7)


# --- tokens ---


def test_a_token_is_shown_once_and_acts_for_its_person(cast: Cast) -> None:
    dev = session(cast.dev)
    made = dev.post("tokens/", name="pipeline", days=7)
    told("token.made")
    assert made["secret"].startswith("csn_")
    assert not Token.objects.filter(hashed__contains=made["secret"]).exists()
    (listed,) = dev.rows("tokens/")
    assert "secret" not in listed
    assert (listed["name"], listed["prefix"]) == ("pipeline", made["secret"][:8])
    program = Api(headers={"Authorization": f"Bearer {made['secret']}"})
    assert program.get("me/")["login"] == "dev"
    assert [one["key"] for one in program.rows("projects/")] == ["CHURN"]


def test_a_revoked_token_is_refused_at_once(cast: Cast) -> None:
    program = token(cast.dev)
    row = Token.objects.get(person=cast.dev)
    assert program.post(f"tokens/{row.pk}/revoke/")["revoked_at"]
    told("token.revoked")
    assert program.refused(401, "get", "me/")["code"] == "token_not_in_force"


def test_tokens_are_ones_own(cast: Cast) -> None:
    people.make_token(by=cast.dev, name="pipeline")
    row = Token.objects.get(person=cast.dev)
    session(cast.olga).absent("post", f"tokens/{row.pk}/revoke/")
    assert session(cast.ada).rows("tokens/") == []
    assert [one["id"] for one in session(cast.ada).rows("people/dev/tokens/")] == [row.pk]
    assert session(cast.olga).refused(403, "get", "people/dev/tokens/")["code"] == "right_missing"
    session(cast.ada).absent("get", "people/nobody/tokens/")


def test_a_token_makes_no_tokens(cast: Cast) -> None:
    program = token(cast.dev)
    assert program.refused(403, "post", "tokens/", {"name": "another"})["code"] == "token_makes_no_token"


def test_a_name_in_force_is_refused(cast: Cast) -> None:
    session(cast.dev).post("tokens/", name="pipeline")
    told = session(cast.dev).refused(400, "post", "tokens/", {"name": "pipeline"})
    assert (told["code"], told["field"]) == ("token_name_taken", "name")
    assert (
        told["detail"]
        == "There is a token named “pipeline” in force. Revoke it first, or choose another name."
    )


@pytest.mark.parametrize(
    "body, field",
    [({"name": "a", "days": 0}, "days"), ({"name": "a", "days": 367}, "days"), ({"name": " "}, "name")],
)
def test_a_token_that_cannot_be_made(cast: Cast, body: dict[str, object], field: str) -> None:
    assert session(cast.dev).refused(400, "post", "tokens/", body)["field"] == field


def test_the_list_of_tokens_costs_the_same_at_any_size(cast: Cast) -> None:
    def grow(count: int) -> None:
        start = Token.objects.count()
        Token.objects.bulk_create(
            Token(
                person=cast.dev,
                made_by=cast.dev,
                name="t",
                prefix="csn_",
                hashed=f"{start + n:064x}",
                expires_at=timezone.now() + timedelta(days=1),
            )
            for n in range(count)
        )

    same_at_any_size(session(cast.dev), "tokens/", grow, most=4)
