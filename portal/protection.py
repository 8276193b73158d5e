"""Triggers that keep the database itself from rewriting what is only ever added to.

They stop mistakes and every way through the portal. Who owns the database can remove them, which is what checkpoints
are for. Migrations install them, naming their tables; not in charge of which tables those are.
"""

from collections.abc import Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

FUNCTION = "countersign_refuse"


def install_sql(
    vendor: str, table: str, *, key: Sequence[str], deletable: bool = False, repeatable: bool = False
) -> list[str]:
    """The statements that make a table refuse UPDATE and, unless `deletable`, DELETE; TRUNCATE in any case.

    `key` are the columns that may not occur twice; `repeatable` passes over a key given again instead of refusing it.
    Raises ValueError for a database that is neither PostgreSQL nor SQLite.
    """
    refused = ["UPDATE"] if deletable else ["UPDATE", "DELETE"]
    if vendor == "postgresql":
        return [
            (
                f"CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
                " '% refuses %: it is only ever added to', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';"
                " END $$"
            ),
            (
                f"CREATE TRIGGER {_name(table, 'rows')} BEFORE {' OR '.join(refused)} ON {table}"
                f" FOR EACH ROW EXECUTE FUNCTION {FUNCTION}()"
            ),
            (
                f"CREATE TRIGGER {_name(table, 'truncate')} BEFORE TRUNCATE ON {table}"
                f" FOR EACH STATEMENT EXECUTE FUNCTION {FUNCTION}()"
            ),
        ]
    if vendor == "sqlite":
        made = [
            f"CREATE TRIGGER {_name(table, verb)} BEFORE {verb} ON {table} BEGIN SELECT"
            f" RAISE(ABORT, '{table} refuses {verb}: it is only ever added to'); END"
            for verb in refused
        ]
        # INSERT OR REPLACE deletes what is in its way without asking the trigger for DELETE.
        same = " AND ".join(f"{column} = NEW.{column}" for column in key)
        answer = "IGNORE" if repeatable else f"ABORT, '{table} has this row: it is only ever added to'"
        replaced = (
            f"CREATE TRIGGER {_name(table, 'replace')} BEFORE INSERT ON {table}"  # noqa: S608 (names come from migrations)
            f" WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) BEGIN SELECT RAISE({answer}); END"
        )
        return [*made, replaced]
    raise ValueError(f"{vendor} is not supported; use PostgreSQL or SQLite.")


def remove_sql(vendor: str, table: str) -> list[str]:
    """The statements that take the triggers of a table away, before its shape is changed or a migration is undone."""
    if vendor == "postgresql":
        return [f"DROP TRIGGER IF EXISTS {_name(table, what)} ON {table}" for what in ("rows", "truncate")]
    return [f"DROP TRIGGER IF EXISTS {_name(table, what)}" for what in ("UPDATE", "DELETE", "replace")]


def unprotected(connection: BaseDatabaseWrapper, tables: Sequence[str]) -> list[str]:
    """Which of these tables lack a trigger that refuses UPDATE, or have it switched off."""
    if connection.vendor == "postgresql":
        query = "SELECT tgname FROM pg_trigger WHERE tgenabled <> 'D'"
        wanted = {_name(table, "rows"): table for table in tables}
    else:
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        wanted = {_name(table, "UPDATE"): table for table in tables}
    with connection.cursor() as cursor:
        cursor.execute(query)
        found = {name for (name,) in cursor.fetchall()}
    return [table for name, table in wanted.items() if name not in found]


def _name(table: str, what: str) -> str:
    return f"{table}_refuses_{what.lower()}"
