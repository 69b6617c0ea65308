"""Rows that are read a few at a time, by `QuerySet.iterator()`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from django.db import connection, transaction


def kept_cursor() -> AbstractContextManager[None]:
    """Inside it an iterator's rows can be read to their end.

    The cursor is PostgreSQL's. PgBouncer in transaction mode gives its session to somebody else between two statements
    that are not in one transaction. SQLite has no such cursor, and its transactions would keep webhooks from writing.
    """
    return transaction.atomic() if connection.vendor == "postgresql" else nullcontext()
