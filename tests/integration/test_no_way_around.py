"""No way around: every address and method, by everybody who may come by, held against tests/no_way_around.md.

Which addresses there are the resolver says, and of the API the schema says the same. The normal run leaves out what is
not about rights, the drawing of pages and looking up who a session is, and lets through only three of those who are to
be; with --long nothing is left out, and of Django's admin every model is tried by everybody.
"""

import copy
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zlib import crc32

import pytest
from django.db import connection
from django.template.backends.django import Template
from drf_spectacular.generators import SchemaGenerator
from pytest_django.plugin import DjangoDbBlocker

from portal.backends import PersonBackend
from portal.models import Event, LedgerHead, Person
from tests.addresses import Route, routes
from tests.bodies import arrange, body_for, query_for
from tests.cast import make_cast
from tests.databases import quicker_database
from tests.furnished import Furnished, Who, design_answers, furnished, undone

TABLE = Path(__file__).resolve().parents[1] / "no_way_around.md"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ANY = "any"
REST = "the rest"
GROUPS = {
    "strangers": ("outsider", "expired", "left", "superuser"),
    "signers": ("fairness", "explainability", "model-risk"),
    "programs": ("token", "token that sees", "token elsewhere", "directory"),
}
EVERYBODY = (
    "nobody",
    *GROUPS["strangers"],
    "another team",
    "viewer",
    "requester",
    "owner",
    "promoter",
    *GROUPS["signers"],
    "waiver",
    "manager",
    "auditor",
    "admin",
    *GROUPS["programs"],
)
ANSWERS = {"ok", "absent", "forbidden", "sign-in", "conflict"}
THEN = {"", "invalid", "conflict", "nothing"}

# Django's admin has the same six addresses for each model; they have one set of lines, and of the normal run one model.
MODEL = re.compile(r"/admin/(?!password_change/)[a-z]\w*/[a-z]\w*/")
MODEL_TRIED = "/admin/portal/person/"
# Written where a person or a program shows that they are there, whoever they are.
PRESENCE = re.compile(
    r'(UPDATE|INSERT INTO) "portal_session"|\w+ (INTO )?"portal_tries"|UPDATE "portal_token" SET "used_at"'
)
# Written where somebody has in front of them what they may see: a signature says so later.
OPENED = 'INSERT INTO "governance_opening"'
LEDGER = re.compile(r'\w+ (INTO )?"portal_(event|ledgerhead|disclosure)"')


# --- the table --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """An address and a method, the door it is, and what comes after it for who is let through."""

    method: str
    path: str
    door: str
    then: str


@dataclass
class Table:
    """What the file says: doors with what each of everybody gets, and lines."""

    doors: dict[str, dict[str, str]] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    def expected(self, line: Line, who: str) -> str:
        """The answer that this line says somebody gets."""
        program = who in GROUPS["programs"]
        known = line.path.startswith("/api/") or program == line.path.startswith("/scim/")
        found = self.doors[line.door][who if known else "nobody"]
        return line.then if found == "ok" and line.then in ("invalid", "conflict") else found


def door(text: str) -> dict[str, str]:
    """What a door answers, by who asks: `sign-in: nobody; ok: requester, owner; forbidden: the rest`."""
    found: dict[str, str] = {}
    rest = ""
    for part in text.split(";"):
        answer, _colon, names = part.strip().partition(":")
        assert answer in ANSWERS, f"“{answer}” is no answer"
        for name in (one.strip() for one in names.split(",")):
            if name == REST:
                assert not rest, f"“{text}” says twice what the rest gets"
                rest = answer
                continue
            for who in GROUPS.get(name, (name,)):
                assert who in EVERYBODY, f"nobody is called “{who}”"
                assert who not in found, f"“{text}” says twice what {who} gets"
                found[who] = answer
    return {who: found.get(who, rest) for who in EVERYBODY}


def read(text: str) -> Table:
    """The table as it is written."""
    table = Table()
    for section in text.split("\n## ")[1:]:
        title, _newline, body = section.partition("\n")
        rows = [
            [cell.strip().strip("`") for cell in row.strip("|").split("|")]
            for row in body.splitlines()
            if row.startswith("|")
        ]
        if title == "Doors":
            table.doors = {name: door(said) for name, said in rows[2:]}
        elif title != "Who comes by":
            table.lines += [Line(*row) for row in rows[2:]]
    return table


@cache
def the_table() -> Table:
    return read(TABLE.read_text())


def spelled(path: str) -> str:
    """An address as its line has it."""
    return MODEL.sub("/admin/<app>/<model>/", path)


LINES: dict[str, list[Line]] = {}
for _line in the_table().lines:
    LINES.setdefault(_line.path, []).append(_line)


# --- asking -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def portal(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Furnished]:
    """One of each thing and everybody, in one transaction that is undone at the end."""
    with django_db_blocker.unblock(), quicker_database(request.config), undone(), design_answers():
        found = furnished(make_cast())
        assert set(found.whos) == set(EVERYBODY)
        yield found


@pytest.fixture
def _quick(portal: Furnished, full_size: bool) -> Iterator[None]:
    """In the normal run pages are not drawn nor the schema written, and who a session is is remembered."""
    known = {str(who.person.pk): who.person for who in portal.whos.values() if who.person is not None}

    def name(self: Template, *_context: Any, **_more: Any) -> str:
        return str(self.template.name)

    def remembered(_self: PersonBackend, user_id: Any) -> Person:
        person = copy.copy(known[str(user_id)])
        person.lacks_factor = False
        return person

    with ExitStack() as stack:
        if not full_size:
            stack.enter_context(patch.object(Template, "render", name))
            stack.enter_context(patch.object(PersonBackend, "get_user", remembered))
            stack.enter_context(patch.object(SchemaGenerator, "get_schema", lambda *_any, **_more: {}))
        yield


@dataclass
class Answer:
    """What came back, in the words of the table, and what was written meanwhile."""

    word: str
    status: int
    written: list[str]
    recorded: set[str]

    @property
    def changes(self) -> list[str]:
        """What was written, but for the record and for that somebody was there."""
        return [one for one in self.written if not PRESENCE.match(one) and not LEDGER.match(one)]

    @property
    def kept(self) -> bool:
        """Whether something is kept in the session, such as a draft."""
        return any(one.startswith('UPDATE "portal_session" SET "data"') for one in self.written)


@contextmanager
def watched() -> Iterator[list[str]]:
    """The statements that write, as they are sent."""
    found: list[str] = []

    def look(execute: Any, sql: str, *rest: Any) -> Any:
        if sql[:6].upper() in ("INSERT", "UPDATE", "DELETE"):
            found.append(" ".join(sql.split()[:5]))
        return execute(sql, *rest)

    with connection.execute_wrapper(look):
        yield found


@contextmanager
def arranged(portal: Furnished, path: str) -> Iterator[int]:
    """Things are as this address needs them. Yields the number of the newest event then."""
    with undone():
        arrange(portal, spelled(path))
        yield LedgerHead.objects.values_list("size", flat=True).get() - 1


def ask(portal: Furnished, who: Who, method: str, path: str, newest: int) -> Answer:
    """Send it, look at what comes back, and undo it."""
    line = spelled(path)
    address = portal.fill(path, who.name) + query_for(portal, who, method, line)
    body = body_for(portal, who, method, line)
    with undone():
        with watched() as written:
            answer = who.send(method, address, body)
        recorded: set[str] = set()
        if any(LEDGER.match(one) for one in written):
            recorded = set(Event.objects.filter(seq__gt=newest).values_list("kind", flat=True))
        found = Answer("", answer.status_code, written, recorded)
        found.word = word(answer, method, path, found)
    return found


def word(answer: Any, method: str, path: str, found: Answer) -> str:
    """An answer in the table's words; a status for which it has none stays a number."""
    status = answer.status_code
    if status in (301, 302):
        to = answer["Location"]
        return "sign-in" if to.startswith(("/login/?", "/admin/login/")) or to == "/login/" else "ok"
    if status == 403 and drawn(answer) == "registration/login.html":
        return "sign-in"
    page = not path.startswith(("/api/", "/scim/"))
    if status == 200 and page and method != "GET" and not found.changes and not path.startswith("/admin/"):
        return "invalid"  # the form again
    words = {200: "ok", 201: "ok", 202: "ok", 204: "ok", 400: "invalid", 401: "sign-in", 403: "forbidden"}
    return {**words, 404: "absent", 409: "conflict"}.get(status, str(status))


def drawn(answer: Any) -> str:
    """The name of the page that came back."""
    shown = getattr(answer, "templates", None)
    return shown[0].name if shown else answer.content[:100].decode(errors="replace")


# --- the tests --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_quick")
def test_every_address_and_method_has_its_line_and_no_other_has(portal: Furnished) -> None:
    said = {(line.method, line.path) for line in the_table().lines}
    assert len(said) == len(the_table().lines), "a line stands twice"
    there: set[tuple[str, str]] = set()
    for route in routes():
        path = spelled(route.path)
        if MODEL.match(route.path) and not route.path.startswith(MODEL_TRIED):
            assert path in LINES
            continue
        methods = taken(portal, route, {line.method for line in LINES.get(path, ())})
        there |= {(method, path) for method in methods}
    assert there - said == set(), "an address without a line: add it to tests/no_way_around.md"
    assert said - there == set(), "a line without an address"


def taken(portal: Furnished, route: Route, said: set[str]) -> set[str]:
    """The methods that an address takes: its class says so, or those that no line names are tried."""
    if ANY in said:
        return said
    view = getattr(route.view, "view_class", None) or getattr(route.view, "cls", None)
    if view is not None:
        return {m for m in METHODS if m.lower() in view.http_method_names and hasattr(view, m.lower())}
    by = {"/admin/": "superuser", "/scim/": "directory"}
    who = portal.whos[next((name for start, name in by.items() if route.path.startswith(start)), "admin")]
    others = [method for method in METHODS if method not in said]
    with arranged(portal, route.path) as newest:
        return said | {one for one in others if ask(portal, who, one, route.path, newest).status != 405}


def test_the_schema_names_the_same_addresses_of_the_api() -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    named = {
        (method.upper(), path.replace("{", "<").replace("}", ">"))
        for path, operations in schema["paths"].items()
        for method in operations
    }
    lines = {(line.method, line.path) for line in the_table().lines if line.path.startswith("/api/")}
    assert lines - named == {
        ("GET", "/api/v1/schema/"),
        ("GET", "/api/v1/docs/"),
        (ANY, "/api/v1/"),
        (ANY, "/api/v1/<address>"),
    }
    assert named - lines == set()


def test_lines_say_what_there_is() -> None:
    table = the_table()
    assert {line.door for line in table.lines} == set(table.doors)
    assert {line.then for line in table.lines} <= THEN
    assert {line.method for line in table.lines} <= {*METHODS, ANY}
    for name, answers in table.doors.items():
        assert "" not in answers.values(), f"{name}: not everybody is told what they get"


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("path", LINES)
def test_everybody_gets_what_the_table_says(portal: Furnished, path: str, full_size: bool) -> None:
    wrong: list[str] = []
    for route in tried(path, full_size):
        for line in LINES[path]:
            with arranged(portal, route) as newest:
                for method in methods_of(line):
                    wrong += asked_of_all(portal, line, method, route, newest, full_size)
    assert not wrong, "\n".join(wrong)


def methods_of(line: Line) -> list[str]:
    """The methods that a line is about."""
    if line.method != ANY:
        return [line.method]
    own = {one.method for one in LINES[line.path]}
    return [method for method in METHODS if method not in own]


def tried(path: str, full_size: bool) -> list[str]:
    """The addresses that a line is about."""
    found = [route.path for route in routes() if spelled(route.path) == path]
    if "<app>" in path and not full_size:
        found = [one for one in found if one.startswith(MODEL_TRIED)]
    return list(dict.fromkeys(found))


def askers(line: Line, method: str, full_size: bool) -> tuple[list[str], list[str]]:
    """Who tries it, and who does where none of those changed anything.

    The first are everybody; but of those whom it lets through the normal run takes some by turns.
    """
    few = line.method == ANY and method in ("PUT", "PATCH", "DELETE") and not full_size
    asking = [name for name in EVERYBODY if name in FEW or not few]
    let = [name for name in asking if the_table().expected(line, name) == "ok"]
    first = crc32(f"{method} {line.path}".encode())
    some = {let[(first + step) % len(let)] for step in range(LET_THROUGH) if let}
    spare = [name for name in let if name not in some and not full_size]
    return [name for name in asking if name not in spare], spare


def asked_of_all(
    portal: Furnished, line: Line, method: str, path: str, newest: int, full_size: bool
) -> Iterator[str]:
    """What is not as the line says."""
    changes_something = (
        method != "GET" and "ok" in the_table().doors[line.door].values() and line.method != ANY
    )
    asking, spare = askers(line, method, full_size)
    done = False
    for name in (*asking, *spare):
        if name in spare and (done or line.then or not changes_something):
            break
        expected, found = (
            the_table().expected(line, name),
            ask(portal, portal.whos[name], method, path, newest),
        )
        where = f"{method} {path}: {name}"
        if found.word != expected:
            yield f"{where} gets {found.word} ({found.status}), and should get {expected}"
        changes = found.changes
        if expected == "ok":
            done |= bool(found.changes) or found.kept
            changes = [one for one in changes if not one.startswith(OPENED)]
        if (
            (method == "GET" or line.method == ANY or expected in ("absent", "forbidden", "sign-in"))
            and (changes or found.recorded - {"access.refused"})
            and not path.endswith("/logout/")
        ):
            yield f"{where} is {expected} and wrote: {changes} {found.recorded}"
    if changes_something:
        if not line.then and not done:
            yield f"{method} {path}: nobody changed anything; send what would do, or say “nothing”"
        if line.then == "nothing" and done:
            yield f"{method} {path}: something was changed"


LET_THROUGH = 3  # of all who are; over all addresses each of them is tried often
# Who tries the other methods of an address that takes every one alike.
FEW = ("nobody", "outsider", "superuser", "admin", "token", "directory")
