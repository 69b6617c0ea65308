"""Statements whose parameters PostgreSQL binds itself, which large values need."""

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
    """Let PostgreSQL bind all parameters of the present connection, and let the pool replace it when it is given back.

    Django writes parameters into the statement's text, in three copies. libpq keeps the buffer of the largest value
    that it sent or received as long as its connection lives.
    """
    if not binds_parameters(connection.alias):
        return
    connection.ensure_connection()
    connection.connection.cursor_factory = ServerBindingCursor
    connection.connection._expire_at = 0.0  # closed by us, it would be a warning in the pool's log


def execute(statement: LiteralString, parameters: Sequence[Any]) -> int:
    """Run a statement in the present transaction, and return how many rows it wrote; raises django.db.Error.

    Django's own cursor would write the parameters into the statement's text. Django's query log does not see this one.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(statement, parameters).rowcount
