"""Times in query parameters and cursors, converted to UTC, as SQLite stores them.

Near the ends of Python's calendar (the years 1 to 9999) the conversion can leave the calendar. Such a time is refused.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from django_filters.fields import IsoDateTimeField


def moment_of(text: str) -> datetime | None:
    """Return the time that `text` writes with a zone, converted to UTC; None for any other text."""
    try:
        moment = parse_datetime(text)
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


class MomentField(IsoDateTimeField):
    """A form field that reads a time in ISO 8601 and returns it in UTC."""

    def to_python(self, value: Any) -> datetime | None:
        """Return the time in UTC. Raises ValidationError if it is outside the years 1 to 9999 there."""
        moment: datetime | None = super().to_python(value)
        try:
            return None if moment is None else moment.astimezone(UTC)
        except OverflowError:
            raise ValidationError("Give a time in the years 1 to 9999, in UTC.") from None


class MomentFilter(django_filters.IsoDateTimeFilter):
    field_class = MomentField
