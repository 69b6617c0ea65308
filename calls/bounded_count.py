"""Counts of rows for the admin's pages: of at most so many rows, within a bounded time."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from calls.postgres.waits import at_most

COUNTED = 5_000
MILLISECONDS = 150


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
