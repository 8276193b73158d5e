"""Rights over the API: to read, to give and to revoke."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from portal import rights
from portal.models import Grant, Person, Project, Right
from tests.api import same_at_any_size, session, told
from tests.cast import Cast

VIEW: dict[str, Any] = {"person": "otto", "right": "view", "project": "CHURN", "why": "He joins."}


def test_members_see_who_may_do_what_on_their_project(cast: Cast) -> None:
    found = session(cast.olga).rows("grants/?project=CHURN")
    assert {(one["right"], one["role"], one["team"] and one["team"]["slug"]) for one in found} == {
        ("view", "", "churn-team"),
        ("request", "", "churn-team"),
        ("promote", "", None),
        ("sign", "fairness", None),
        ("sign", "explainability", None),
        ("sign", "model-risk", None),
    }
    assert {one["project"] for one in session(cast.olga).rows("grants/")} == {"CHURN"}


def test_grants_on_the_estate_are_for_who_looks_over_it(cast: Cast) -> None:
    for person in (cast.ada, cast.nora):
        estate = [one for one in session(person).rows("grants/") if one["project"] is None]
        assert {(one["person"]["login"], one["right"]) for one in estate} == {
            ("ada", "manage"),
            ("abe", "manage"),
            ("nora", "audit"),
        }


def test_an_admin_gives_and_revokes_a_right(cast: Cast) -> None:
    ada = session(cast.ada)
    given = ada.post("grants/", **VIEW, stage="qa")
    assert told("grant.given").subject == f"grant:{given['id']}"
    assert (given["person"]["login"], given["stage"], given["given_by"]["login"]) == ("otto", "qa", "ada")
    assert session(cast.otto).get("projects/CHURN/")["key"] == "CHURN"
    ended = ada.post(f"grants/{given['id']}/revoke/", why="He left.")
    told("grant.revoked")
    assert ended["revoked_by"]["login"] == "ada"
    session(cast.otto).absent("get", "projects/CHURN/")
    assert given["id"] not in {one["id"] for one in ada.rows("grants/?project=CHURN")}
    assert given["id"] in {one["id"] for one in ada.rows("grants/?project=CHURN&all=true")}


def test_a_team_and_a_role_and_an_end(cast: Cast) -> None:
    until = (timezone.now() + timedelta(days=30)).isoformat()
    given = session(cast.ada).post(
        "grants/",
        team="churn-team",
        right="sign",
        role="fairness",
        project="CHURN",
        stage="qa",
        until=until,
        why="For now.",
    )
    assert (given["team"]["slug"], given["role"]) == ("churn-team", "fairness")
    assert rights.can(cast.olga, Right.SIGN, cast.qa, role="fairness")
    assert not rights.can(cast.olga, Right.SIGN, cast.prod, role="fairness")


def test_who_may_not_grant_learns_nothing(cast: Cast) -> None:
    session(cast.otto).absent("post", "grants/", VIEW)
    session(cast.otto).absent("post", "grants/", {**VIEW, "project": "NOTHING"})
    for name in ("otto", "nobody"):
        found = session(cast.olga).refused(403, "post", "grants/", {**VIEW, "person": name})
        assert found["detail"] == (
            "You need the right to manage rights and settings on Customer churn in QA. "
            "Abe Tanner or Ada Novak can grant it."
        )
    grant = Grant.objects.filter(project=cast.churn).earliest("pk")
    session(cast.otto).absent("post", f"grants/{grant.pk}/revoke/", {"why": "No."})
    found = session(cast.olga).refused(403, "post", f"grants/{grant.pk}/revoke/", {"why": "No."})
    assert found["code"] == "right_missing"


@pytest.mark.parametrize(
    "change, code, field",
    [
        ({"person": "nobody"}, "person_unknown", "person"),
        ({"person": "system"}, "person_unknown", "person"),
        ({"team": "no-team"}, "team_unknown", "team"),
        ({"team": "churn-team"}, "grant_holder", "holder"),
        ({"right": "sign"}, "role_missing", "role"),
        ({"role": "fairness"}, "role_unexpected", "role"),
        ({"right": "roll_back"}, "right_unused", "right"),
        ({"stage": "moon"}, "stage_unknown", "stage"),
        ({"until": "2020-01-01T00:00:00Z"}, "until_past", "until"),
        ({"until": "soon"}, "input_invalid", "until"),
        ({"right": "rule"}, "input_invalid", "right"),
        ({"why": " "}, "input_invalid", "why"),
    ],
)
def test_a_wish_that_cannot_be_granted(cast: Cast, change: dict[str, str], code: str, field: str) -> None:
    found = session(cast.ada).refused(400, "post", "grants/", {**VIEW, **change})
    assert (found["code"], found["field"]) == (code, field)


def test_a_right_is_given_and_revoked_once(cast: Cast) -> None:
    ada = session(cast.ada)
    given = ada.post("grants/", **VIEW)
    assert ada.refused(400, "post", "grants/", VIEW)["code"] == "grant_duplicate"
    ada.post(f"grants/{given['id']}/revoke/", why="He left.")
    again = ada.refused(400, "post", f"grants/{given['id']}/revoke/", {"why": "Twice."})
    assert again["detail"] == "This right was revoked already."


def test_the_list_of_grants_costs_the_same_at_any_size(cast: Cast) -> None:
    def grow(count: int) -> None:
        start = Person.objects.count()
        people = Person.objects.bulk_create(
            Person(login=f"p{start + n}", name=f"P {n}", password="!") for n in range(count)
        )
        Grant.objects.bulk_create(
            Grant(person=one, right="view", project=cast.maint, why="w", given_by=cast.ada) for one in people
        )

    same_at_any_size(session(cast.ada), "grants/?project=MAINT", grow, most=6)
    assert Project.objects.count() == 2
