"""Databases for tests: one migrated template for the run, and copies of it.

The ledger's triggers refuse to be emptied, so a test that commits gets a database of its own, copied from the template,
and drops it afterwards. Not in charge of the servers: tests/servers.py.
"""

import itertools
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection, connections
from psycopg import sql

from tests import settings as test_settings
from tests.servers import locked, postgres

RUN = test_settings.RUN
TEMPLATE = "countersign_template"
numbers = itertools.count(1)


def settings_for(kind: str, name: str) -> dict[str, Any]:
    """Django's settings of a database of a kind (`postgres` or `sqlite`); on SQLite the name is a path."""
    base = {"postgres": test_settings.POSTGRES_DATABASE, "sqlite": test_settings.SQLITE_DATABASE}[kind]
    # What Django itself adds to a configured database when it loads the settings.
    lacking = {
        "ATOMIC_REQUESTS": False,
        "AUTOCOMMIT": True,
        "TIME_ZONE": None,
        "PASSWORD": "",
        "PORT": "",
        "HOST": "",
    }
    test = {"CHARSET": None, "COLLATION": None, "MIGRATE": True, "MIRROR": None, "NAME": None}
    return {**lacking, "USER": "", "TEST": test, **base, "NAME": name}


@contextmanager
def quicker_database(config: Any) -> Iterator[None]:
    """A migrated SQLite, which answers a page's queries in half the time; with --long the run's own database."""
    if config.getoption("--long"):
        yield
        return
    with copied("sqlite") as copy, pointed_at(copy):
        yield
        connections.close_all()


def url_of(settings: dict[str, Any]) -> str:
    """The same database as COUNTERSIGN_DATABASE_URL takes it, for processes that a test starts."""
    if settings["ENGINE"].endswith("sqlite3"):
        return f"sqlite:///{settings['NAME']}"
    return f"postgresql://{settings['USER']}@/{settings['HOST']}/{settings['NAME']}"


@contextmanager
def pointed_at(settings: dict[str, Any]) -> Iterator[None]:
    """Point the default connection there, in this thread and in every thread that connects meanwhile."""
    shared = connections.settings["default"]
    before = dict(shared)
    connection.close()
    try:
        shared.clear()
        shared.update(settings)
        # The engine may differ, so this thread's connection object is made again rather than reused.
        del connections["default"]
        ContentType.objects.clear_cache()
        yield
    finally:
        connection.close()
        del connections["default"]
        shared.clear()
        shared.update(before)
        ContentType.objects.clear_cache()


def administer(statement: sql.Composed | str) -> None:
    """Run one statement outside any transaction in PostgreSQL's maintenance database."""
    place = postgres(RUN, int(os.environ["COUNTERSIGN_TEST_RUN_PID"]))
    with psycopg.connect(host=str(place), user="countersign", dbname="postgres", autocommit=True) as session:
        session.execute(sql.SQL(statement) if isinstance(statement, str) else statement)


def template(kind: str) -> str:
    """The name (on SQLite the path) of the migrated template; the first process that asks migrates it."""
    name = TEMPLATE if kind == "postgres" else str(RUN / f"{TEMPLATE}.sqlite3")
    done = RUN / f"{kind}.migrated"
    with locked(RUN / f"{kind}.migrating"):
        if not done.exists():
            if kind == "postgres":
                administer(f"DROP DATABASE IF EXISTS {TEMPLATE}")
                administer(f"CREATE DATABASE {TEMPLATE}")
            with pointed_at(settings_for(kind, name)):
                call_command("migrate", verbosity=0)
            if kind == "sqlite":
                # Copies are made of the file alone, so nothing may be left in the write-ahead log.
                with sqlite3.connect(name) as session:
                    session.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                session.close()
            done.touch()
    return name


@contextmanager
def copied(kind: str) -> Iterator[dict[str, Any]]:
    """A fresh migrated database of a kind, dropped on leaving whoever is still connected. Yields its settings."""
    with _made(kind, template(kind)) as copy:
        yield copy


@contextmanager
def empty(kind: str) -> Iterator[dict[str, Any]]:
    """As `copied`, without a single table."""
    with _made(kind, "") as made:
        yield made


@contextmanager
def _made(kind: str, source: str) -> Iterator[dict[str, Any]]:
    name = f"countersign_{test_settings.WORKER}_{os.getpid()}_{next(numbers)}"
    if kind == "postgres":
        identifier = sql.Identifier(name)
        administer(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                identifier, sql.Identifier(source or "template0")
            )
        )
        try:
            yield settings_for(kind, name)
        finally:
            administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))
        return
    path = RUN / f"{name}.sqlite3"
    if source:
        shutil.copyfile(source, path)
    try:
        yield settings_for(kind, str(path))
    finally:
        for leftover in Path(path.parent).glob(f"{path.name}*"):
            leftover.unlink()
