"""A saved call is published after its commit. What does not arrive is found in the database by the hubs."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver

from calls.models import Call, CallTranscription
from realtime import log
from realtime.feed_bell import ring
from realtime.publisher import publish


def call_group(call_id: int) -> str:
    """The channel layer group of one call."""
    return f"call.{call_id}"


@receiver(post_save, sender=CallTranscription)
def publish_turn(instance: CallTranscription, created: bool, **_: Any) -> None:
    """A new turn, unless its call has ended: then nobody listens any more."""
    call = instance.call
    if created and not call.ended:
        message = {"type": "turn", "call_id": call.pk, "number": instance.sequence_number}
        message["text"] = log.turn_message(instance, call)
        transaction.on_commit(lambda: publish(call_group(call.pk), message))


@receiver(post_save, sender=Call)
def ring_the_feed(instance: Call, **_: Any) -> None:
    """Whatever changed of a call: it began, has a new turn, ended, is known better."""
    call_id = instance.pk
    transaction.on_commit(lambda: ring(call_id))


@receiver(post_save, sender=Call)
def publish_end(instance: Call, created: bool, **_: Any) -> None:
    """A call that has ended. Said again where it is saved again: a subscription hears its end once."""
    if instance.ended and not created:
        message = {"type": "ended", "call_id": instance.pk}
        transaction.on_commit(lambda: publish(call_group(instance.pk), message))
