"""Days of CALLS_TIME_ZONE: when they begin, and the ranges of them that people ask for."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from django.utils import timezone

from calls.zone import zone

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Range(NamedTuple):
    """Both days are inside."""

    title: str
    first: date
    last: date


def today() -> date:
    return timezone.now().astimezone(zone()).date()


def day_of(text: str) -> date | None:
    """A day written as YYYY-MM-DD; None for any other text."""
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def beginning(day: date) -> datetime | None:
    """When it begins, in UTC; None where that is before the calendar does."""
    try:
        return datetime.combine(day, time.min, zone()).astimezone(UTC)
    except OverflowError:
        return None


def end(day: date) -> datetime | None:
    """When it is over, in UTC; None where the calendar ends with it."""
    try:
        return beginning(day + timedelta(days=1))
    except OverflowError:
        return None


def ranges(day: date) -> list[Range]:
    """What stands beside the two days of the filter. Weeks are those of the calendar, and begin on Monday."""
    yesterday, monday = day - timedelta(days=1), day - timedelta(days=day.weekday())
    next_month = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
    return [
        Range("Today", day, day),
        Range("Yesterday", yesterday, yesterday),
        Range("This week", monday, monday + timedelta(days=6)),
        Range("Last week", monday - timedelta(days=7), monday - timedelta(days=1)),
        Range("This month", day.replace(day=1), next_month - timedelta(days=1)),
        Range("Last 31 days", day - timedelta(days=30), day),
    ]
