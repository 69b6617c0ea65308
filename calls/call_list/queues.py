"""The work queues on the first page of the admin: how much waits, and the way to it.

Other rooms add theirs to `queues`. A queue is shown to those who may open its list, and counts what they see there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from django.db import Error
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from calls.access import agents_of_request, visible
from calls.bounded_count import Count, counted
from calls.call_list import days
from calls.models import Call
from calls.postgres.waits import TookTooLong
from calls.silence import STARTED, silent_since

logger = logging.getLogger(__name__)
COUNTED = 1_000
OBJECTIVE_DAYS = 7


@dataclass(frozen=True, slots=True)
class Queue:
    """`count` gives a number that is capped already; `query` is that of the list which shows the same rows."""

    title: str
    view: str  # of the list, as in "admin:calls_call_changelist"
    permission: str
    query: Callable[[], dict[str, str]]
    count: Callable[[HttpRequest], int]


@dataclass(frozen=True, slots=True)
class Shown:
    """`count` is None where it could not be had."""

    title: str
    url: str
    count: int | None


def queues_for(request: HttpRequest) -> list[Shown]:
    """Those that the user may open. What one of them costs, or breaks, costs the page and the others little."""
    return [_shown(queue, request) for queue in queues if request.user.has_perm(queue.permission)]


def _shown(queue: Queue, request: HttpRequest) -> Shown:
    try:
        count: int | None = queue.count(request)
    except (Error, TookTooLong) as error:
        logger.warning("Cannot count the queue %s now: %s", queue.title, type(error).__name__)
        count = None
    return Shown(queue.title, f"{reverse(queue.view)}?{urlencode(queue.query())}", count)


def of_calls(title: str, query: Callable[[], dict[str, str]], calls: Callable[[], QuerySet[Call]]) -> Queue:
    def count(request: HttpRequest) -> Count:
        return counted(visible(calls(), agents_of_request(request)), COUNTED)

    return Queue(title, "admin:calls_call_changelist", "calls.view_call", query, count)


def _since(days_before: int) -> QuerySet[Call]:
    """Calls that started on the last days, today among them."""
    first = days.beginning(days.today() - timedelta(days=days_before))
    return Call.objects.alias(started=STARTED).filter(started__gte=first)


def _days(days_before: int) -> dict[str, str]:
    day = days.today()
    return {"started_from": str(day - timedelta(days=days_before)), "started_to": str(day)}


queues = [
    of_calls(
        "Failed today",
        lambda: {**_days(0), "status__exact": Call.Status.FAILED.value},
        lambda: _since(0).filter(status=Call.Status.FAILED),
    ),
    of_calls(
        "Silent for over an hour",
        lambda: {"silent": "1"},
        lambda: silent_since(timezone.now() - timedelta(hours=1)),
    ),
    of_calls(
        f"Objective not met, last {OBJECTIVE_DAYS} days",
        lambda: {**_days(OBJECTIVE_DAYS - 1), "call_successful__exact": "0"},
        lambda: _since(OBJECTIVE_DAYS - 1).filter(call_successful=False),
    ),
]
