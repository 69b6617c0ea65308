"""The inbox's work queues on the first page of the admin."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet, Sum
from django.http import HttpRequest

from calls.access import agents_of_request, visible
from calls.bounded_count import MILLISECONDS, Count, counted
from calls.call_list import days
from calls.call_list.queues import COUNTED, Queue, queues
from calls.postgres.waits import at_most
from webhooks.models import RefusedRequests, WebhookDelivery

Outcome = WebhookDelivery.Outcome
_VIEW, _MAY_VIEW = "admin:webhooks_webhookdelivery_changelist", "webhooks.view_webhookdelivery"
_REFUSED, _MAY_VIEW_REFUSED = "admin:webhooks_refusedrequests_changelist", "webhooks.view_refusedrequests"


def _began() -> datetime:
    """Return when today began, in CALLS_TIME_ZONE."""
    return days.beginning(days.today())


def _count(request: HttpRequest, rows: QuerySet[Any]) -> Count:
    return counted(visible(rows, agents_of_request(request), "call__agent_id"), COUNTED)


def _rejected(request: HttpRequest) -> int:
    return _count(request, WebhookDelivery.objects.filter(outcome=Outcome.REJECTED, received_at__gte=_began()))


def _refused(request: HttpRequest) -> Count:
    """Count today's refused requests. Users who are limited to agents get 0, as a refused request has no call."""
    if agents_of_request(request) is not None:
        return Count()
    with at_most(MILLISECONDS):
        total = RefusedRequests.objects.filter(hour__gte=_began()).aggregate(total=Sum("count"))["total"]
    return Count(total or 0)


def _waiting(request: HttpRequest) -> Count:
    return _count(request, WebhookDelivery.objects.filter(outcome=Outcome.UNMATCHED))


queues += [
    Queue(
        "Webhooks rejected today",
        _VIEW,
        _MAY_VIEW,
        lambda: {"outcome__exact": Outcome.REJECTED.value, "received_at__gte": _began().isoformat()},
        _rejected,
    ),
    Queue(
        "Requests refused today",
        _REFUSED,
        _MAY_VIEW_REFUSED,
        lambda: {"hour__gte": _began().isoformat()},
        _refused,
    ),
    Queue(
        "Webhooks waiting for their call",
        _VIEW,
        _MAY_VIEW,
        lambda: {"outcome__exact": Outcome.UNMATCHED.value},
        _waiting,
    ),
]
