"""The ledger on its database: what is written, what is refused, what is read, and that every tampering is found."""

import hashlib
import importlib
import json
import logging
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils.translation import gettext_lazy
from pytest_django import DjangoAssertNumQueries, Settings

from portal import checkpoints, content, ledger, merkle, outbox, protection, signing, verification
from portal.canonical import canonical, loads_strict
from portal.celery import app
from portal.checkpoints import verify_note
from portal.errors import Refused
from portal.event_kinds import SHAPES, EventKind
from portal.models import Checkpoint, Content, Disclosure, Event, LedgerHead, Person
from portal.protection import install_sql, remove_sql
from portal.verification import verify
from tests.conftest import Database
from tests.servers import Broker

PROTECTED: dict[str, dict[str, Any]] = importlib.import_module(
    "portal.migrations.0002_ledger_triggers"
).PROTECTED


def dev() -> Person:
    return Person.objects.filter(login="dev").first() or Person.objects.create_person(
        "dev", name="Dev Rao", zone="Asia/Kolkata"
    )


def withdraw(number: int = 1, why: str = "too early") -> None:
    """Record one event with a personal fact."""
    ledger.record(
        EventKind.REQUEST_WITHDRAWN,
        by=dev(),
        project="CHURN",
        subject=f"request:{number}",
        request=number,
        why=why,
        on_behalf_of=None,
    )


def land(number: int = 1, project: str = "CHURN") -> None:
    """Record one event without personal facts."""
    ledger.record(
        EventKind.REQUEST_LANDED,
        by=None,
        project=project,
        subject=f"request:{number}",
        request=number,
        promotion=7,
    )


def fill(*numbers: int) -> None:
    for number in numbers:
        with ledger.business():
            withdraw(number)
            land(number)


@contextmanager
def unprotected(table: str) -> Iterator[None]:
    """Take the triggers of a table away, as an owner of the database could, and put them back."""
    with connection.cursor() as cursor:
        for statement in remove_sql(connection.vendor, table):
            cursor.execute(statement)
    yield
    with connection.cursor() as cursor:
        for statement in install_sql(connection.vendor, table, **PROTECTED[table]):
            cursor.execute(statement, params=None)


def sql(statement: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


# --- writing ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_rows_are_numbered_without_gaps_and_hashed() -> None:
    person = dev()
    fill(1, 2)
    rows = list(Event.objects.order_by("seq"))
    assert [row.seq for row in rows] == [0, 1, 2, 3]
    assert LedgerHead.objects.get().size == 4
    for row in rows:
        body = bytes(row.body)
        assert bytes(row.leaf) == hashlib.sha256(b"\x00" + body).digest()
        assert canonical(loads_strict(body)) == body
    said = json.loads(bytes(rows[0].body))
    assert said.pop("facts").keys() == {"request", "why", "on_behalf_of"}
    assert said == {
        "kind": "request.withdrawn",
        "v": 1,
        "at": rows[0].at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "zone": "Asia/Kolkata",
        "actor": {"id": str(person.pk), "kind": "person"},
        "project": "CHURN",
        "subject": "request:1",
    }
    assert rows[1].actor == Person.objects.system().pk


def test_a_change_and_its_event_exist_together_or_not_at_all(each_database: Database) -> None:
    @ledger.business()
    def broken() -> None:
        withdraw()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert not Person.objects.filter(login="dev").exists()
    assert not Event.objects.exists()
    with ledger.business():
        withdraw()
    assert Person.objects.filter(login="dev").exists()
    assert Event.objects.count() == 1


def test_a_change_whose_event_cannot_be_appended_is_undone(each_database: Database) -> None:
    fill(1)
    LedgerHead.objects.update(size=0)

    @ledger.business()
    def change() -> None:
        Person.objects.create_person("mona", name="Mona Castell")
        land(2)

    with pytest.raises(IntegrityError):
        change()
    assert not Person.objects.filter(login="mona").exists()
    assert Event.objects.count() == 2


@pytest.mark.django_db
def test_a_business_inside_another_joins_it() -> None:
    with ledger.business():
        land(1)
        with ledger.business():
            land(2)
        assert not Event.objects.exists()
        land(3)
    assert [row.subject for row in Event.objects.order_by("seq")] == ["request:1", "request:2", "request:3"]


@pytest.mark.django_db
@pytest.mark.parametrize("inner", [ledger.business, transaction.atomic])
def test_what_was_rolled_back_inside_is_not_recorded(inner: Callable[[], Any]) -> None:
    def broken() -> None:
        land(2)
        raise ZeroDivisionError

    with ledger.business():
        land(1)
        with pytest.raises(ZeroDivisionError):
            inner()(broken)()
        with inner():
            land(3)
    assert [row.subject for row in Event.objects.order_by("seq")] == ["request:1", "request:3"]
    assert verify().holds


@pytest.mark.django_db
def test_nothing_is_recorded_outside_a_business_transaction() -> None:
    with pytest.raises(ledger.Misrecorded, match="outside"):
        land()
    with ledger.business():
        land()
    with pytest.raises(ledger.Misrecorded, match="outside"):
        land()


def test_a_business_does_not_start_inside_a_plain_transaction(database_copy: Database) -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic(), ledger.business():
        land()


@pytest.mark.django_db
def test_what_runs_on_commit_has_a_business_of_its_own() -> None:
    assert ledger._pending.get() is None
    with ledger.business():
        assert ledger._pending.get() == []
    assert ledger._pending.get() is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "facts, said",
    [
        ({"request": 1}, "missing facts .'why'."),
        ({"request": 1, "why": "so", "when": 1}, "unknown facts .'when'."),
        ({"request": 1, "why": 3}, "why is not a text"),
        ({"request": 1, "why": None}, "why is not a text"),
    ],
)
def test_facts_have_to_fit_the_shape(facts: dict[str, Any], said: str) -> None:
    with pytest.raises(ledger.Misrecorded, match=said), ledger.business():
        ledger.record(
            EventKind.REQUEST_WITHDRAWN, by=None, project="", subject="request:1", on_behalf_of=None, **facts
        )
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_facts_become_json() -> None:
    some = uuid.uuid4()
    with ledger.business():
        ledger.record(
            EventKind.STEP_DONE,
            by=None,
            project="CHURN",
            subject="promotion:1",
            promotion=some,
            request=gettext_lazy("person"),
            step=Person.Kind.SERVICE,
            index=float(2**60),
            started_at=datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=2))),
            ended_at=None,
            attempts=(1, [2.5, True]),
            output={"at": datetime(2026, 1, 2, tzinfo=UTC)},
        )
    (entry,) = ledger.events()
    assert entry.facts == {
        "promotion": str(some),
        "request": "person",
        "step": "service",
        "index": float(2**60),
        "started_at": "2026-11-21T10:00:00.000000Z",
        "ended_at": None,
        "attempts": [1, [2.5, True]],
        "output": {"at": "2026-01-02T00:00:00.000000Z"},
    }
    assert verify().holds


@pytest.mark.django_db
def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"), ledger.business():
        ledger.record(
            EventKind.REQUEST_LANDED, by=None, project="", subject="", request=datetime(2026, 1, 1), promotion=1  # noqa: DTZ001
        )  # fmt: skip


# --- personal values -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("why", ["Ravi Menon is away", "", "ünïcödé"])
def test_personal_values_stand_beside_the_body(why: str) -> None:
    with ledger.business():
        withdraw(why=why)
    row = Event.objects.get()
    held = Disclosure.objects.get()
    assert not why or why not in bytes(row.body).decode()
    assert (held.path, held.value, len(held.salt)) == ("facts.why", why, 32)
    expected = hashlib.sha256(bytes.fromhex(held.salt) + why.encode()).hexdigest()
    assert json.loads(bytes(row.body))["facts"]["why"] == {"commitment": expected}
    (entry,) = ledger.events()
    assert (entry.facts["why"], entry.erased) == (why, frozenset())


@pytest.mark.django_db
def test_equal_values_have_different_commitments() -> None:
    fill(1, 2)
    bodies = [json.loads(bytes(row.body))["facts"] for row in Event.objects.filter(kind="request.withdrawn")]
    assert bodies[0]["why"] != bodies[1]["why"]


@pytest.mark.django_db
def test_an_erased_value_is_gone_and_every_proof_still_holds() -> None:
    fill(1)
    before = verify()
    assert ledger.erase(0, "facts.why")
    assert not ledger.erase(0, "facts.why")
    entry = ledger.events()[0]
    assert (entry.facts["why"], entry.erased) == (None, frozenset({"why"}))
    after = verify()
    assert after.holds
    assert after.root == before.root
    assert (before.disclosures, before.erased, after.disclosures, after.erased) == (1, 0, 0, 1)


@pytest.mark.django_db
@pytest.mark.parametrize("table, column", [("portal_disclosure", "value"), ("portal_event", "body")])
def test_what_was_altered_is_not_shown(table: str, column: str) -> None:
    fill(1)
    with unprotected(table):
        sql(f"UPDATE {table} SET {column} = %s", b"{}" if column == "body" else "a kinder reason")
    with pytest.raises(Refused, match="was altered") as refused:
        ledger.events()
    assert refused.value.code == "ledger_altered"


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_events_are_found(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    fill(1, 2, 3)
    with ledger.business():
        land(9, project="FRAUD")
    with django_assert_num_queries(2):
        everything = ledger.events()
    assert [entry.seq for entry in everything] == list(range(7))
    assert [entry.seq for entry in ledger.events(project="FRAUD")] == [6]
    assert [entry.seq for entry in ledger.events(project=["CHURN", "FRAUD"], after=4)] == [5, 6]
    assert [entry.seq for entry in ledger.events(project=[])] == []
    assert [entry.seq for entry in ledger.events(subject="request:2")] == [2, 3]
    assert [entry.seq for entry in ledger.events(subject={"request:1", "request:3"}, limit=3)] == [0, 1, 4]
    assert [entry.seq for entry in ledger.events(kinds=[EventKind.REQUEST_LANDED])] == [1, 3, 5, 6]
    assert [entry.seq for entry in ledger.read(ledger.rows(project="CHURN").reverse()[:2])] == [5, 4]
    first = everything[0]
    row = Event.objects.get(seq=0)
    assert (first.kind, first.at, first.zone) == (EventKind.REQUEST_WITHDRAWN, row.at, "Asia/Kolkata")
    assert (first.actor_id, first.actor_kind) == (str(dev().pk), "person")
    assert (first.digest, first.leaf) == (hashlib.sha256(bytes(row.body)).hexdigest(), bytes(row.leaf).hex())


def granted(**facts: Any) -> ledger.Entry:
    with ledger.business():
        ledger.record(
            EventKind.GRANT_GIVEN,
            by=dev(),
            project="CHURN",
            subject="grant:1",
            **{
                "grant": "1", "change": None,
                "holder_kind": "team", "holder_id": "churn-team", "holder": "Churn team", "right": "view",
                "role": "", "where": "CHURN", "stage": "", "until": None, "why": "new here", **facts,
            },
        )  # fmt: skip
    return ledger.events()[-1]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "facts, said",
    [
        ({}, "<dev> gave Churn team the right to view on CHURN"),
        ({"right": "roll_back"}, "<dev> gave Churn team the right to roll back on CHURN"),
        (
            {"right": "sign", "role": "fairness"},
            "<dev> gave Churn team the right to sign for fairness on CHURN",
        ),
        (
            {"until": "2026-12-01T10:00:00+02:00"},
            "<dev> gave Churn team the right to view on CHURN until 2026-12-01 08:00 UTC",
        ),
    ],
)
def test_the_sentence_of_a_grant(facts: dict[str, Any], said: str) -> None:
    names = {str(dev().pk): "<dev>"}
    assert ledger.sentence(granted(**facts), names.__getitem__) == said


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("people", "said"),
    [
        (1, "One person asked to sign fairness for v1 to prod"),
        (2, "2 people asked to sign fairness for v1 to prod"),
    ],
)
def test_the_sentence_of_asking_counts_people(people: int, said: str) -> None:
    with ledger.business():
        ledger.record(
            EventKind.SIGNOFF_ASKED, by=None, project="CHURN", subject="request:1", request=1,
            requirement="sign_off:fairness", role="fairness", bundle="v1", stage="prod",
            people=["p"] * people, count=people,
        )  # fmt: skip
    assert ledger.sentence(ledger.events()[0], lambda _: "Countersign") == said


@pytest.mark.django_db
def test_the_sentence_of_a_lapse_says_why_in_words() -> None:
    with ledger.business():
        ledger.record(
            EventKind.SIGNOFF_LAPSED, by=None, project="CHURN", subject="request:1", request=1, signoff=1,
            requirement="sign_off:fairness", role="fairness", bundle="v1", stage="prod", person="p",
            reason="withdrawn", sentence="Fay withdrew it.",
        )  # fmt: skip
    said = ledger.sentence(ledger.events()[0], lambda _: "Countersign")
    assert said == "A fairness signature counts no more for v1 to prod: Fay withdrew it."


@pytest.mark.django_db
def test_the_sentence_of_what_was_erased() -> None:
    entry = granted()
    ledger.erase(entry.seq, "facts.holder")
    (again,) = ledger.events()
    assert ledger.sentence(again, lambda _: "Dev Rao") == "Dev Rao gave (erased) the right to view on CHURN"


@pytest.mark.django_db
@pytest.mark.parametrize("kind", EventKind)
@pytest.mark.parametrize("value", [None, "", ["a", "b"], {"a": 1}])
def test_every_kind_reads_as_a_sentence(kind: EventKind, value: Any) -> None:
    shape = SHAPES[kind]
    facts = {name: "Ada {actor}" if name in shape.personal else value for name in shape.facts}
    facts |= {"until": None} if "until" in facts else {}
    facts |= dict.fromkeys({"starts_at", "due"} & facts.keys(), "2026-12-01T08:00:00+00:00")
    with ledger.business():
        ledger.record(kind, by=None, project="CHURN", subject="thing:1", **facts)
    said = ledger.sentence(ledger.events()[0], lambda _: "Countersign")
    assert said
    assert "{" not in said.replace("Ada {actor}", "")


# --- the database refuses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", PROTECTED)
def test_the_database_refuses_to_rewrite(each_database: Database, table: str) -> None:
    fill(1)
    checkpoints.cut()
    content.put(b"text", "text/plain")
    key = PROTECTED[table]["key"][0]
    refused = [f"UPDATE {table} SET {key} = {key}"]
    if table != "portal_disclosure":
        refused.append(f"DELETE FROM {table}")
    if each_database.kind == "postgres":
        refused.append(f"TRUNCATE {table} CASCADE")
    for statement in refused:
        with pytest.raises(DatabaseError, match="only ever added to"):
            sql(statement)
    sql("DELETE FROM portal_disclosure")
    assert (Event.objects.count(), Checkpoint.objects.count(), Content.objects.count()) == (3, 1, 1)


@pytest.mark.sqlite
@pytest.mark.parametrize("table", PROTECTED)
def test_sqlite_does_not_replace_rows(database_copy: Database, table: str) -> None:
    fill(1)
    checkpoints.cut()
    content.put(b"text", "text/plain")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} LIMIT 1")
        row = cursor.fetchone()
        columns = [column[0] for column in cursor.description]
        names = zip(columns, row, strict=True)
        other = tuple(b"other" if name in ("body", "note", "value") else held for name, held in names)
        replace = f"INSERT OR REPLACE INTO {table} VALUES ({', '.join(['%s'] * len(row))})"
        if PROTECTED[table].get("repeatable"):
            cursor.execute(replace, other)
        else:
            with pytest.raises(DatabaseError, match="only ever added to"):
                cursor.execute(replace, other)
        cursor.execute(f"SELECT * FROM {table} LIMIT 1")
        assert cursor.fetchone() == row


def test_contents_may_be_stored_twice(each_database: Database) -> None:
    first = content.put(b"text", "text/plain")
    assert content.put(b"text", "text/plain") == first
    assert Content.objects.count() == 1


def test_models_are_inserted_once_and_not_deleted(database_copy: Database) -> None:
    fill(1)
    row = Event.objects.get(seq=0)
    with pytest.raises(IntegrityError):
        row.save()
    with pytest.raises(TypeError, match="append-only"):
        row.delete()


@pytest.mark.parametrize("vendor", ["postgresql", "sqlite"])
def test_triggers_can_be_removed_and_installed_again(vendor: str) -> None:
    made = " ".join(install_sql(vendor, "portal_event", key=("seq",)))
    names = [
        statement.split("IF EXISTS ")[1].split(" ON ")[0] for statement in remove_sql(vendor, "portal_event")
    ]
    assert all(name in made for name in names)
    with pytest.raises(ValueError, match="not supported"):
        install_sql("oracle", "portal_event", key=("seq",))


# --- checkpoints -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_checkpoint_is_cut_over_what_is_there(settings: Settings) -> None:
    fill(1, 2)
    leaves = [bytes(leaf) for leaf in Event.objects.order_by("seq").values_list("leaf", flat=True)]
    made = checkpoints.cut(by=dev())
    note = verify_note(made.note, signing.public_key(), origin=settings.LEDGER_ORIGIN)
    assert (note.size, note.root) == (4, merkle.root(leaves))
    (entry,) = ledger.events(kinds=[EventKind.CHECKPOINT_CUT])
    assert entry.seq == 4
    assert entry.facts == {"size": 4, "root": note.root.hex(), "note": made.note}
    assert list(checkpoints.leaves(3)) == leaves[:3]


@pytest.mark.django_db
def test_checkpoints_are_cut_when_something_happened() -> None:
    assert checkpoints.cut_if_grown() is None
    fill(1)
    first = checkpoints.cut_if_grown()
    assert first is not None
    assert first.size == 2
    assert checkpoints.cut_if_grown() is None
    checkpoints.cut()
    assert checkpoints.cut_if_grown() is None
    fill(2)
    last = checkpoints.cut_if_grown()
    assert last is not None
    assert last.size == 6
    assert (verify().checkpoints, verify().problem) == (3, "")


@pytest.mark.django_db
def test_an_empty_ledger_has_a_root() -> None:
    assert checkpoints.cut().root == hashlib.sha256(b"").digest()
    assert verify().holds


@pytest.mark.django_db
@pytest.mark.parametrize(
    "damage", ["UPDATE portal_event SET leaf = (SELECT leaf FROM portal_event WHERE seq = 1) WHERE seq = 0",
               "DELETE FROM portal_event WHERE seq > 0"],
)  # fmt: skip
def test_a_rewritten_ledger_is_not_signed_again(damage: str) -> None:
    fill(1)
    checkpoints.cut()
    Disclosure.objects.all().delete()
    with unprotected("portal_event"):
        sql(damage)
    with pytest.raises(Refused) as refused:
        checkpoints.cut()
    assert refused.value.code == "ledger_rewritten"
    assert Checkpoint.objects.count() == 1


# --- verification ----------------------------------------------------------------------------------------------------

SHAPELESS = canonical({"kind": "request.landed"})
EVENT, CHECKPOINT, DISCLOSURE = (
    "UPDATE portal_event SET",
    "UPDATE portal_checkpoint SET",
    "UPDATE portal_disclosure SET",
)
# What is done to a ledger of events 0 to 7 (4 and 7 tell of checkpoints), and what is said of it.
DAMAGES: dict[str, tuple[str, list[Any], str]] = {
    "body": (f"{EVENT} body = %s WHERE seq = 1", [b"{}"], "event 1: its leaf"),
    "body and leaf": (
        f"{EVENT} body = %s, leaf = %s WHERE seq = 1",
        [SHAPELESS, merkle.leaf_hash(SHAPELESS)],
        "event 1: its body has another shape",
    ),
    "not canonical": (
        f"{EVENT} body = %s, leaf = %s WHERE seq = 1",
        [b"{ }", merkle.leaf_hash(b"{ }")],
        "event 1: its body is not in canonical form",
    ),
    "not JSON": (
        f"{EVENT} body = %s, leaf = %s WHERE seq = 1",
        [b"\xff", merkle.leaf_hash(b"\xff")],
        "event 1: its body is not in canonical form",
    ),
    "kind": (f"{EVENT} kind = 'person.added' WHERE seq = 2", [], "event 2: its column “kind”"),
    "project": (f"{EVENT} project = 'X' WHERE seq = 2", [], "event 2: its column “project”"),
    "subject": (f"{EVENT} subject = 'X' WHERE seq = 2", [], "event 2: its column “subject”"),
    "actor": (
        f"{EVENT} actor = (SELECT actor FROM portal_event WHERE seq = 1) WHERE seq = 2",
        [],
        "event 2: its column “actor”",
    ),
    "at": (f"{EVENT} at = '2020-01-01 00:00:00+00:00' WHERE seq = 2", [], "event 2: its column “at”"),
    "hole": ("DELETE FROM portal_event WHERE seq = 3", [], "event 3 is missing"),
    "renumbered": (f"{EVENT} seq = -1 WHERE seq = 3", [], "event 0 is missing; in its place stands -1"),
    "end cut off": ("DELETE FROM portal_event WHERE seq > 5", [], "is over 7 events, and there are only 6"),
    "head": ("UPDATE portal_ledgerhead SET size = 5", [], "its head counts 5 events, and there are 8"),
    "value": (
        f"{DISCLOSURE} value = 'x' WHERE event_id = 2",
        [],
        "event 2: the value disclosed for “facts.why”",
    ),
    "salt": (
        f"{DISCLOSURE} salt = '00' WHERE event_id = 2",
        [],
        "event 2: the value disclosed for “facts.why”",
    ),
    "path": (
        f"{DISCLOSURE} path = 'facts.x' WHERE event_id = 2",
        [],
        "event 2: the value disclosed for “facts.x”",
    ),
    "checkpoints gone": ("DELETE FROM portal_checkpoint", [], "event 4: the checkpoint it speaks of is gone"),
    "size": (f"{CHECKPOINT} size = 3", [], "its columns differ from its signed note"),
    "root": (f"{CHECKPOINT} root = %s", [bytes(32)], "its columns differ from its signed note"),
    "note": (f"{CHECKPOINT} note = 'x'", [], "This is not a checkpoint"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_found(damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    fill(1, 2)
    checkpoints.cut()
    fill(3)
    checkpoints.cut()
    assert (verify().problem, verify().events) == ("", 8)
    statement, params, said = DAMAGES[damage]
    with ExitStack() as stack:
        for table in PROTECTED:
            stack.enter_context(unprotected(table))
        sql(statement, *params)
    found = verify()
    assert not found.holds
    assert said in found.problem
    with pytest.raises(SystemExit) as ended:
        call_command("verify_ledger")
    assert ended.value.code == 1
    assert said in capsys.readouterr().err


@pytest.mark.django_db
def test_a_forged_history_is_found_by_its_checkpoint() -> None:
    """Whoever owns the database can rewrite all rows consistently, and cannot sign."""
    fill(1)
    checkpoints.cut()
    row = Event.objects.get(seq=1)
    body = bytes(row.body).replace(b'"promotion":7', b'"promotion":8')
    assert body != bytes(row.body)
    with unprotected("portal_event"):
        sql("UPDATE portal_event SET body = %s, leaf = %s WHERE seq = 1", body, merkle.leaf_hash(body))
    assert "the first 2 events are not those it was signed over" in verify().problem


@pytest.mark.django_db
def test_a_checkpoint_of_another_key_or_ledger_is_found(settings: Settings, tmp_path: Any) -> None:
    fill(1)
    checkpoints.cut()
    origin = settings.LEDGER_ORIGIN
    settings.LEDGER_ORIGIN = "other.example/ledger"
    assert "another ledger" in verify().problem
    settings.LEDGER_ORIGIN = origin
    settings.SIGNING_KEY_FILE = tmp_path / "another.pem"
    assert "not signed with this key" in verify().problem


@pytest.mark.django_db
@pytest.mark.parametrize("table", PROTECTED)
def test_missing_protection_is_found(table: str) -> None:
    assert protection.unprotected(connection, list(PROTECTED)) == []
    with unprotected(table):
        assert f"no longer refuses to rewrite {table}" in verify().problem
    assert verify().holds


def test_others_may_append_meanwhile(each_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(1, 2)
    checkpoints.cut()
    monkeypatch.setattr(verification, "AT_A_TIME", 2)
    check = verification._Walk._check_event
    waiting: list[Callable[[], Any]] = [lambda: fill(3), checkpoints.cut]

    def busy(self: Any, *args: Any) -> None:
        check(self, *args)
        if waiting:
            waiting.pop(0)()

    monkeypatch.setattr(verification._Walk, "_check_event", busy)
    found = verify()
    assert found.problem == ""
    assert found.events == 8


@pytest.mark.django_db
def test_the_command_says_that_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    fill(1)
    checkpoints.cut()
    found = verify()
    call_command("verify_ledger")
    assert capsys.readouterr().out == (
        f"The ledger is intact: events 3 (1 after the last of 1 signed checkpoints), "
        f"stored contents 0, root {found.root}.\n"
    )
    call_command("verify_ledger", "--json")
    assert json.loads(capsys.readouterr().out) == {
        "holds": True, "events": 3, "disclosures": 1, "erased": 0, "checkpoints": 1, "unsigned": 1,
        "contents": 0, "root": found.root, "problem": "",
    }  # fmt: skip


# --- the outbox ------------------------------------------------------------------------------------------------------


def ask(number: int) -> None:
    ledger.record(
        EventKind.REPORT_ASKED,
        by=None,
        project="CHURN",
        subject=f"report:{number}",
        report=number,
        about="request 1",
    )


def test_an_event_wakes_its_tasks_once_committed(
    database_copy: Database, valkey: Broker, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.conf, "broker_url", valkey.url)
    monkeypatch.setattr(app.conf, "broker_write_url", valkey.url)

    @ledger.business()
    def broken() -> None:
        ask(42)
        raise ZeroDivisionError

    settings.EVENT_TASKS = {"report.asked": ["governance.tasks.make_report", "governance.tasks.tell"]}
    with valkey.client() as client:
        with ledger.business():
            ask(41)
            land()
            with pytest.raises(ZeroDivisionError):
                broken()
            assert client.llen("celery") == 0
        messages = [json.loads(message) for message in client.lrange("celery", 0, -1)]
    tasks = {message["headers"]["task"] for message in messages}
    assert tasks == {"governance.tasks.make_report", "governance.tasks.tell"}
    assert [message["headers"]["argsrepr"] for message in messages] == ["['41']", "['41']"]


def test_a_broker_that_is_away_stops_nobody(
    database_copy: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(app.conf, "broker_write_url", "redis://127.0.0.1:1/0")
    with caplog.at_level(logging.WARNING, logger="portal.outbox"), ledger.business():
        ask(41)
    assert Event.objects.count() == 1
    assert "report:41 waits for the next sweep" in caplog.text


def test_a_broker_that_never_answers_keeps_nobody_waiting(
    database_copy: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        outbox, "BRIEFLY", {**outbox.BRIEFLY, "socket_timeout": 0.2, "socket_connect_timeout": 0.2}
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(app.conf, "broker_write_url", f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        began = time.monotonic()
        with caplog.at_level(logging.WARNING, logger="portal.outbox"), ledger.business():
            ask(41)
    assert time.monotonic() - began < 2
    assert Event.objects.count() == 1
    assert "report:41 waits for the next sweep" in caplog.text


def test_altered_contents_are_found(database_copy: Database) -> None:
    kept = content.put(b"what was signed", "text/plain")
    assert verify().contents == 1
    with unprotected("portal_content"):
        Content.objects.filter(pk=kept.pk).update(body=b"something else")
    found = verify()
    assert not found.holds
    assert kept.digest in found.problem
