"""Bounds for the reads of admin pages: counts that stop at a number of rows, statements that stop after a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.utils import OperationalError

COUNTED = 5_000
MILLISECONDS = 150
CANCELLED = "57014"  # query_canceled


class TookTooLong(Exception):
    """PostgreSQL cancelled a statement at its time limit, before it had an answer."""


class Count(int):
    """A number of rows, written as `1,234`, or as `5,000+` if there are more."""

    is_capped = False

    @classmethod
    def of(cls, number: int, most: int) -> Count:
        count = cls(min(number, most))
        count.is_capped = number > most
        return count

    def __str__(self) -> str:
        return f"{int(self):,}{'+' if self.is_capped else ''}"


def counted(rows: QuerySet[Any], most: int = COUNTED) -> Count:
    """Count the rows, up to `most`. Raises TookTooLong."""
    with at_most(MILLISECONDS):
        return Count.of(len(rows.order_by().values_list("pk")[: most + 1]), most)


@contextmanager
def at_most(milliseconds: int) -> Iterator[None]:
    """Cancel each statement inside that works longer than this in PostgreSQL; for reads only. Raises TookTooLong."""
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
    """Set `statement_timeout` until the transaction ends; return its former value."""
    inside: Any = connection.connection
    query = "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %s, true)"
    with connection.wrap_database_errors:
        before: str = inside.execute(query, [value]).fetchone()[0]
    return before
