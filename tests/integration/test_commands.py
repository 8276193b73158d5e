"""The commands of an administrator: each ends in a clear sentence and code, and none shows a secret."""

import io
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command, execute_from_command_line
from django.db import connection
from pytest_django import Settings

from governance.actions import signoffs
from portal import ledger, rights, signing
from portal.actions import estate, people
from portal.demo.cast import PASSWORD
from portal.dss.sandbox.launch import Sandbox
from portal.errors import Refused
from portal.event_kinds import EventKind
from portal.models import Event, Grant, Person
from portal.protection import install_sql, remove_sql
from portal.reauthentication import Password
from tests.cast import Cast
from tests.world import World

# --- create_admin ----------------------------------------------------------------------------------------------------


def create_admin(
    monkeypatch: pytest.MonkeyPatch,
    login: str = "ida",
    password: str = PASSWORD,
    end: str = "\n",
    **options: Any,
) -> str:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO(password + end))
    call_command("create_admin", login=login, name="Ida Sand", stdout=out, **options)
    return out.getvalue()


@pytest.mark.django_db
def test_create_admin_makes_somebody_who_manages_the_estate(monkeypatch: pytest.MonkeyPatch) -> None:
    said = create_admin(monkeypatch, "Ida", end="\r\n", zone="Europe/Paris")
    assert said == "Ida Sand (ida) is an administrator.\n"
    ida = Person.objects.get(login="ida")
    assert rights.on_estate(ida) == {"manage"}
    assert (ida.zone, ida.is_superuser) == ("Europe/Paris", False)
    assert authenticate(username="ida", password=PASSWORD) == ida
    told = [event.kind for event in ledger.events()]
    assert told == [EventKind.PERSON_ADDED, EventKind.ADMIN_MADE, EventKind.GRANT_GIVEN]
    assert {event.actor_kind for event in ledger.events()} == {"system"}
    # Again changes nothing, whatever is typed.
    create_admin(monkeypatch, "IDA", password="quite another one")
    assert authenticate(username="ida", password=PASSWORD) == ida
    assert [event.kind for event in ledger.events()] == told


def test_create_admin_raises_somebody_known(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    said = create_admin(monkeypatch, "otto", password="")
    assert said == "Otto Weiss (otto) is an administrator.\n"
    assert rights.on_estate(cast.otto) == {"manage"}
    assert authenticate(username="otto", password=PASSWORD) == cast.otto


def test_create_admin_refuses_in_a_sentence(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    people.add_person(by=cast.ada, login="robot", name="Robot", kind="service")
    Person.objects.filter(login="nora").update(is_active=False)
    events, held = Event.objects.count(), Grant.objects.count()
    for login, password, zone, words in (
        ("ida", "short", "UTC", "too short"),
        ("ida", "", "UTC", "too short"),
        ("ida", "password1234", "UTC", "too common"),
        ("ida", PASSWORD, "Moon/Base", "is not a time zone"),
        ("", PASSWORD, "UTC", "cannot be blank"),
        ("robot", PASSWORD, "UTC", "Choose the login of an active person"),
        ("nora", PASSWORD, "UTC", "Choose the login of an active person"),
        ("system", PASSWORD, "UTC", "Choose the login of an active person"),
    ):
        with pytest.raises(CommandError) as refused:
            create_admin(monkeypatch, login, password, zone=zone)
        assert words in str(refused.value), login
        assert PASSWORD not in str(refused.value)
    assert (Event.objects.count(), Grant.objects.count()) == (events, held)
    assert not Person.objects.filter(login="ida").exists()


def test_create_admin_opens_the_admin_to_look_when_asked(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    create_admin(monkeypatch)
    said = create_admin(monkeypatch, superuser=True)
    assert said.splitlines()[1] == (
        "They are a superuser too: the Django admin opens to them, to look and no more."
    )
    ida = Person.objects.get(login="ida")
    assert (ida.is_superuser, rights.on_estate(ida)) == (True, frozenset({"manage"}))
    told = [event.kind for event in ledger.events()]
    assert told.count(EventKind.ADMIN_MADE) == 2  # what was opened later is written down too
    create_admin(monkeypatch, superuser=True)
    assert [event.kind for event in ledger.events()] == told


@pytest.mark.parametrize("command", ["createsuperuser", "changepassword"])
def test_djangos_own_ways_round_the_ledger_are_refused(command: str) -> None:
    with pytest.raises(CommandError) as refused:
        call_command(command)
    assert "manage.py create_admin" in str(refused.value)


@pytest.mark.parametrize("line", ["createsuperuser --noinput --login ida", "changepassword ada"])
def test_they_are_refused_whatever_they_are_given(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        execute_from_command_line(["manage.py", *line.split()])
    assert ended.value.code == 1
    assert "manage.py create_admin" in capsys.readouterr().err


# --- check_node ------------------------------------------------------------------------------------------------------


def check_node(*arguments: str, **options: Any) -> str:
    """What it says, its complaint as the last line if it has one."""
    out = io.StringIO()
    try:
        call_command("check_node", *arguments, stdout=out, **options)
    except CommandError as error:  # manage.py ends with this code
        out.write(f"REFUSED {error}" if error.returncode == 1 else f"ended with {error.returncode}")
    return out.getvalue()


def test_check_node_says_what_the_key_may_do(
    cast: Cast, fresh_sandbox: Sandbox, settings: Settings, tmp_path: Path
) -> None:
    for name in ("design", "deployer", "qa"):
        there = fresh_sandbox.nodes[name]
        estate.add_node(
            by=cast.ada, slug=f"s-{name}", name=name, kind=there.kind, url=there.url, key_name=there.key_name
        )
    events = Event.objects.count()
    fresh_sandbox.control.clear_requests()
    said = check_node("s-design")
    assert "REFUSED" not in said
    assert re.search(r"^reachable: +yes$", said, re.M)
    assert re.search(r"^key accepted: +yes$", said, re.M)
    assert re.search(r"^projects: +[1-9]", said, re.M)
    deployer = check_node("s-deployer")
    assert "may deploy" in deployer
    assert "qa-automation" in deployer
    assert "REFUSED" not in check_node("s-qa")
    there = fresh_sandbox.nodes["design"]
    for kind, url, complaint in (
        ("automation", there.url, "of kind design, not automation"),
        ("deployer", fresh_sandbox.nodes["qa"].url, "No Deployer answers there"),
        ("design", fresh_sandbox.nodes["qa"].url, "of kind automation, not design"),
        ("design", there.url + "/nothing", "is not a DSS"),
    ):
        key = next(one.key_name for one in fresh_sandbox.nodes.values() if url.startswith(one.url))
        assert complaint in check_node(url=url, key_name=key, kind=kind)
    assert "REFUSED" not in check_node(url=there.url, key_name=there.key_name)
    assert {request["method"] for request in fresh_sandbox.control.requests()} <= {"GET", "POST"}
    secrets = set(fresh_sandbox.keys.values())
    assert not any(secret in said + deployer for secret in secrets)
    # A wrong key: one that is no key, and one of somebody who may not deploy.
    settings.DSS_KEY_DIR = str(tmp_path)
    (tmp_path / there.key_name).write_text("altered-key-4711")
    wrong = check_node("s-design")
    assert re.search(r"^key accepted: +no$", wrong, re.M)
    assert "REFUSED The DSS node s-design did not accept the portal's key" in wrong
    assert "4711" not in wrong
    (tmp_path / there.key_name).unlink()
    assert f"REFUSED There is no key named {there.key_name}" in check_node("s-design")
    assert Event.objects.count() == events


def test_check_node_says_when_nobody_answers_or_nothing_is_known(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERSIGN_DSS_KEY_DESIGN", "some-key-4711")
    nobody = check_node("design")
    assert re.search(r"^reachable: +no$", nobody, re.M)
    assert "REFUSED The DSS node design could not be reached" in nobody
    assert "4711" not in nobody
    assert check_node("moon") == (
        "REFUSED The portal knows no node “moon” (known: auto-prod, auto-qa, deployer, design). "
        "Name one, or give --url with --key-name."
    )
    assert check_node().startswith("REFUSED Say which node (known: auto-prod,")
    assert check_node(url="http://127.0.0.1:9").startswith("REFUSED Give --key-name")
    for url in ("dss.example.com", "https://", "https://ada:hunter2@dss.example.com"):
        said = check_node(url=url, key_name="design")
        assert said.startswith("REFUSED ")
        assert "hunter2" not in said
    assert "cannot be used" in check_node(url="http://127.0.0.1:9", key_name="../design")


# --- verify_ledger and make_signing_key ------------------------------------------------------------------------------


def test_verify_ledger_says_whether_it_holds(cast: Cast) -> None:
    out = io.StringIO()
    call_command("verify_ledger", stdout=out)
    assert len(out.getvalue().strip().splitlines()) == 1
    out = io.StringIO()
    call_command("verify_ledger", json=True, stdout=out)
    assert json.loads(out.getvalue())["holds"] is True
    with connection.cursor() as cursor:
        for statement in remove_sql(connection.vendor, "portal_event"):
            cursor.execute(statement)
        cursor.execute("UPDATE portal_event SET body = %s WHERE seq = 3", [b"{}"])
        for statement in install_sql(connection.vendor, "portal_event", key=("seq",)):
            cursor.execute(statement, params=None)
    err = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("verify_ledger", stderr=err)
    assert ended.value.code == 1
    assert "event 3" in err.getvalue().lower()


def test_make_signing_key_makes_one_once_and_shows_the_public_half(
    settings: Settings, tmp_path: Path
) -> None:
    settings.SIGNING_KEY_FILE = tmp_path / "keys" / "signing.pem"
    out = io.StringIO()
    call_command("make_signing_key", stdout=out)
    said = out.getvalue()
    assert settings.SIGNING_KEY_FILE.stat().st_mode & 0o777 == 0o600
    assert f"Key id: {signing.key_id()}" in said
    assert "BEGIN PUBLIC KEY" in said
    assert "PRIVATE" not in said
    kept = settings.SIGNING_KEY_FILE.read_bytes()
    with pytest.raises(CommandError) as refused:
        call_command("make_signing_key", stdout=out)
    assert "already" in str(refused.value)
    assert settings.SIGNING_KEY_FILE.read_bytes() == kept


# --- secrets ---------------------------------------------------------------------------------------------------------


def dump() -> str:
    """Every value of every table, as text; bytes both as they read and in hex."""
    texts: list[str] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                for value in row:
                    if isinstance(value, bytes | memoryview):
                        texts.append(bytes(value).decode("utf-8", errors="replace"))
                    texts.append(str(value))
    return "\n".join(texts)


def test_no_secret_is_kept_logged_or_said(
    world: World, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []

    def refused(call: Any) -> None:
        with pytest.raises((Refused, CommandError)) as error:
            call()
        chain: BaseException | None = error.value
        while chain is not None:
            said.append(f"{chain!r} {vars(chain)}")
            chain = chain.__cause__ or chain.__context__

    fay, dev = world.people["fay"], world.dev
    token, secret = people.make_token(by=dev, name="Pipeline")
    assert people.person_of_token(secret) == dev
    people.person_of_token("csn_guessed-4711")
    people.revoke_token(by=dev, token=token)
    _other, second = people.make_token(by=fay, name="Kept")
    world.publish(
        "policy: engine\ntiers:\n  plain:\n    stages:\n      prod:\n        requires: [{sign_off: {role: fairness}}]\n"
    )
    request = world.request(world.bundle())
    here: dict[str, Any] = {
        "bundle": request.bundle,
        "lane": request.lane,
        "requirement": "sign_off:fairness",
    }
    bound = signoffs.draft(by=fay, **here).bound
    refused(
        lambda: signoffs.sign(
            by=fay, proof=Password("wrong-pass-4711"), decision="approve", bound=bound, **here
        )
    )
    world.sign(request)
    refused(lambda: people.add_person(by=world.ada, login="ida", name="Ida", password="weak-4711"))
    world.control.fault("status", status=500, times=1)
    for name in ("design", "deployer", "qa", "prod"):
        try:
            said.append(check_node(name))
        except Refused as refusal:
            said.append(repr(refusal))
    world.sandbox.control.clear_faults()
    private = signing._key(settings.SIGNING_KEY_FILE).private_bytes_raw().hex()
    secrets = {
        "API key": [node.key for node in world.sandbox.nodes.values()],
        "password": ["countersign-demo", "wrong-pass-4711", "weak-4711"],
        "token": [secret, second, secret.removeprefix("csn_"), second.removeprefix("csn_"), "guessed-4711"],
        "signing key": [private],
    }
    kept = dump()
    logged = "\n".join(f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records)
    assert "Fay Okafor" in kept  # the dump does hold what is kept
    assert second[:8] in kept
    for what, values in secrets.items():
        for value in values:
            assert value not in kept, f"a {what} is in the database"
            assert value not in logged, f"a {what} is in the log"
            assert value not in "\n".join(said), f"a {what} was said"
