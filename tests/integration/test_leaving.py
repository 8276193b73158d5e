"""Joiner, mover, leaver: changing an account, everything somebody holds handed over, nothing left that comes back."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from deployments.judging import judge_now
from deployments.models import DeploymentRequest
from portal import ledger, rights
from portal.actions import accounts, changes, delegations, edits, grants, leaving, people
from portal.demo.cast import PASSWORD
from portal.errors import Forbidden, Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.models import Change, Delegation, Grant, Person, Project, Right
from tests.api import Api, session, token, told
from tests.cast import Cast, make_cast
from tests.conftest import Database
from tests.factories import all_but_signed, bundle_registered, request_at, signed
from tests.integration.test_grants import refusals_of
from tests.pages import queries_of, refused, signed_in, words


def keys(person: Person) -> list[str]:
    return [duty.key for duty in leaving.held_by(person)]


def leaves(cast: Cast, person: Person, **wish: Any) -> None:
    leaving.leave(**{"by": cast.ada, "person": person, "why": "Left the bank.", **wish})


def fresh(person: Person) -> Person:
    return Person.objects.get(pk=person.pk)


# --- leaving ----------------------------------------------------------------------------------------------------------


def test_nothing_lets_a_leaver_in_any_more_nor_later(cast: Cast) -> None:
    _row, secret = people.make_token(by=cast.dev, name="Pipeline")
    client = Client()
    client.post("/login/", {"username": "dev", "password": PASSWORD})
    assert client.get("/inbox/").status_code == 200
    leaves(cast, cast.dev)
    assert client.get("/inbox/").status_code == 302
    assert people.person_of_token(secret) is None
    assert authenticate(username="dev", password=PASSWORD) is None
    assert not rights.can(fresh(cast.dev), Right.REQUEST, cast.qa)
    assert not fresh(cast.dev).groups.exists()
    accounts.enable(by=cast.ada, person=fresh(cast.dev), why="Came back.")
    assert client.get("/inbox/").status_code == 302
    assert people.person_of_token(secret) is None
    assert authenticate(username="dev", password=PASSWORD) is None
    assert not rights.can(fresh(cast.dev), Right.REQUEST, cast.qa)
    kinds = {entry.kind for entry in ledger.events(subject=f"person:{cast.dev.pk}")}
    assert {EventKind.PERSON_LEFT, EventKind.PERSON_ENABLED} <= kinds
    assert ledger.events(kinds=[EventKind.TEAM_LEFT])[-1].facts["person"] == str(cast.dev.pk)
    assert ledger.events(kinds=[EventKind.TOKEN_REVOKED])[-1].facts["person"] == str(cast.dev.pk)


def test_everything_held_is_shown_and_goes_to_heirs(cast: Cast) -> None:
    """Olga owns churn, asked for something, stands in for Mona, and nobody else signs for privacy."""
    request = request_at(cast)
    DeploymentRequest.objects.filter(pk=request.pk).update(requested_by=cast.olga)
    grants.grant(
        by=cast.ada, person=cast.olga, right=Right.SIGN, role="privacy", project=cast.churn, why="Knows it."
    )
    grant = Grant.objects.get(role="privacy")
    soon = timezone.now() + timedelta(days=5)
    stands = delegations.delegate(by=cast.mona, delegate=cast.olga, until=soon, why="Leave")
    assert keys(cast.olga) == [
        "project:CHURN",
        f"request:{request.pk}",
        f"delegation:{stands.pk}",
        f"role:{grant.pk}",
    ]
    with pytest.raises(Invalid) as refusal:
        leaves(cast, cast.olga)
    assert (refusal.value.code, refusal.value.field) == ("heir_missing", "heir")
    assert refusal.value.params["missing"] == ["project:CHURN"]
    assert "the project Customer churn" in refusal.value.sentence
    leaves(cast, cast.olga, heir=cast.dev, heirs={f"delegation:{stands.pk}": cast.otto})
    assert list(cast.churn.owners.all()) == [cast.dev]
    request.refresh_from_db()
    assert (request.requested_by, request.on_behalf_of) == (cast.dev, cast.olga)
    assert {one.person for one in judge_now(request).case.barred} >= {str(cast.dev.pk), str(cast.olga.pk)}
    assert Delegation.objects.get(ended_at=None).delegate == cast.otto
    assert rights.can(cast.dev, Right.SIGN, cast.prod, role="privacy")
    assert not Grant.objects.filter(person=cast.olga, revoked_at=None).exists()
    event = ledger.events(kinds=[EventKind.PERSON_LEFT])[-1]
    assert event.facts["heirs"]["project:CHURN"] == str(cast.dev.pk)
    for kind in (EventKind.PROJECT_HANDED_OVER, EventKind.REQUEST_HANDED_OVER, EventKind.DELEGATION_ENDED):
        assert ledger.events(kinds=[kind])


def test_without_an_heir_a_request_is_withdrawn_and_a_delegation_ends(cast: Cast) -> None:
    request = request_at(cast)
    soon = timezone.now() + timedelta(days=5)
    delegations.delegate(by=cast.mona, delegate=cast.dev, until=soon, why="Leave")
    delegations.delegate(by=cast.fay, delegate=cast.otto, until=soon, why="Leave")
    leaves(cast, cast.dev)
    request.refresh_from_db()
    assert request.status == "withdrawn"
    assert ledger.events(kinds=[EventKind.REQUEST_WITHDRAWN])[-1].facts["why"] == "Left the bank."
    leaves(cast, cast.fay)  # who is away herself
    assert not Delegation.objects.filter(ended_at=None).exists()


def test_what_is_given_to_a_heir_who_may_not_is_refused_whole(cast: Cast) -> None:
    request = request_at(cast)
    with pytest.raises(Invalid) as refusal:
        leaves(cast, cast.dev, heir=cast.otto)
    assert refusal.value.code == "heir_lacks_right"
    assert fresh(cast.dev).is_active
    request.refresh_from_db()
    assert request.requested_by == cast.dev
    robot = people.add_person(by=cast.ada, login="robot", name="Nightly export", kind="service")
    gone = people.add_person(by=cast.ada, login="ida", name="Ida Sand")
    leaves(cast, gone)
    for unfit in (robot, fresh(gone), cast.dev):
        with pytest.raises(Invalid) as refusal:
            leaves(cast, cast.dev, heir=unfit)
        assert refusal.value.code == "heir_unfit"
    with pytest.raises(Stale) as stale:
        leaves(cast, cast.dev, heirs={"project:CHURN": cast.olga})
    assert stale.value.code == "duty_gone"


def test_a_role_that_others_hold_is_no_duty(cast: Cast) -> None:
    assert [key.partition(":")[0] for key in keys(cast.fay)] == ["role"]
    grants.grant(
        by=cast.ada,
        person=cast.otto,
        right=Right.SIGN,
        role="fairness",
        project=cast.churn,
        stage="qa",
        why="Too.",
    )
    assert "Customer churn · Production" in leaving.held_by(cast.fay)[0].what
    assert "QA" not in leaving.held_by(cast.fay)[0].what
    grants.grant(by=cast.ada, team=cast.team, right=Right.SIGN, role="fairness", why="All of them.")
    assert keys(cast.fay) == []
    # Somebody who only stands in for her is nobody else.
    Grant.objects.filter(team=cast.team, role="fairness").update(
        revoked_at=timezone.now(), revoked_by=cast.ada
    )
    soon = timezone.now() + timedelta(days=5)
    delegations.delegate(by=cast.fay, delegate=cast.nora, until=soon, why="Leave")
    assert [key.partition(":")[0] for key in keys(cast.fay)] == ["role"]


def test_the_last_of_a_team_that_signs_is_followed_into_the_team(cast: Cast) -> None:
    team = people.add_team(by=cast.ada, name="Privacy")
    people.join_team(by=cast.ada, team=team, person=cast.otto)
    grants.grant(
        by=cast.ada, team=team, right=Right.SIGN, role="privacy", project=cast.churn, why="They know it."
    )
    (duty,) = leaving.held_by(cast.otto)
    assert "through Privacy" in duty.what
    leaves(cast, cast.otto, heir=cast.nora)
    assert list(team.members) == [cast.nora]
    assert rights.can(cast.nora, Right.SIGN, cast.qa, role="privacy")


def test_with_a_second_administrator_the_heirs_role_waits_for_one(cast: Cast, settings: Settings) -> None:
    settings.SECOND_ADMIN = True
    leaves(cast, cast.fay, heir=cast.otto)
    change = Change.objects.get(status="waiting")
    assert Change.objects.exclude(pk=change.pk).get().alone  # what only takes her rights away
    assert not fresh(cast.fay).is_active
    changes.apply(by=cast.abe, change=change)
    assert rights.can(cast.otto, Right.SIGN, cast.prod, role="fairness")


def test_a_waiting_change_is_handed_over_or_withdrawn(cast: Cast, settings: Settings) -> None:
    settings.SECOND_ADMIN = True
    ops = [edits.give(right=Right.VIEW, person=cast.otto, project=cast.churn, why="Looks.")]
    asked = [edits.edit(by=cast.abe, ops=ops, why=f"He asked {n} times.") for n in range(2)]
    first, second = (f"change:{one.pk}" for one in asked)
    assert keys(cast.abe) == [first, second]
    with pytest.raises(Invalid) as refusal:
        leaves(cast, cast.abe, heirs={first: cast.otto})
    assert refusal.value.code == "heir_lacks_right"
    leaves(cast, cast.abe, heirs={first: cast.ada})
    one, other = (Change.objects.get(pk=change.pk) for change in asked)
    assert (one.asked_by, one.status, other.status) == (cast.ada, "waiting", "withdrawn")
    assert ledger.events(kinds=[EventKind.CHANGE_HANDED_OVER])[-1].facts["heir"] == str(cast.ada.pk)
    with pytest.raises(Forbidden):
        changes.apply(by=cast.ada, change=one)  # hers now, so somebody else applies it


def test_past_signatures_end_with_the_role(cast: Cast) -> None:
    bundle = bundle_registered(cast)
    all_but_signed(cast, bundle)
    wish = request_at(cast, bundle=bundle, lane=cast.prod)
    signed(cast.fay, wish, "fairness")
    leaves(cast, cast.fay)
    found = {finding.key: finding for finding in judge_now(wish).verdict.findings}
    assert found["sign_off:fairness"].state == "not_met"
    assert found["sign_off:fairness"].params["not_counted"][0]["why"] == "role_lost"


def test_who_may_disable_whom(cast: Cast) -> None:
    for nobody in (cast.olga, cast.nora, cast.otto):
        with pytest.raises(Forbidden):
            leaves(cast, cast.dev, by=nobody)
    with pytest.raises(Refused) as refusal:
        leaves(cast, cast.ada)
    assert refusal.value.code == "leaver_is_oneself"
    leaves(cast, cast.otto)
    with pytest.raises(Stale):
        leaves(cast, fresh(cast.otto))


# --- the last administrator -------------------------------------------------------------------------------------------


def test_the_last_administrator_stays(cast: Cast) -> None:
    own = {person: Grant.objects.get(person=person, right="manage") for person in (cast.ada, cast.abe)}
    grants.revoke(by=cast.ada, grant=own[cast.abe], why="Not needed.")
    with pytest.raises(Refused) as refusal:
        grants.revoke(by=cast.ada, grant=own[cast.ada], why="Enough.")
    assert refusal.value.code == "last_admin"
    assert rights.on_estate(cast.ada)
    team = people.add_team(by=cast.ada, name="Admins")
    people.join_team(by=cast.ada, team=team, person=cast.abe)
    grants.grant(by=cast.ada, team=team, right=Right.MANAGE, why="They run it.")
    grants.revoke(by=cast.ada, grant=own[cast.ada], why="The team does it.")
    with pytest.raises(Refused) as refusal:
        people.leave_team(by=cast.abe, team=team, person=cast.abe)
    assert refusal.value.code == "last_admin"
    assert rights.on_estate(cast.abe)


def test_a_robot_with_the_right_is_no_last_administrator(cast: Cast) -> None:
    robot = people.add_person(by=cast.ada, login="robot", name="Directory", kind="service")
    grants.grant(by=cast.ada, person=robot, right=Right.MANAGE, why="Keeps people in step.")
    _row, secret = people.make_token(by=cast.ada, person=robot, name="directory", carrying=["manage"])
    program = Api(headers={"Authorization": f"Bearer {secret}"})
    assert program.post("people/abe/leave/", why="Gone.")["is_active"] is False
    assert (
        program.refused(409, "post", "people/ada/leave/", {"why": "Gone.", "heir": "olga"})["code"]
        == "last_admin"
    )
    assert fresh(cast.ada).is_active


def test_of_two_administrators_who_take_it_from_each_other_one_stays(database_copy: Database) -> None:
    cast = make_cast()
    refusals_of(
        lambda: leaves(cast, cast.abe, by=cast.ada),
        lambda: leaves(cast, cast.ada, by=cast.abe),
    )
    assert Person.objects.filter(login__in=("ada", "abe"), is_active=True).count() >= 1


# --- changing ---------------------------------------------------------------------------------------------------------


def test_an_account_is_changed_and_told(cast: Cast) -> None:
    people.change_person(
        by=cast.ada, person=cast.dev, name="Dev Rao-Lind", email="d@example.com", zone="Asia/Tokyo"
    )
    assert (fresh(cast.dev).name, fresh(cast.dev).zone) == ("Dev Rao-Lind", "Asia/Tokyo")
    event = ledger.events(kinds=[EventKind.PERSON_CHANGED])[-1]
    assert event.facts == {
        "person": str(cast.dev.pk),
        "name": "Dev Rao-Lind",
        "was": "Dev Rao",
        "changed": ["name", "email", "zone"],
    }
    people.change_person(by=cast.ada, person=cast.dev, name="Dev Rao-Lind")
    assert len(ledger.events(kinds=[EventKind.PERSON_CHANGED])) == 1
    people.change_person(by=cast.dev, person=cast.dev, zone="Europe/Paris")  # one's own
    for wish in ({"name": "Somebody"}, {"email": "x@example.com"}):
        with pytest.raises(Forbidden):
            people.change_person(by=cast.dev, person=cast.dev, **wish)
    with pytest.raises(Forbidden):
        people.change_person(by=cast.olga, person=cast.dev, zone="UTC")
    for wish, field in (({"zone": "Mars"}, "zone"), ({"email": "nowhere"}, "email"), ({"name": ""}, "name")):
        with pytest.raises(Invalid) as refusal:
            people.change_person(by=cast.ada, person=fresh(cast.dev), **wish)
        assert refusal.value.field == field


# --- API and pages ----------------------------------------------------------------------------------------------------


def test_over_the_api(cast: Cast) -> None:
    ada = session(cast.ada)
    assert ada.get("people/olga/")["name"] == "Olga Lindqvist"
    assert ada.send("patch", "people/olga/", {"zone": "Asia/Tokyo"}).json()["zone"] == "Asia/Tokyo"
    (duty,) = ada.get("people/olga/duties/")
    assert (duty["key"], duty["without"]) == ("project:CHURN", "")
    found = ada.refused(400, "post", "people/olga/leave/", {"why": "Left."})
    assert (found["code"], found["params"]["missing"]) == ("heir_missing", ["project:CHURN"])
    found = ada.refused(400, "post", "people/olga/leave/", {"why": "Left.", "heir": "nobody"})
    assert found["field"] == "heir"
    left = ada.post("people/olga/leave/", why="Left.", heirs={"project:CHURN": "dev"})
    assert left["is_active"] is False
    told("person.left")
    assert ada.post("people/olga/enable/", why="Back.")["is_active"] is True
    assert not fresh(cast.olga).has_usable_password()
    for method, path, body in (
        ("get", "people/dev/", None),
        ("patch", "people/dev/", {"zone": "UTC"}),
        ("get", "people/dev/duties/", None),
        ("post", "people/dev/leave/", {"why": "x"}),
        ("post", "people/dev/enable/", {"why": "x"}),
    ):
        assert session(cast.mona).refused(403, method, path, body)["code"] == "right_missing"
        code = token(cast.ada, projects=[cast.churn]).refused(403, method, path, body)["code"]
        assert code == ("token_changes_no_account" if path.endswith("enable/") else "right_missing")
        ada.absent(method, path.replace("dev", "nobody"), body)


def test_on_the_pages(cast: Cast) -> None:
    ada, page = signed_in(cast.ada), f"/people/{cast.olga.pk}/"
    for path in (f"{page}leave/", f"{page}change/"):
        refused(signed_in(cast.nora).get(path), 403, "whole estate")
    shown = words(ada.get(f"{page}leave/"))
    assert "One thing to hand over" in shown
    assert "The project Customer churn" in shown
    answer = ada.post(f"{page}leave/", {"why": "Left.", "heir": "nobody"})
    assert "Nobody here has the login “nobody”." in words(answer)
    answer = ada.post(f"{page}leave/", {"why": "Left."})
    assert "Somebody has to take this over first: the project Customer churn." in words(answer)
    answer = ada.post(f"{page}leave/", {"why": "Left.", "heir_project_CHURN": "dev"}, follow=True)
    assert "Olga Lindqvist left" in words(answer)
    assert list(cast.churn.owners.all()) == [cast.dev]
    answer = ada.post("/accounts/olga/disable/", {"why": "Back."}, follow=True)
    assert "Olga Lindqvist is enabled again." in words(answer)
    answer = ada.post(f"{page}change/", {"name": "Olga Lind", "email": "", "zone": "UTC"}, follow=True)
    assert "Olga Lind is changed." in words(answer)


def test_what_somebody_holds_takes_as_many_queries_at_any_size(cast: Cast) -> None:
    client, page = signed_in(cast.ada), f"/people/{cast.olga.pk}/leave/"
    few = queries_of(client, page)
    made = Project.objects.bulk_create(
        Project(key=f"P{n}", name=f"P {n}", node=cast.design, pipeline=cast.pipeline, tier="light")
        for n in range(300)
    )
    cast.olga.owned_projects.add(*made)
    assert queries_of(client, page) == few <= 30
    assert "301 things to hand over" in words(client.get(page))
