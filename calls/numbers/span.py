"""The range of days that the numbers are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from calls.call_list import days

MOST_DAYS = 366
FIRST_YEAR, LAST_YEAR = 1970, 9000  # within them every zone has every day


class BadSpan(Exception):
    """The parameters give no valid span. The text tells the user what to write."""


class Span(NamedTuple):
    """A range of days in CALLS_TIME_ZONE; both `first` and `last` are inside."""

    first: date
    last: date

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    @property
    def begins(self) -> datetime:
        return days.beginning(self.first)

    @property
    def ends(self) -> datetime:
        """Return the first moment after the last day, in UTC."""
        return days.end(self.last)


def this_month() -> Span:
    """Return the span from the first of this month to today."""
    day = days.today()
    return Span(day.replace(day=1), day)


def usual_spans() -> list[tuple[str, Span]]:
    """Return the spans that the list of calls offers, with their titles, without days in the future."""
    day = days.today()
    return [(title, Span(first, min(last, day))) for title, first, last in days.ranges(day)]


def span_of(query: Mapping[str, str], names: Sequence[str]) -> Span:
    """Return the span that the two parameters `names` give. Raises BadSpan.

    Without the second parameter the span ends today (if it begins later, on its first day); without both it is this
    month up to today.
    """
    begins, ends = (query.get(name, "").strip() for name in names)
    if not (begins or ends):
        return this_month()
    first = _day(begins)
    last = _day(ends) if ends else max(first, days.today())
    if first > last:
        raise BadSpan(f"The first day, {first}, is behind the last one, {last}. Exchange them.")
    if (last - first).days >= MOST_DAYS:
        raise BadSpan(f"From {first} to {last} are more than {MOST_DAYS} days. Choose fewer.")
    return Span(first, last)


def _day(text: str) -> date:
    day = days.day_of(text)
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        what = f"“{text[:40]}” is no day" if text else "The first day is missing"
        raise BadSpan(f"{what}. Write both as YYYY-MM-DD, such as {days.today()}.")
    return day
