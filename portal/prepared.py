"""Querysets that are turned into SQL once, and then asked again with other values.

Django works out a query's SQL anew each time, which for the wide queries of a judgement takes several times as long as
the database takes to answer. What is asked so often is written as a function that makes the queryset from what is
given; here the SQL it came to is kept. Not for what is asked now and then.
"""

import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import update_wrapper
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.models import Expression, QuerySet
from django.db.models.sql.compiler import SQLCompiler

Row = TypeVar("Row")
# In the place of a size: a plain value, not a collection.
ONE = -1


def raw(value: Any, connection: Any) -> Any:
    """A value as this database's driver takes it."""
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return str(value) if isinstance(value, str) else value


def padded(values: list[Any]) -> list[Any]:
    """As many as a power of two, so that few texts are kept: the first stands as often as is needed. Empty as it is."""
    size = 1 << (len(values) - 1).bit_length() if values else 0
    return values + values[:1] * (size - len(values))


def keeping(connection: Any) -> Any:
    """A cursor for a text that is asked again and again: PostgreSQL keeps its plan, apart from the values."""
    return _Preparing(connection).cursor() if connection.vendor == "postgresql" else connection.cursor()


class Prepared(Generic[Row]):
    """A query that is called with what it is given by name, and gives its rows; made by `prepared`."""

    def __init__(self, make: Callable[..., QuerySet[Any, Row]]) -> None:
        self._make = make
        self._kept: dict[tuple[Any, ...], _Kept | None] = {}
        update_wrapper(self, make)

    def __call__(self, **given: Any) -> list[Row]:
        """The rows; raises TypeError where a value is None, which SQL compares with nothing."""
        values: dict[str, list[Any]] = {}
        sizes: dict[str, int] = {}
        for name, value in given.items():
            several = isinstance(value, Collection) and not isinstance(value, str | bytes)
            held = list(value) if several else [value]
            if None in held:
                raise TypeError(f"{self._make.__name__}: {name} cannot be None.")
            if several:
                held = padded(held)
                sizes[name] = len(held)
            else:
                sizes[name] = ONE
            values[name] = held
        connection = connections["default"]
        key = (connection.vendor, *sorted(sizes.items()))
        if key not in self._kept:
            self._kept[key] = self._prepare(sizes)
        kept = self._kept[key]
        return [] if kept is None else list(kept.asked(values))

    def _prepare(self, sizes: Mapping[str, int]) -> "_Kept | None":
        rows = self._make(**{name: _Given(name, size) for name, size in sizes.items()})
        compiler = rows.query.get_compiler("default")
        try:
            sql, params = compiler.as_sql()
        except EmptyResultSet:
            return None
        columns = [column for column, *_more in compiler.select[: compiler.col_count]]
        return _Kept(rows, compiler, sql, tuple(params), compiler.get_converters(columns))


def prepared(make: Callable[..., QuerySet[Any, Row]]) -> Prepared[Row]:
    """Decorates a function that makes a queryset of what it is given by name, so that calling it gives a list of rows.

    What is given is a plain value, or a collection of such for `__in`, an empty one among them. The function sees
    stand-ins for these, and is to depend on nothing else: no clock, setting or language.
    """
    return Prepared(make)


class _Preparing:
    """A connection whose cursors let PostgreSQL keep the plan of a query, beside its values.

    Planning the wide queries of a judgement takes the server longer than answering them. Only what is asked here is
    kept so: other texts, into which Django's cursor writes the values, would be new ones each time.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def cursor(self) -> Any:
        """As Django makes one, of the class that sends values apart from the text."""
        self._connection.ensure_connection()
        wire = self._connection.connection
        usual, wire.cursor_factory = wire.cursor_factory, ServerBindingCursor
        try:
            return self._connection.cursor()
        finally:
            wire.cursor_factory = usual


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where in the SQL's parameters a given value stands."""

    name: str
    place: int


class _Given(Expression):
    """Stands for what will be given: `size` values, or ONE that is no collection."""

    def __init__(self, name: str, size: int) -> None:
        super().__init__()
        self.name, self.size = name, size

    def as_sql(self, _compiler: SQLCompiler, _connection: Any) -> tuple[str, list[_Slot]]:  # type: ignore[override]
        if self.size == 0:
            raise EmptyResultSet
        places = range(1 if self.size == ONE else self.size)
        return ", ".join("%s" for _place in places), [_Slot(self.name, place) for place in places]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A queryset with the SQL that it came to."""

    rows: QuerySet[Any, Any]
    compiler: SQLCompiler
    sql: str
    params: tuple[Any, ...]
    converters: dict[int, Any]

    def asked(self, values: Mapping[str, list[Any]]) -> QuerySet[Any, Any]:
        """The queryset with these values in the places of the stand-ins."""
        connection = connections["default"]
        params = tuple(
            raw(values[one.name][one.place], connection) if isinstance(one, _Slot) else one
            for one in self.params
        )
        # The compiler knows by now what it selects, and how rows become objects; a copy, for each thread has its own
        # connection.
        compiler = copy.copy(self.compiler)
        if connection.vendor == "postgresql":
            compiler.connection = cast(BaseDatabaseWrapper, _Preparing(connection))
            # PostgreSQL's hang on the columns alone; SQLite's on the connection as well.
            compiler.get_converters = lambda _columns: self.converters  # type: ignore[method-assign, assignment]
        else:
            compiler.connection = connection
        compiler.as_sql = lambda *_given, **_named: (self.sql, params)  # type: ignore[method-assign]
        query = copy.copy(self.rows.query)
        query.get_compiler = lambda *_given, **_named: compiler  # type: ignore[method-assign]
        found = self.rows.__class__(self.rows.model, query, "default")
        found._iterable_class = self.rows._iterable_class
        found._fields = self.rows._fields  # type: ignore[attr-defined]
        return found
