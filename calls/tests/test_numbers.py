"""What the numbers count, over which days: equal to what is counted by hand."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from calls.models import Call
from calls.numbers.figures import Figures, Reason, calls_of, groups_of, reasons_of
from calls.numbers.span import Span
from calls.tests import number_cases
from calls.tests.number_cases import made

pytestmark = pytest.mark.django_db
MARCH = Span(date(2026, 3, 1), date(2026, 3, 31))


@pytest.fixture
def counted_by_hand():
    number_cases.counted_by_hand()


def by_agent_and_day(span=MARCH, agent_id=None):
    groups = groups_of(calls_of(span, Call.objects.all(), agent_id))
    return {(group.agent_id, group.day.day): group.figures for group in groups}


@pytest.mark.usefixtures("counted_by_hand")
def test_the_numbers_are_those_counted_by_hand(settings):
    settings.CALLS_TIME_ZONE = "Europe/Berlin"
    minute, half = {"timed": 1, "seconds": 60, "credits": 100, "usd": Decimal("0.25")}, {"timed": 2, "seconds": 91}
    assert by_agent_and_day() == {
        ("a", 10): Figures(calls=3, met=1, not_met=1, failed=1, heard=1, **half, credits=95, usd=Decimal("0.25")),
        ("a", 11): Figures(calls=1, unknown=1, heard=1),
        ("b", 11): Figures(calls=3, failed=2, in_progress=1),
        ("", 11): Figures(calls=1, met=1, **minute),
    }
    assert reasons_of(calls_of(MARCH, Call.objects.all())) == [Reason("busy", 2), Reason("", 1)]
    assert reasons_of(calls_of(MARCH, Call.objects.all(), "b")) == [Reason("", 1), Reason("busy", 1)]


@pytest.mark.usefixtures("counted_by_hand")
@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("UTC", {("a", 10): 4, ("b", 10): 1, ("b", 11): 2, ("", 11): 1}),
        ("America/New_York", {("a", 10): 4, ("b", 10): 1, ("b", 11): 2, ("", 11): 1}),
        ("Pacific/Auckland", {("a", 1): 1, ("a", 11): 4, ("b", 11): 3, ("", 11): 1}),
    ],
)
def test_days_are_those_of_the_zone(settings, zone, days):
    settings.CALLS_TIME_ZONE = zone
    assert {key: figures.calls for key, figures in by_agent_and_day().items()} == days


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Africa/Cairo", date(2026, 4, 24), 23),  # its clock jumps at midnight
        ("America/Havana", date(2026, 11, 1), 25),  # its hour after midnight comes twice
    ],
)
def test_a_day_may_be_shorter_or_longer(settings, zone, day, hours):
    settings.CALLS_TIME_ZONE = zone
    span = Span(day, day)
    assert span.ends - span.begins == timedelta(hours=hours)
    ends = [span.begins, span.ends - timedelta(seconds=1)]
    for n, start in enumerate([ends[0] - timedelta(seconds=1), *ends, span.ends]):
        made(n, start)
    assert {group.day: group.figures.calls for group in groups_of(calls_of(span, Call.objects.all()))} == {day: 2}
