"""A saved call takes the deliveries that waited for one of its names, in the transaction that saves it.

`lock_names` keeps the two from missing each other: the webhook that finds no call, and the call that is being saved.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from calls.merging import calls_merged
from calls.models import Call
from calls.names import lock_names, names_come_along, names_of
from webhooks.models import WaitingName, WebhookDelivery
from webhooks.waiting import apply_live, apply_one_by_one

IDENTIFIERS = {"call_sid", "conversation_id"}
Outcome, Route = WebhookDelivery.Outcome, WebhookDelivery.Route


@receiver(calls_merged)
def move_deliveries(stays: Call, goes: Call, **_: Any) -> None:
    WebhookDelivery.objects.filter(call=goes).update(call=stays)


@receiver(names_come_along)
def names_that_wait(names: Collection[str], **_: Any) -> list[str]:
    """Whoever gives a call one of these names applies what waited for it, and gives the call its names too."""
    waiting = WaitingName.objects.filter(delivery__waiting_names__name__in=names)
    return list(waiting.values_list("name", flat=True).distinct())


@receiver(post_save, sender=Call)
def apply_waiting_deliveries(instance: Call, update_fields: frozenset[str] | None, **_: Any) -> None:
    """What was said comes first, as it was said before the call's end; all in the order in which it came.

    One that fails keeps its error, and stops neither the others nor the call.
    """
    if update_fields is not None and not IDENTIFIERS & update_fields:
        return
    names = names_of(instance)
    lock_names(names)
    waiting = list(WaitingName.objects.filter(name__in=names).values_list("delivery", flat=True).distinct())
    if not waiting:
        return
    # gone before anything is applied: applying saves the call again, and would find them here again
    WaitingName.objects.filter(delivery__in=waiting).delete()
    deliveries = WebhookDelivery.objects.filter(pk__in=waiting, outcome=Outcome.UNMATCHED).order_by("id")
    apply_live(deliveries.filter(route=Route.TRANSCRIPTION))
    apply_one_by_one(deliveries.exclude(route=Route.TRANSCRIPTION).defer("body"))
