"""A saved call takes the deliveries that waited for it, in the transaction that saves it."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.db.models.signals import post_save
from django.dispatch import receiver

from calls.models import Call
from webhooks.inbox import apply_again
from webhooks.models import WebhookDelivery
from webhooks.waiting import lock_identifiers

IDENTIFIERS = {"call_sid", "conversation_id"}


@receiver(post_save, sender=Call)
def apply_waiting_deliveries(instance: Call, update_fields: frozenset[str] | None, **_: Any) -> None:
    """In the order they came; one that fails keeps its error and stops neither the others nor the call."""
    if update_fields is not None and not IDENTIFIERS & update_fields:
        return
    lock_identifiers(instance.call_sid, instance.conversation_id)
    mine = Q(call_sid=instance.call_sid)
    if instance.conversation_id:
        mine |= Q(conversation_id=instance.conversation_id)
    waiting = WebhookDelivery.objects.filter(mine, outcome=WebhookDelivery.Outcome.UNMATCHED)
    for delivery in waiting.order_by("id").defer("body"):
        apply_again(delivery, because="its call appeared")
