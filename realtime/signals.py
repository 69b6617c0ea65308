"""What is saved is published after its commit. What does not arrive is found in the database by hubs and feeds."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver

from calls.merging import calls_merged
from calls.models import Call
from calls.turn import RecordedTurn
from calls.turns import turns_recorded, turns_renumbered
from realtime.messages import Notice, call_notice, turn_notice
from realtime.publisher import publish


@receiver(turns_recorded)
def publish_turns(turns: list[RecordedTurn], **_: Any) -> None:
    """New turns."""
    publish(*map(turn_notice, turns))


@receiver(turns_renumbered)
def publish_renumbering(call: Call, **_: Any) -> None:
    """New turns before older ones: the call's listeners start again."""
    publish({"type": "merged", "call_id": call.pk})


@receiver(calls_merged)
def publish_merge(stays: Call, goes: Call, **_: Any) -> None:
    """Two rows became one call: the listeners of both are told."""
    notices: list[Notice] = [{"type": "merged", "call_id": call.pk} for call in (stays, goes)]
    transaction.on_commit(lambda: publish(*notices), robust=True)


@receiver(post_save, sender=Call)
def publish_call(instance: Call, created: bool, **_: Any) -> None:
    """A call that began, ended or is known better. An end is said again with every save: listeners hear it once."""
    notice = call_notice(instance.pk, ended=instance.ended and not created)
    transaction.on_commit(lambda: publish(notice), robust=True)
