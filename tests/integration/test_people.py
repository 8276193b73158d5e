"""People, teams and API tokens: who may add them, what is refused, and that a token is neither kept nor signs."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from portal import ledger, rights, signing
from portal.actions import people
from portal.demo.cast import PASSWORD
from portal.errors import Absent, Forbidden, Invalid
from portal.event_kinds import EventKind
from portal.models import Event, Person, Right, Team, Token
from tests.cast import Cast, make_cast
from tests.conftest import Database
from tests.integration.test_grants import refusals_of

# --- people ----------------------------------------------------------------------------------------------------------


def add(cast: Cast, **wish: Any) -> Person:
    return people.add_person(**{"by": cast.ada, "login": "ida", "name": "Ida Sand", **wish})


def test_a_login_is_the_same_in_any_case(cast: Cast) -> None:
    ida = add(cast, login="  Ida ", password=PASSWORD)
    assert ida.login == "ida"
    for typed in ("ida", "IDA", "Ida", " ida"):
        assert authenticate(username=typed, password=PASSWORD) == ida
    assert authenticate(username="ida", password=PASSWORD.upper()) is None
    for taken in ("IDA", "ida", "ⓘda"):  # the last looks like it, once spelled in one way
        with pytest.raises(Invalid) as refused:
            add(cast, login=taken)
        assert (refused.value.code, refused.value.field) == ("login_taken", "login")
        assert "choose another" in refused.value.sentence


def test_people_that_cannot_be_are_refused_by_field(cast: Cast) -> None:
    events, rows = Event.objects.count(), Person.objects.count()
    for wish, code, field in (
        ({"login": ""}, "person_invalid", "login"),
        ({"login": "x" * 151}, "person_invalid", "login"),
        ({"name": ""}, "person_invalid", "name"),
        ({"name": "x" * 201}, "person_invalid", "name"),
        ({"zone": "Moon/Base"}, "person_invalid", "zone"),
        ({"email": "nowhere"}, "person_invalid", "email"),
        ({"kind": "robot"}, "person_invalid", "kind"),
        ({"kind": "system"}, "person_kind", "kind"),
        ({"password": "short"}, "password_weak", "password"),
        ({"password": "password1234"}, "password_weak", "password"),
        ({"password": ""}, "password_weak", "password"),
        ({"kind": "service", "password": PASSWORD}, "service_password", "password"),
    ):
        with pytest.raises(Invalid) as refused:
            add(cast, **wish)
        assert (refused.value.code, refused.value.field) == (code, field), wish
    assert (Event.objects.count(), Person.objects.count()) == (events, rows)


def test_only_administrators_add_people_and_teams(cast: Cast) -> None:
    for who in (cast.otto, cast.olga, cast.nora, Person.objects.system()):
        for call in (
            lambda who=who: add(cast, by=who),
            lambda who=who: people.add_team(by=who, name="New team"),
            lambda who=who: people.join_team(by=who, team=cast.team, person=cast.otto),
            lambda who=who: people.leave_team(by=who, team=cast.team, person=cast.dev),
        ):
            with pytest.raises(Forbidden):
                call()
    assert rights.can(cast.dev, Right.REQUEST, cast.prod)


def test_administrators_are_made_by_the_system_alone(cast: Cast) -> None:
    for who in (cast.ada, cast.otto):
        with pytest.raises(Forbidden) as refused:
            people.make_admin(by=who, login="ida", name="Ida Sand", password=PASSWORD)
        assert refused.value.code == "command_line_only"
    assert not Person.objects.filter(login="ida").exists()


def test_adding_somebody_is_told_without_telling_who_in_the_body(cast: Cast) -> None:
    ida = add(cast, kind="service")
    event = ledger.events(kinds=[EventKind.PERSON_ADDED])[-1]
    assert event.facts == {"person": str(ida.pk), "name": "Ida Sand", "login": "ida", "kind": "service"}
    assert b"Ida" not in bytes(Event.objects.get(seq=event.seq).body)
    assert not ida.has_usable_password()


# --- teams -----------------------------------------------------------------------------------------------------------


def test_teams_that_cannot_be_are_refused(cast: Cast) -> None:
    for wish, code in (
        ({"name": "Churn team"}, "team_taken"),
        ({"name": "Other", "slug": "churn-team"}, "team_taken"),
        ({"name": "!!!"}, "team_unnamed"),
        ({"name": "x" * 151, "slug": "long"}, "team_invalid"),
        ({"name": "x" * 60}, "team_invalid"),
        ({"name": "Team", "slug": "not a slug"}, "team_invalid"),
    ):
        with pytest.raises(Invalid) as refused:
            people.add_team(by=cast.ada, **wish)
        assert refused.value.code == code, wish
    assert Team.objects.count() == 1


def test_of_two_who_add_the_same_team_one_is_told_so(database_copy: Database) -> None:
    cast = make_cast()
    refused = refusals_of(
        *(lambda by=by: people.add_team(by=by, name="Risk") for by in (cast.ada, cast.abe)),
        *(lambda by=by: add(cast, by=by) for by in (cast.ada, cast.abe)),
    )
    assert sorted(refusal.code for refusal in refused) == ["login_taken", "team_taken"]


def test_of_two_who_change_a_team_at_once_one_is_told(each_database: Database) -> None:
    cast = make_cast()
    for turn in range(1, 5):
        for action in (people.join_team, people.leave_team):
            refusals_of(
                *(
                    lambda by=by, action=action: action(by=by, team=cast.team, person=cast.otto)
                    for by in (cast.ada, cast.abe)
                )
            )
        told = [
            event.kind
            for event in ledger.events(subject=f"team:{cast.team.pk}")
            if event.facts.get("person") == str(cast.otto.pk)
        ]
        assert told == [EventKind.TEAM_JOINED, EventKind.TEAM_LEFT] * turn


def test_joining_and_leaving_are_told_once(cast: Cast) -> None:
    people.join_team(by=cast.ada, team=cast.team, person=cast.otto)
    people.join_team(by=cast.ada, team=cast.team, person=cast.otto)
    people.leave_team(by=cast.ada, team=cast.team, person=cast.otto)
    people.leave_team(by=cast.ada, team=cast.team, person=cast.otto)
    kinds = [
        event.kind
        for event in ledger.events(subject=f"team:{cast.team.pk}")
        if event.facts.get("person") == str(cast.otto.pk)
    ]
    assert kinds == [EventKind.TEAM_JOINED, EventKind.TEAM_LEFT]
    Person.objects.filter(pk=cast.otto.pk).update(is_active=False)
    for nobody in (Person.objects.get(pk=cast.otto.pk), Person.objects.system()):
        with pytest.raises(Invalid) as refused:
            people.join_team(by=cast.ada, team=cast.team, person=nobody)
        assert refused.value.field == "person"


# --- tokens ----------------------------------------------------------------------------------------------------------


def test_a_token_is_shown_once_and_kept_only_hashed(cast: Cast) -> None:
    token, secret = people.make_token(by=cast.dev, name="Pipeline")
    assert len(secret) > 40
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM portal_token WHERE id = %s", [token.pk])
        row = " ".join(str(value) for value in cursor.fetchone())
    assert secret not in row
    assert secret.removeprefix("csn_") not in row
    assert token.hashed == hashlib.sha256(secret.encode()).hexdigest()
    assert token.prefix == secret[:8]
    assert people.person_of_token(secret) == cast.dev
    event = ledger.events(kinds=[EventKind.TOKEN_MADE])[-1]
    assert secret[8:] not in str(event)
    with pytest.raises(IntegrityError), transaction.atomic():
        Token.objects.create(
            person=cast.dev,
            made_by=cast.dev,
            name="Plain",
            prefix="csn_",
            hashed=secret,
            expires_at=timezone.now() + timedelta(days=1),
        )


def test_a_token_out_of_force_lets_nobody_in(cast: Cast) -> None:
    _expiring, expired = people.make_token(by=cast.dev, name="Expiring", days=1)
    Token.objects.update(expires_at=timezone.now())
    assert people.person_of_token(expired) is None
    revoked_token, revoked = people.make_token(by=cast.dev, name="Revoked")
    people.revoke_token(by=cast.dev, token=revoked_token)
    people.revoke_token(by=cast.dev, token=revoked_token)
    assert people.person_of_token(revoked) is None
    assert len(ledger.events(kinds=[EventKind.TOKEN_REVOKED])) == 1
    _disabled, disabled = people.make_token(by=cast.dev, name="Of somebody who leaves")
    assert people.person_of_token(disabled) == cast.dev
    Person.objects.filter(pk=cast.dev.pk).update(is_active=False)
    assert people.person_of_token(disabled) is None
    for unknown in ("", "csn_", disabled.upper(), disabled + " ", Token.objects.latest("pk").hashed):
        assert people.person_of_token(unknown) is None


def test_nobody_revokes_somebody_else_s_token(cast: Cast) -> None:
    token, secret = people.make_token(by=cast.dev, name="Mine")
    for nobody in (cast.otto, cast.olga, cast.nora):
        with pytest.raises(Absent):
            people.revoke_token(by=nobody, token=token)
    assert people.person_of_token(secret) == cast.dev


def test_an_administrator_revokes_anybody_s_token(cast: Cast) -> None:
    token, secret = people.make_token(by=cast.dev, name="Left running")
    people.revoke_token(by=cast.ada, token=token)
    assert people.person_of_token(secret) is None
    token.refresh_from_db()
    assert (token.status, token.revoked_by) == ("revoked", cast.ada)
    assert ledger.events(kinds=[EventKind.TOKEN_REVOKED])[-1].facts["person"] == str(cast.dev.pk)


def test_tokens_that_cannot_be_are_refused_by_field(cast: Cast) -> None:
    for wish, field in (
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "x", "days": 0}, "days"),
        ({"name": "x", "days": 367}, "days"),
    ):
        with pytest.raises(Invalid) as refused:
            people.make_token(by=cast.dev, **wish)
        assert refused.value.field == field
    assert not Token.objects.exists()


def test_a_name_in_force_makes_no_second_token(cast: Cast) -> None:
    first, _secret = people.make_token(by=cast.dev, name="Pipeline")
    with pytest.raises(Invalid) as refused:
        people.make_token(by=cast.dev, name=" pipeline ")
    assert (refused.value.field, refused.value.code) == ("name", "token_name_taken")
    people.make_token(by=cast.fay, name="Pipeline")
    people.revoke_token(by=cast.dev, token=first)
    second, _secret = people.make_token(by=cast.dev, name="Pipeline", days=1)
    Token.objects.filter(pk=second.pk).update(expires_at=timezone.now())
    people.make_token(by=cast.dev, name="Pipeline")
    assert Token.objects.filter(person=cast.dev).count() == 3


def test_the_last_use_of_a_token_is_noted_once_a_minute(cast: Cast) -> None:
    token, secret = people.make_token(by=cast.dev, name="Used")
    people.person_of_token(secret)
    token.refresh_from_db()
    first = token.used_at
    assert first is not None
    people.person_of_token(secret)
    token.refresh_from_db()
    assert token.used_at == first
    Token.objects.update(used_at=first - timedelta(minutes=2))
    people.person_of_token(secret)
    token.refresh_from_db()
    assert token.used_at is not None
    assert token.used_at >= first


def test_a_token_or_a_service_account_never_signs(cast: Cast) -> None:
    with pytest.raises(Forbidden) as refused:
        signing.reauthenticate(cast.fay, PASSWORD, how="token")
    assert refused.value.code == "token_never_signs"
    robot = add(cast, kind="service")
    with pytest.raises(Forbidden) as refused:
        signing.reauthenticate(robot, PASSWORD)
    assert refused.value.code == "only_people_sign"
    signing.reauthenticate(cast.fay, PASSWORD)
