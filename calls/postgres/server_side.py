"""Run statements whose parameters PostgreSQL binds itself, as large values need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg
from django.db import connection, connections
from django.db.backends.postgresql.base import ServerBindingCursor


def binds_parameters(alias: str) -> bool:
    """Return whether this database can bind parameters by itself: PostgreSQL can. SQLite makes no copies anyway."""
    return connections[alias].vendor == "postgresql"


def prepare_for_large_values() -> None:
    """Let PostgreSQL bind the parameters on the present connection, and have the pool replace it afterwards.

    Django writes parameters into the statement's text, in three copies. libpq keeps the buffer of the largest value
    that it sent or received as long as its connection lives.
    """
    if not binds_parameters(connection.alias):
        return
    connection.ensure_connection()
    connection.connection.cursor_factory = ServerBindingCursor
    connection.connection._expire_at = 0.0  # closing the connection here would log a warning of the pool


def execute(statement: LiteralString, parameters: Sequence[Any]) -> int:
    """Run a statement in the present transaction; return the number of rows that it wrote. Raises django.db.Error.

    Django's own cursor would write the parameters into the statement's text. Django's query log does not see this
    statement.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(statement, parameters).rowcount
