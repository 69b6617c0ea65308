"""Apply many deliveries again: first a preview, then steps.

Each step fits into one HTTP request, and returns a result per delivery and where the next step begins.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from django import forms
from django.db import Error
from django.db.models import QuerySet

from calls.access_log import NotLogged
from calls.bounded_count import COUNTED
from calls.models import Call
from calls.races import persistently
from webhooks.foreseeing import foresee
from webhooks.inbox import apply_again
from webhooks.models import WebhookDelivery
from webhooks.why import why

logger = logging.getLogger(__name__)
STEP, STEP_SECONDS = 200, 10.0
NOT_NOW = "The database did not let it happen now; try again."


class Progress(forms.Form):
    """The state that one step hands to the next, in hidden fields of the page. `total` is counted up to COUNTED."""

    after = forms.IntegerField(min_value=0, widget=forms.HiddenInput, help_text="The last delivery that was taken.")
    until = forms.IntegerField(min_value=0, widget=forms.HiddenInput, help_text="The last that was chosen.")
    total = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    done = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    applied = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class Result(NamedTuple):
    """The result of applying a delivery, real or foreseen. `outcome` is None where it could not be tried."""

    delivery: WebhookDelivery
    outcome: WebhookDelivery.Outcome | None
    text: str
    call_id: int | None
    call_sid: str = ""


def begun(deliveries: QuerySet[WebhookDelivery]) -> dict[str, int]:
    """Return the progress before the first step. Deliveries that arrive later are not included."""
    newest = deliveries.order_by("-pk").values_list("pk", flat=True).first()
    total = len(deliveries.order_by().values_list("pk")[:COUNTED])
    return {"after": 0, "until": newest or 0, "total": total, "done": 0, "applied": 0}


def preview(deliveries: QuerySet[WebhookDelivery], progress: dict[str, Any]) -> list[Result]:
    """Return what the next step would do, for as many deliveries as a step's time allows. Nothing is written."""
    return _each(_next(deliveries, progress), _foreseen)


def step(
    deliveries: QuerySet[WebhookDelivery], progress: dict[str, Any], note: Callable[[WebhookDelivery], None]
) -> tuple[dict[str, Any], list[Result], bool]:
    """Apply the next deliveries in order of arrival, each in its own transaction.

    Returns the progress, a result per delivery, and whether that was all. A delivery that cannot be applied now does
    not stop the others. `note` is called before each, and writes it into the access log.
    """
    progress = dict(progress)
    results = _each(_next(deliveries, progress), partial(_applied, note))
    progress["applied"] += sum(result.outcome == WebhookDelivery.Outcome.APPLIED for result in results)
    progress["done"] += len(results)
    if results:
        progress["after"] = results[-1].delivery.pk
    is_all = not _chosen(deliveries, progress).exists()
    return progress, results, is_all


def _chosen(deliveries: QuerySet[WebhookDelivery], progress: dict[str, Any]) -> QuerySet[WebhookDelivery]:
    return deliveries.filter(pk__gt=progress["after"], pk__lte=progress["until"])


def _next(deliveries: QuerySet[WebhookDelivery], progress: dict[str, Any]) -> list[WebhookDelivery]:
    return list(_chosen(deliveries, progress).order_by("pk")[:STEP])


def _each(deliveries: Iterable[WebhookDelivery], work: Callable[[WebhookDelivery], Result]) -> list[Result]:
    end = time.monotonic() + STEP_SECONDS
    results = []
    for delivery in deliveries:
        results.append(work(delivery))
        if time.monotonic() >= end:
            break
    named = Call.objects.filter(pk__in=[result.call_id for result in results if result.call_id])
    names = dict(named.values_list("pk", "call_sid"))
    return [result._replace(call_sid=names.get(result.call_id or 0, "")) for result in results]


def _foreseen(delivery: WebhookDelivery) -> Result:
    seen = foresee(delivery)
    delivery.body = b""  # a body may have 64 MB
    return Result(delivery, seen.outcome, seen.text, seen.call.pk if seen.call else None)


def _applied(note: Callable[[WebhookDelivery], None], delivery: WebhookDelivery) -> Result:
    try:
        note(delivery)
        done = persistently(partial(apply_again, delivery))
    except (Error, NotLogged, WebhookDelivery.DoesNotExist) as error:
        logger.warning("Delivery %d was not applied again: %s", delivery.pk, type(error).__name__)
        return Result(delivery, None, NOT_NOW, None)
    outcome = WebhookDelivery.Outcome(done.outcome)
    return Result(delivery, outcome, why(outcome, done.event_type, done.error), done.call_id)
