"""Locks, and how long a transaction waits for them and works.

On SQLite nothing here does anything: there, a transaction that writes is alone, and one time-out bounds every wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.db.utils import OperationalError
from psycopg.pq import TransactionStatus

CANCELLED = "57014"  # query_canceled


class TookTooLong(Exception):
    """PostgreSQL stopped a statement before it had an answer."""


def lock_texts(texts: Iterable[str]) -> None:
    """Hold an advisory lock per text until the transaction ends. The locks are taken in one order by everybody."""
    ordered = sorted(set(texts))
    if connection.vendor == "postgresql" and ordered:
        locks = "SELECT pg_advisory_xact_lock(hashtextextended(given, 0)) FROM unnest(%s::text[]) AS given"
        with connection.cursor() as cursor:  # unnest keeps the order
            cursor.execute(locks, [ordered])


def limit_waits_for_locks(longest: str) -> bool:
    """Bound each wait for a lock until the transaction ends. Return whether this database can: SQLite cannot."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [longest])
    return True


@contextmanager
def waits_for_locks_limited(longest: str) -> Iterator[None]:
    """Bound each wait for a lock in every transaction that begins inside the block."""

    def execute_limited(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        inside: Any = connection.connection
        if connection.in_atomic_block and inside.info.transaction_status == TransactionStatus.IDLE:
            inside.execute(f"SET LOCAL lock_timeout = '{longest}'")  # the first statement of the transaction
        return execute(sql, params, many, context)

    if connection.vendor != "postgresql":
        yield
        return
    with connection.execute_wrapper(execute_limited):
        yield


@contextmanager
def at_most(milliseconds: int) -> Iterator[None]:
    """Bound each statement inside the block, which only reads. Raises TookTooLong."""
    if connection.vendor != "postgresql":
        yield
        return
    is_nested = connection.in_atomic_block  # the caller has a transaction, as tests have
    try:
        with transaction.atomic():
            before = _bound(f"{milliseconds}ms")
            yield
            if is_nested:
                _bound(before)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != CANCELLED:
            raise
        raise TookTooLong from error


def _bound(value: str) -> str:
    """Set the statement time-out until the transaction ends; return the former one."""
    inside: Any = connection.connection
    query = "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %s, true)"
    with connection.wrap_database_errors:
        before: str = inside.execute(query, [value]).fetchone()[0]
    return before
