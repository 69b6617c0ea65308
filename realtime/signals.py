"""Publishes changes of calls after their commit. Hubs and feeds find a change whose notice is lost in the database."""

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
    """Publish new turns, which are committed already."""
    publish(*map(turn_notice, turns))


@receiver(turns_renumbered)
def publish_renumbering(call: Call, **_: Any) -> None:
    """Publish that new turns came before older ones: the call's listeners start again."""
    publish({"type": "merged", "call_id": call.pk})


@receiver(calls_merged)
def publish_merge(stays: Call, goes: Call, **_: Any) -> None:
    """Publish that two rows became one call, for the listeners of both."""
    notices: list[Notice] = [{"type": "merged", "call_id": call.pk} for call in (stays, goes)]
    transaction.on_commit(lambda: publish(*notices), robust=True)


@receiver(post_save, sender=Call)
def publish_call(instance: Call, created: bool, **_: Any) -> None:
    """Publish that a call began, ended or changed. Each save of an ended call says so again; listeners get it once."""
    notice = call_notice(instance.pk, ended=instance.ended and not created)
    transaction.on_commit(lambda: publish(notice), robust=True)
