"""Days in CALLS_TIME_ZONE: their form in a URL, their beginning and end, and the usual ranges of days."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from django.utils import timezone

from calls.zone import zone

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Range(NamedTuple):
    """A range of days with its title; both `first` and `last` are inside."""

    title: str
    first: date
    last: date


def today() -> date:
    return timezone.now().astimezone(zone()).date()


def day_of(text: str) -> date | None:
    """Return the day that `text` writes as YYYY-MM-DD; None for any other text."""
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def field(name: str, label: str, value: str) -> dict[str, str]:
    """Return a form field for a day. A value that is no day gets a text field, in which the user can correct it."""
    kind = "date" if not value or day_of(value) else "text"
    return {"name": name, "label": label, "value": value, "type": kind}


def beginning(day: date) -> datetime:
    """Return the first moment of the day in UTC, or that of Python's calendar if the day begins before it."""
    try:
        return datetime.combine(day, time.min, zone()).astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def end(day: date) -> datetime:
    """Return the first moment after the day in UTC, 23 to 25 hours after its beginning.

    For the last day of Python's calendar, return the calendar's last moment.
    """
    try:
        return beginning(day + timedelta(days=1))
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def ranges(day: date) -> list[Range]:
    """Return the usual ranges, as of `day`. Weeks (from Monday) and months are whole, with days after `day` too."""
    yesterday, monday, of_month = day - timedelta(days=1), day - timedelta(days=day.weekday()), day.replace(day=1)
    next_month = (of_month + timedelta(days=31)).replace(day=1)
    end_of_last_month = of_month - timedelta(days=1)
    return [
        Range("Today", day, day),
        Range("Yesterday", yesterday, yesterday),
        Range("This week", monday, monday + timedelta(days=6)),
        Range("Last week", monday - timedelta(days=7), monday - timedelta(days=1)),
        Range("This month", of_month, next_month - timedelta(days=1)),
        Range("Last month", end_of_last_month.replace(day=1), end_of_last_month),
        Range("Last 31 days", day - timedelta(days=30), day),
        Range("Last 90 days", day - timedelta(days=89), day),
    ]
