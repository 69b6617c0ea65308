"""A saved call is published after its commit. What does not arrive is found in the database by the hubs."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver

from calls.models import Call
from calls.turn_store import RecordedTurn
from calls.turns import turns_recorded
from realtime import log
from realtime.publisher import Message, publish


@receiver(turns_recorded)
def publish_turns(turns: list[RecordedTurn], **_: Any) -> None:
    """New turns, but of calls that have ended: to those nobody listens any more."""
    heard = [_turn_message(turn) for turn in turns if not turn.call.ended]
    transaction.on_commit(lambda: publish(*heard), robust=True)


@receiver(post_save, sender=Call)
def publish_end(instance: Call, created: bool, **_: Any) -> None:
    """A call that has ended. Said again where it is saved again: a subscription hears its end once."""
    if instance.ended and not created:
        message = {"type": "ended", "call_id": instance.pk}
        transaction.on_commit(lambda: publish(message), robust=True)


def _turn_message(turn: RecordedTurn) -> Message:
    text = log.turn_message(turn, turn.call)
    return {"type": "turn", "call_id": turn.call.pk, "number": turn.sequence_number, "text": text}
