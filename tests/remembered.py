"""What an expensive fixture makes, made once by the real actions and laid as rows into each later test's transaction.

Only what was added or changed is kept. Sequences never go back, so that the numbers of these rows stay free. Objects
are handed out as deep copies: no test sees what another did to them.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import connection

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[Made]):
    made: Made
    rows: dict[str, list[bytes]]  # table -> lines as COPY writes them
    changed: dict[str, list[str]]  # table -> keys of rows that were there before and became others


class Remembered(Generic[Made]):
    """One such fixture of a test worker: `again(make)` makes it the first time and lays it down from then on.

    `shared` are objects that all copies hold together, such as a running server.
    """

    def __init__(self) -> None:
        self._kept: _Kept[Made] | None = None

    def again(self, make: Callable[[], Made], *shared: object) -> Made:
        """The thing itself, in the transaction of this test."""
        if connection.vendor != "postgresql":
            return make()
        if self._kept is None:
            before = _rows()
            made = make()
            after = _rows()
            self._kept = _Kept(
                _copied(made, shared),
                {table: lines for table, all in after.items() if (lines := _without(all, before[table]))},
                {
                    table: [line.split(b"\t", 1)[0].decode() for line in gone]
                    for table, all in before.items()
                    if (gone := _without(all, after[table]))
                },
            )
            return made
        with connection.cursor() as cursor:
            for table, keys in self._kept.changed.items():
                # The first column of each table is its key.
                key = connection.introspection.get_table_description(cursor, table)[0].name
                cursor.execute(f'DELETE FROM "{table}" WHERE "{key}"::text = ANY(%s)', [keys])
            for table, lines in self._kept.rows.items():
                with cursor.copy(f'COPY "{table}" FROM STDIN') as into:
                    into.write(b"".join(lines))
        return _copied(self._kept.made, shared)


def _copied(made: Made, shared: tuple[object, ...]) -> Made:
    memo: dict[int, Any] = {id(one): one for one in shared}
    return copy.deepcopy(made, memo)


def _without(lines: list[bytes], others: list[bytes]) -> list[bytes]:
    known = set(others)
    return [line for line in lines if line not in known]


def _rows() -> dict[str, list[bytes]]:
    """Every row of every table, as COPY writes it."""
    found: dict[str, list[bytes]] = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            with cursor.copy(f'COPY "{table}" TO STDOUT') as out:
                found[table] = b"".join(out).splitlines(keepends=True)
    return found
