"""Databases from before the tables were made at once: migrated as they were, they end as a new one begins."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from pytest_django import DjangoDbBlocker

from portal.actions import people
from portal.models import Token
from portal.models.grant import CARRIED
from tests import databases
from tests.cast import make_cast

pytestmark = pytest.mark.long  # what is replaced does not change any more

OURS = ("portal", "governance", "deployments")
BEFORE_TOKENS_HAD_A_SCOPE = [("portal", "0006_identity")]


@pytest.fixture(params=["postgres", "sqlite"])
def older(
    request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker
) -> Iterator[dict[str, set[Any]]]:
    """A database that went by every migration one after the other. Yields what a new one has."""
    with django_db_blocker.unblock():
        with databases.copied(request.param) as copy, databases.pointed_at(copy):
            new = described()
        with databases.empty(request.param) as made, databases.pointed_at(made):
            migrate(last_of_old())
            yield new


def last_of_old() -> list[tuple[str, str]]:
    """The last of the replaced migrations of each app of ours, and the last of everybody else's."""
    loader = MigrationLoader(None)
    others = [node for node in loader.graph.leaf_nodes() if node[0] not in OURS]
    return [*others, *(max(loader.replacements[key].replaces) for key in sorted(loader.replacements))]


def migrate(to: list[tuple[str, str]]) -> MigrationExecutor:
    """Migrate there by the replaced migrations."""
    executor = MigrationExecutor(connection)
    executor.loader = MigrationLoader(connection, replace_migrations=False)
    # What replaces them is written down as applied by whoever migrates next, as with any older database.
    with patch.object(executor, "check_replacements"):
        executor.migrate(to)
    return executor


def described() -> dict[str, set[Any]]:
    """Columns, constraints, indexes and triggers of our tables, each as the database itself says it."""
    wanted = POSTGRES if connection.vendor == "postgresql" else SQLITE
    found = {}
    with connection.cursor() as cursor:
        for name, question in wanted.items():
            cursor.execute(question)
            found[name] = {tuple(row) for row in cursor.fetchall()}
            assert found[name]
    return found


POSTGRES = {
    "columns": """SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default,
                         is_identity FROM information_schema.columns WHERE table_schema = 'public'""",
    "constraints": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
                      WHERE connamespace = 'public'::regnamespace""",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "triggers": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
}
SQLITE = {
    "columns": """SELECT one.name, its.name, its.type, its."notnull", its.dflt_value, its.pk
                  FROM sqlite_master one, pragma_table_info(one.name) its WHERE one.type = 'table'""",
    "keys": """SELECT one.name, its."from", its."table", its."to", its.on_delete
               FROM sqlite_master one, pragma_foreign_key_list(one.name) its WHERE one.type = 'table'""",
    "indexes and triggers": "SELECT type, name, sql FROM sqlite_master WHERE type != 'table' AND sql IS NOT NULL",
}


def test_it_has_what_a_new_one_has(older: dict[str, set[Any]]) -> None:
    found = described()
    for what, new in older.items():
        assert found[what] == new, what


def test_what_comes_later_finds_nothing_to_do(older: dict[str, set[Any]]) -> None:
    call_command("migrate", verbosity=0)
    loader = MigrationLoader(connection)
    assert set(loader.replacements) <= set(loader.applied_migrations)
    call_command("migrate", check_unapplied=True, verbosity=0)


@pytest.mark.usefixtures("older")
def test_tokens_from_before_they_had_a_scope() -> None:
    """Each gets an end and a maker, and keeps what tokens may."""
    cast = make_cast()
    _kept, secret = people.make_token(by=cast.dev, name="for good", carrying=[])
    revoked, _secret = people.make_token(by=cast.fay, name="ended")
    people.revoke_token(by=cast.ada, token=revoked)
    executor = migrate(BEFORE_TOKENS_HAD_A_SCOPE)
    old = executor.loader.project_state(BEFORE_TOKENS_HAD_A_SCOPE).apps.get_model("portal", "Token")
    old.objects.update(expires_at=None)
    migrate(last_of_old())
    kept, ended = Token.objects.get(name="for good"), Token.objects.get(name="ended")
    assert (kept.made_by, kept.every_project, set(kept.rights)) == (
        cast.dev,
        True,
        set(CARRIED) - {"provision"},
    )
    assert (kept.expires_at - kept.made_at).days == 366
    assert ended.revoked_by == cast.fay
    assert people.person_of_token(secret) == cast.dev
