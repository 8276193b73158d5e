"""Fixtures every test may ask for, and the rules of the run: full sizes on demand, no socket that leaves the machine.

Three ways to a database:

- `db` (or `@pytest.mark.django_db`): each test inside a transaction that is rolled back. The normal way.
- `database_copy`: a database of its own, for tests that commit, use threads or start processes. It is the run's kind of
  database unless the test is marked `postgres` or `sqlite`.
- `each_database`: as `database_copy`, once on PostgreSQL and once on SQLite.
"""

import gc
import importlib
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.db import connections
from django.test.testcases import LiveServerThread
from pytest_django import DjangoDbBlocker

from tests import databases, servers
from tests.settings import TEST_DATABASE

pytest_plugins = ["tests.cast", "tests.requested", "tests.world"]

# --- the run ---------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="full sizes: also run what is marked long")


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Let each test worker of a whole run begin to import the test modules at another place.

    pytest rewrites the asserts of a module for whoever imports it first and keeps what it made. On a fresh checkout all
    workers would do the same module at the same moment, each for itself; so they share the work.
    """
    here = Path(__file__).parent
    worker, workers = (
        os.environ.get("PYTEST_XDIST_WORKER", ""),
        os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"),
    )
    if (
        workers == "1"
        or not worker.startswith("gw")
        or [Path(arg).resolve() for arg in session.config.args] != [here]
    ):
        return
    names = [
        ".".join(path.relative_to(here.parent).with_suffix("").parts)
        for path in sorted(here.rglob("test_*.py"))
    ]
    first = len(names) * int(worker.removeprefix("gw")) // int(workers)
    for name in (*names[first:], *names[:first]):
        # What goes wrong goes wrong once more when the module is collected, and is told then.
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is long unless asked, and refuse tests that would need the ledger to be emptied.

    What needs a browser goes first: one worker then runs all of it, on one demo, and the others take over the rest.
    """
    items.sort(key=lambda item: "browser" not in item.path.parts)
    for item in items:
        if item.get_closest_marker("long") and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="long: only with --long"))
        names = set(getattr(item, "fixturenames", ()))
        django_db = item.get_closest_marker("django_db")
        if names & {"transactional_db", "live_server"} or (django_db and django_db.kwargs.get("transaction")):
            raise pytest.UsageError(
                f"{item.nodeid}: the ledger refuses a flush; use database_copy or live_portal."
            )
        if names & {"database_copy", "each_database"} and ("db" in names or django_db):
            raise pytest.UsageError(f"{item.nodeid}: database_copy stands in for db; ask for one of them.")
        if {"postgres", "sqlite"} & {
            mark.name for mark in item.iter_markers()
        } and "database_copy" not in names:
            raise pytest.UsageError(f"{item.nodeid}: the marks postgres and sqlite go with database_copy.")


def pytest_collection_finish() -> None:
    """What was loaded to collect the tests is there to stay: the garbage collector need not go through it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The run's first process ends what the run started, failed or not."""
    if os.environ.get("COUNTERSIGN_TEST_RUN_PID") == str(os.getpid()):
        servers.stop_postgres(Path(os.environ["COUNTERSIGN_TEST_RUN"]))


class OutsideAddress(RuntimeError):
    """A test tried to reach another machine. Not an OSError, so that no code under test takes it for bad weather."""


@pytest.fixture(scope="session", autouse=True)
def _no_outside() -> Iterator[None]:
    """Close every socket except Unix ones and those of this machine."""
    local = {"127.0.0.1", "::1", "localhost", "", None}
    really = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex")}
    resolve = socket.getaddrinfo

    def guarded(name: str) -> Any:
        def call(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in local:
                raise OutsideAddress(f"A test tried to connect to {address[0]}.")
            return really[name](self, address)

        return call

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if (host.decode() if isinstance(host, bytes) else host) not in local:
            raise OutsideAddress(f"A test tried to look up {host}.")
        return resolve(host, *args, **kwargs)

    patch = pytest.MonkeyPatch()
    for name in really:
        patch.setattr(socket.socket, name, guarded(name))
    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    patch.undo()


@pytest.fixture
def full_size(request: pytest.FixtureRequest) -> bool:
    """Whether --long was given: take the full number of rows, turns or kills."""
    return bool(request.config.getoption("--long"))


# --- databases -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """pytest-django's `db` works on this test worker's copy of the template."""
    with (
        django_db_blocker.unblock(),
        databases.copied(TEST_DATABASE) as copy,
        databases.pointed_at(copy),
    ):
        yield


@dataclass(frozen=True, slots=True)
class Database:
    """A database of a test's own. `kind` is postgres or sqlite, `url` is what COUNTERSIGN_DATABASE_URL takes."""

    kind: str
    url: str
    settings: dict[str, Any]


@pytest.fixture
def database_copy(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[Database]:
    """A fresh migrated database of this test's own; commits are real, threads and processes see them."""
    kind = TEST_DATABASE
    for mark in request.node.iter_markers():
        kind = mark.name if mark.name in ("postgres", "sqlite") else kind
    with django_db_blocker.unblock(), databases.copied(kind) as copy, databases.pointed_at(copy):
        yield Database(kind, databases.url_of(copy), copy)
        connections.close_all()


@pytest.fixture(params=["postgres", "sqlite"])
def each_database(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[Database]:
    """As database_copy, once on each kind of database."""
    with django_db_blocker.unblock(), databases.copied(request.param) as copy, databases.pointed_at(copy):
        yield Database(request.param, databases.url_of(copy), copy)
        connections.close_all()


# --- servers ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _valkey() -> Iterator[servers.Broker]:
    run = Path(os.environ["COUNTERSIGN_TEST_RUN"])
    with servers.valkey(run / f"valkey-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}") as broker:
        yield broker


@pytest.fixture
def valkey(_valkey: servers.Broker) -> servers.Broker:
    """A real Valkey without messages, this test worker's own. A test that kills it starts one by servers.valkey()."""
    _valkey.empty()
    return _valkey


@dataclass(frozen=True, slots=True)
class Portal:
    """The portal served over HTTP from this process."""

    url: str


@pytest.fixture
def live_portal(database_copy: Database) -> Iterator[Portal]:
    """The portal in a thread on a port of its own, over database_copy; what it commits the test sees."""
    thread = LiveServerThread("127.0.0.1", StaticFilesHandler)
    thread.daemon = True
    thread.start()
    thread.is_ready.wait()
    if thread.error:
        raise thread.error
    try:
        yield Portal(f"http://127.0.0.1:{thread.port}")
    finally:
        thread.terminate()


def environment_for(database: Database, data_dir: Path) -> dict[str, str]:
    """The environment for portal processes (worker, commands) over a database, with their files in data_dir."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "COUNTERSIGN_DEMO": "1",
        "COUNTERSIGN_DATABASE_URL": database.url,
        "COUNTERSIGN_DATA_DIR": str(data_dir),
    }


@pytest.fixture
def environment(database_copy: Database, tmp_path: Path) -> dict[str, str]:
    """environment_for() over database_copy, with its files in tmp_path. The broker is for the test to add."""
    return environment_for(database_copy, tmp_path)
