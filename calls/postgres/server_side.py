"""Statements whose parameters PostgreSQL binds itself, which large values need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg
from django.db import connection


def execute(statement: LiteralString, parameters: Sequence[Any]) -> int:
    """Run a statement in the present transaction, and return how many rows it wrote; raises django.db.Error.

    Django's own cursor would write the parameters into the statement's text. Django's query log does not see this one.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(statement, parameters).rowcount
