"""Saving a call applies the deliveries that waited for one of its names, in the same transaction.

`lock_names` prevents a race between a webhook that finds no call and the call that is saved at the same moment.
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
    """Return all names of the deliveries that wait for one of these names.

    Whoever gives a call one of these names also applies those deliveries, and so gives the call their other names.
    """
    waiting = WaitingName.objects.filter(delivery__waiting_names__name__in=names)
    return list(waiting.values_list("name", flat=True).distinct())


@receiver(post_save, sender=Call)
def apply_waiting_deliveries(instance: Call, update_fields: frozenset[str] | None, **_: Any) -> None:
    """Apply the deliveries that waited for this call: first live ones, as they precede the call's end, then the others.

    Both groups are applied in order of arrival. A delivery that fails keeps its error, and stops neither the others nor
    the saving of the call.
    """
    if update_fields is not None and not IDENTIFIERS & update_fields:
        return
    names = names_of(instance)
    lock_names(names)
    waiting = list(WaitingName.objects.filter(name__in=names).values_list("delivery", flat=True).distinct())
    if not waiting:
        return
    # Delete the waiting names first: applying saves the call again, and this receiver would find them again.
    WaitingName.objects.filter(delivery__in=waiting).delete()
    deliveries = WebhookDelivery.objects.filter(pk__in=waiting, outcome=Outcome.UNMATCHED).order_by("id")
    apply_live(deliveries.filter(route=Route.TRANSCRIPTION))
    apply_one_by_one(deliveries.exclude(route=Route.TRANSCRIPTION).defer("body"))
