"""What is saved is published after its commit. What does not arrive is found in the database by hubs and feeds.

A message names its call. `turn`: a new one, whole; `ended`: the call has; `changed`: anything else about it.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver

from calls.models import Call
from calls.turn import RecordedTurn
from calls.turns import turns_recorded
from realtime import log
from realtime.publisher import Message, publish


@receiver(turns_recorded)
def publish_turns(turns: list[RecordedTurn], **_: Any) -> None:
    """New turns. Those of a call that has ended are pushed to nobody: they only change it."""
    publish(*map(_turn_message, turns))


@receiver(post_save, sender=Call)
def publish_call(instance: Call, created: bool, **_: Any) -> None:
    """A call that began, ended or is known better. An end is said again with every save: listeners hear it once."""
    kind = "ended" if instance.ended and not created else "changed"
    message = {"type": kind, "call_id": instance.pk}
    transaction.on_commit(lambda: publish(message), robust=True)


def _turn_message(turn: RecordedTurn) -> Message:
    if turn.call.ended:
        return {"type": "changed", "call_id": turn.call.pk}
    return {"type": "turn", "call_id": turn.call.pk, "turn": log.turn_message(turn, turn.call)}
