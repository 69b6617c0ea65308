"""The days that numbers are about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from django.utils import timezone

from calls.zone import zone

MOST_DAYS = 366
FIRST_YEAR, LAST_YEAR = 1970, 9000  # within them every zone has every day
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class BadSpan(Exception):
    """Its text says what to write."""


class Span(NamedTuple):
    """Two days of CALLS_TIME_ZONE, both inside."""

    first: date
    last: date

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    @property
    def begins(self) -> datetime:
        return _midnight(self.first)

    @property
    def ends(self) -> datetime:
        """The first moment behind it. A day may have 23 or 25 hours."""
        return _midnight(self.last + timedelta(days=1))


def today() -> date:
    return timezone.now().astimezone(zone()).date()


def this_month() -> Span:
    day = today()
    return Span(day.replace(day=1), day)


def usual_spans() -> list[tuple[str, Span]]:
    """What people ask for, with its title. Weeks begin on Monday."""
    day = today()
    monday, of_month = day - timedelta(days=day.weekday()), day.replace(day=1)
    end_of_last_month = of_month - timedelta(days=1)
    return [
        ("Today", Span(day, day)),
        ("This week", Span(monday, day)),
        ("Last week", Span(monday - timedelta(days=7), monday - timedelta(days=1))),
        ("This month", this_month()),
        ("Last month", Span(end_of_last_month.replace(day=1), end_of_last_month)),
        ("Last 90 days", Span(day - timedelta(days=89), day)),
    ]


def span_of(query: Mapping[str, str], names: tuple[str, str]) -> Span:
    """What two parameters say; this month where they say nothing. Raises BadSpan."""
    said = [query.get(name, "").strip() for name in names]
    if not any(said):
        return this_month()
    first, last = (_day(text) for text in said)
    if first > last:
        raise BadSpan(f"The first day, {first}, is behind the last one, {last}. Exchange them.")
    if (last - first).days >= MOST_DAYS:
        raise BadSpan(f"From {first} to {last} are more than {MOST_DAYS} days. Choose fewer.")
    return Span(first, last)


def is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text)) and FIRST_YEAR <= date.fromisoformat(text).year <= LAST_YEAR
    except ValueError:
        return False


def _day(text: str) -> date:
    if not is_day(text):
        what = f"“{text[:40]}” is no day" if text else "A day is missing"
        raise BadSpan(f"{what}. Write both as YYYY-MM-DD, such as {today()}.")
    return date.fromisoformat(text)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, zone()).astimezone(UTC)
