"""Times in the query. SQLite keeps times in UTC, and Python's calendar has the years 1 to 9999: both ends are near."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from django_filters.fields import IsoDateTimeField


def moment_of(text: str) -> datetime | None:
    """A time that has a zone, in UTC; None for any other text."""
    try:
        moment = parse_datetime(text)
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


class MomentField(IsoDateTimeField):
    """A time in ISO 8601, given in UTC."""

    def to_python(self, value: Any) -> datetime | None:
        moment: datetime | None = super().to_python(value)
        try:
            return None if moment is None else moment.astimezone(UTC)
        except OverflowError:
            raise ValidationError("Give a time in the years 1 to 9999, in UTC.") from None


class MomentFilter(django_filters.IsoDateTimeFilter):
    field_class = MomentField
