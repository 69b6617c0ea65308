"""Rows of a model written by one statement, for PostgreSQL, where the ORM would bind every value of every row.

The plain values go as one JSON text. JSON and bytes go beside it, an array a column: inside it they would be parsed
twice, or be hexadecimals. What it bought is in docs/decisions/0004.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import psycopg
from django.db import connection, models
from django.db.models.signals import post_save

_json = msgspec.json.Encoder().encode  # numerics as strings, times as ISO 8601
_GIVEN_AS = {"tsvector": "text[]", "jsonb": "text"}
_MADE_OF = {"tsvector": "array_to_tsvector({})", "jsonb": "{}::jsonb"}


def update(instances: Sequence[models.Model], columns: Iterable[str]) -> None:
    """Write these columns of rows that exist, and send `post_save` for each, as `save()` does."""
    model, columns = type(instances[0]), tuple(sorted(columns))
    rows = _rows_of(model, ("id", *columns))
    table, changes = model._meta.db_table, ", ".join(f"{column} = {rows.values[column]}" for column in columns)
    statement = f"UPDATE {table} SET {changes} FROM {rows.source} WHERE {table}.id = said.id"  # noqa: S608  (the model's names)
    _execute(statement, rows.parameters(instances))
    for one in instances:
        post_save.send(
            model, instance=one, created=False, update_fields=frozenset(columns), raw=False, using=connection.alias
        )


def insert(instances: Sequence[models.Model]) -> None:
    """Write new rows. As with `bulk_create()` no signal is sent; the instances do not learn their keys."""
    model = type(instances[0])
    rows = _rows_of(model, tuple(field.column for field in model._meta.concrete_fields if not field.primary_key))
    columns, values = ", ".join(rows.values), ", ".join(rows.values.values())
    statement = f"INSERT INTO {model._meta.db_table} ({columns}) SELECT {values} FROM {rows.source}"  # noqa: S608  (the same)
    _execute(statement, rows.parameters(instances))


def _execute(statement: str, parameters: list[Any]) -> None:
    """Through psycopg's own cursor: Django's writes the parameters into the statement's text."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters)


class _Rows(NamedTuple):
    """What stands in FROM as `said`, and how each column is made of it."""

    source: str
    values: dict[str, str]
    plain: list[str]
    nested: list[str]
    binary: list[str]

    def parameters(self, instances: Sequence[models.Model]) -> list[Any]:
        """Of the source: the JSON text, then the arrays."""
        plain = [{name: getattr(one, name) for name in self.plain} for one in instances]
        return [
            _json(plain).decode(),
            *([_text(getattr(one, name)) for one in instances] for name in self.nested),
            *([getattr(one, name) for one in instances] for name in self.binary),
        ]


def _text(value: Any) -> str | None:
    return None if value is None else _json(value).decode()


@lru_cache(maxsize=16)
def _rows_of(model: type[models.Model], columns: tuple[str, ...]) -> _Rows:
    kinds = {field.column: str(field.rel_db_type(connection)) for field in model._meta.concrete_fields}
    nested = [name for name in columns if kinds[name] == "jsonb"]
    binary = [name for name in columns if kinds[name] == "bytea"]
    plain = [name for name in columns if name not in (*nested, *binary)]
    recordset = ", ".join(f'"{name}" {_GIVEN_AS.get(kinds[name], kinds[name])}' for name in plain)
    functions = [
        f"json_to_recordset(%s) AS ({recordset})",
        *("unnest(%b::text[])" for _ in nested),
        *("unnest(%b::bytea[])" for _ in binary),
    ]
    return _Rows(
        source=f"ROWS FROM ({', '.join(functions)}) AS said ({', '.join((*plain, *nested, *binary))})",
        values={name: _MADE_OF.get(kinds[name], "{}").format(f"said.{name}") for name in columns},
        plain=plain,
        nested=nested,
        binary=binary,
    )
