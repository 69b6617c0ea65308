"""The work queues on the first page of the admin: each shows how many rows wait and links to their list.

Other rooms add their queues to `queues`. A user sees a queue only if they may open its list; the queue counts the rows
that the user sees in that list.
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
    """A work queue. `count` returns a number, already capped; `query` returns the filters of the list of its rows."""

    title: str
    view: str  # URL name of the list, such as "admin:calls_call_changelist"
    permission: str
    query: Callable[[], dict[str, str]]
    count: Callable[[HttpRequest], int]


@dataclass(frozen=True, slots=True)
class Shown:
    """A queue as the page shows it. `count` is None if it could not be counted now."""

    title: str
    url: str
    count: int | None


def queues_for(request: HttpRequest) -> list[Shown]:
    """Return the queues that the user may open. A count that fails or takes too long is None; the others go on."""
    return [_shown(queue, request) for queue in queues if request.user.has_perm(queue.permission)]


def _shown(queue: Queue, request: HttpRequest) -> Shown:
    try:
        count: int | None = queue.count(request)
    except (Error, TookTooLong) as error:
        logger.warning("Cannot count the queue %s now: %s", queue.title, type(error).__name__)
        count = None
    return Shown(queue.title, f"{reverse(queue.view)}?{urlencode(queue.query())}", count)


def of_calls(title: str, query: Callable[[], dict[str, str]], calls: Callable[[], QuerySet[Call]]) -> Queue:
    """Return a queue of calls. It counts those of `calls` that the user may see, up to COUNTED."""

    def count(request: HttpRequest) -> Count:
        return counted(visible(calls(), agents_of_request(request)), COUNTED)

    return Queue(title, "admin:calls_call_changelist", "calls.view_call", query, count)


def _since(days_before: int) -> QuerySet[Call]:
    """Return the calls that started today or up to `days_before` days before."""
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
