"""Rows of a model written by one statement, where the ORM would bind every value of every row.

The plain values go as one JSON text. JSON and bytes go beside it, an array a column: inside it they would be parsed
twice, or be hexadecimals. What it bought is in docs/decisions/0004. That is for PostgreSQL; elsewhere the ORM does it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import psycopg
from django.db import connection, models
from django.db.models.signals import post_save


def update[Row: models.Model](changes: Mapping[Row, Collection[str]]) -> None:
    """Write of each row the named fields, a statement for those with the same ones; then send `post_save` for each."""
    if connection.vendor != "postgresql":
        for one, names in changes.items():
            one.save(update_fields=names)
        return
    alike: dict[tuple[str, ...], list[models.Model]] = {}
    for one, names in changes.items():
        alike.setdefault(tuple(sorted(names)), []).append(one)
    for written, instances in alike.items():
        _update(instances, written)
    for one, names in changes.items():
        sent = {"created": False, "update_fields": frozenset(names), "raw": False, "using": connection.alias}
        post_save.send(type(one), instance=one, **sent)


def _update(instances: Sequence[models.Model], names: tuple[str, ...]) -> None:
    model = type(instances[0])
    rows = _rows_of(model, names)
    key, table = model._meta.pk.column, model._meta.db_table
    values = ", ".join(f"{column} = {value}" for column, value in rows.values.items() if column != key)
    statement = f"UPDATE {table} SET {values} FROM {rows.source} WHERE {table}.{key} = said.{key}"  # noqa: S608  (our names)
    _execute(statement, rows, instances)


def insert(instances: Sequence[models.Model]) -> None:
    """Write new rows: no signal is sent, the database's defaults are not used, and the instances learn no key."""
    if not instances:
        return
    model = type(instances[0])
    if connection.vendor != "postgresql":
        model._default_manager.bulk_create(instances)
        return
    rows = _rows_of(model, None)
    columns, values = ", ".join(rows.values), ", ".join(rows.values.values())
    statement = f"INSERT INTO {model._meta.db_table} ({columns}) SELECT {values} FROM {rows.source}"  # noqa: S608
    _execute(statement, rows, instances)


class _Rows(NamedTuple):
    """What stands in FROM as `said`, and what each column takes of it. Fields by how their values travel."""

    source: str
    values: dict[str, str]
    plain: list[models.Field[Any, Any]]
    nested: list[models.Field[Any, Any]]
    binary: list[models.Field[Any, Any]]


def _execute(statement: str, rows: _Rows, instances: Sequence[models.Model]) -> None:
    """Through psycopg's own cursor: Django's writes the values into the text. Its query log does not see this."""
    # msgspec writes numerics as strings, times as ISO 8601
    add = instances[0]._state.adding
    parameters = [
        msgspec.json.encode(
            [{field.column: field.pre_save(one, add) for field in rows.plain} for one in instances]
        ).decode(),
        *([_json_or_null(field.pre_save(one, add)) for one in instances] for field in rows.nested),
        *([field.pre_save(one, add) for one in instances] for field in rows.binary),
    ]
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters)


def _json_or_null(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


@lru_cache(maxsize=16)
def _rows_of(model: type[models.Model], names: tuple[str, ...] | None) -> _Rows:
    """With the key and the named fields, or with all but the key."""
    key = model._meta.pk
    fields = [field for field in model._meta.concrete_fields if field is not key]
    if names is not None:
        fields = [key, *(field for field in fields if field.name in names)]
    kinds = {field: str(field.db_type(connection)) for field in fields}
    nested = [field for field in fields if kinds[field] == "jsonb"]
    binary = [field for field in fields if kinds[field] == "bytea"]
    plain = [field for field in fields if field not in nested and field not in binary]
    # words travel as a list: calls.words.WordsField
    given = ", ".join(f"{field.column} {'text[]' if kinds[field] == 'tsvector' else kinds[field]}" for field in plain)
    functions = [
        f"json_to_recordset(%s) AS ({given})",
        *("unnest(%b::text[])" for _ in nested),
        *("unnest(%b::bytea[])" for _ in binary),
    ]
    columns = ", ".join(str(field.column) for field in (*plain, *nested, *binary))
    made_of = {"tsvector": "array_to_tsvector(said.{})", "jsonb": "said.{}::jsonb"}
    return _Rows(
        source=f"ROWS FROM ({', '.join(functions)}) AS said ({columns})",
        values={str(field.column): made_of.get(kinds[field], "said.{}").format(field.column) for field in fields},
        plain=plain,
        nested=nested,
        binary=binary,
    )
