"""Applying many deliveries again: in steps, each of which fits into one request and tells where the next begins."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.db import Error
from django.db.models import QuerySet

from calls.access_log import NotLogged
from calls.races import persistently
from webhooks.inbox import apply_again
from webhooks.models import WebhookDelivery

logger = logging.getLogger(__name__)
STEP, STEP_SECONDS = 200, 10.0


class Progress(forms.Form):
    """What one step hands to the next, in hidden fields of the page between them."""

    after = forms.IntegerField(min_value=0, widget=forms.HiddenInput, help_text="The last delivery that was taken.")
    until = forms.IntegerField(min_value=0, widget=forms.HiddenInput, help_text="The last that was chosen.")
    total = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    done = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    applied = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


def begun(deliveries: QuerySet[WebhookDelivery]) -> dict[str, int]:
    """Before the first step. What is kept from now on is not among the chosen."""
    newest = deliveries.order_by("-pk").values_list("pk", flat=True).first()
    return {"after": 0, "until": newest or 0, "total": deliveries.count(), "done": 0, "applied": 0}


def step(
    deliveries: QuerySet[WebhookDelivery], progress: dict[str, Any], note: Callable[[WebhookDelivery], None]
) -> tuple[dict[str, Any], bool]:
    """Apply the next, in the order in which they came, each in its own transaction. Returns the progress, and whether
    that was all. One that cannot be applied now holds up no other. `note` writes each into the access log before.
    """
    end = time.monotonic() + STEP_SECONDS
    progress = dict(progress)
    chosen = deliveries.filter(pk__gt=progress["after"], pk__lte=progress["until"]).order_by("pk")
    for delivery in list(chosen[:STEP]):
        progress["applied"] += _is_applied(delivery, note)
        progress["done"] += 1
        progress["after"] = delivery.pk
        if time.monotonic() >= end:
            break
    is_all = not deliveries.filter(pk__gt=progress["after"], pk__lte=progress["until"]).exists()
    return progress, is_all


def _is_applied(delivery: WebhookDelivery, note: Callable[[WebhookDelivery], None]) -> bool:
    try:
        note(delivery)
        return persistently(partial(apply_again, delivery)).outcome == WebhookDelivery.Outcome.APPLIED
    except (Error, NotLogged, WebhookDelivery.DoesNotExist) as error:
        logger.warning("Delivery %d was not applied again: %s", delivery.pk, type(error).__name__)
        return False
