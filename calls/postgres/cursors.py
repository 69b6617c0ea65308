"""Read rows a few at a time with `QuerySet.iterator()`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from django.db import connection, transaction


def kept_cursor() -> AbstractContextManager[None]:
    """Return a context in which an iterator can read its rows to their end.

    On PostgreSQL the cursor is on the server, and PgBouncer in transaction mode gives its session to another client
    between two statements that are not in one transaction. So the context is a transaction. SQLite has no such cursor,
    and a transaction there would keep webhooks from writing.
    """
    return transaction.atomic() if connection.vendor == "postgresql" else nullcontext()
