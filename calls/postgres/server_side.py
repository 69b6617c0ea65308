"""Statements whose parameters PostgreSQL binds itself, which large values need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg
from django.db import connection


def end_connection_when_idle() -> None:
    """Let the pool replace the present connection when it gets it back, as it does with those that are old.

    libpq keeps the buffer of the largest value that it sent or received as long as its connection lives.
    """
    if connection.connection is not None:
        connection.connection._expire_at = 0.0  # closed by us, it would be a warning in the pool's log


def execute(statement: LiteralString, parameters: Sequence[Any]) -> int:
    """Run a statement in the present transaction, and return how many rows it wrote; raises django.db.Error.

    Django's own cursor would write the parameters into the statement's text. Django's query log does not see this one.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(statement, parameters).rowcount
