"""A saved call takes the deliveries that waited for one of its names, in the transaction that saves it.

`lock_names` keeps the two from missing each other: the webhook that finds no call, and the call that is being saved.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import timezone

from calls.merging import calls_merged
from calls.models import Call
from calls.names import lock_names, names_come_along, names_of
from calls.turn import Recorded
from calls.turns import record_turns
from webhooks.answers import turn_answer
from webhooks.errors import WebhookError
from webhooks.inbox import apply_again, as_it_came
from webhooks.journal import Entry
from webhooks.models import WaitingName, WebhookDelivery
from webhooks.strict_json import decode
from webhooks.tool_payloads import parse_turn

logger = logging.getLogger(__name__)
IDENTIFIERS = {"call_sid", "conversation_id"}
BECAUSE = "its call appeared"
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
    live = deliveries.filter(route=Route.TRANSCRIPTION)
    for are_turns, run in groupby(live, key=lambda delivery: delivery.event_type == "turn"):
        together = list(run)
        if not (are_turns and _applied_together(together)):
            _apply_one_by_one(together)
    _apply_one_by_one(deliveries.exclude(route=Route.TRANSCRIPTION).defer("body"))


def _apply_one_by_one(deliveries: Iterable[WebhookDelivery]) -> None:
    for delivery in deliveries:
        apply_again(delivery, because=BECAUSE)


def _applied_together(deliveries: Sequence[WebhookDelivery]) -> bool:
    """Store turns that waited, at once: a call may have a thousand. False: nothing was done, something is odd."""
    try:
        turns = [as_it_came(delivery, parse_turn(decode(bytes(delivery.body)))) for delivery in deliveries]
        with transaction.atomic():
            recorded = record_turns(turns)
    except (WebhookError, DatabaseError) as error:
        logger.warning("Turns that waited are taken one by one: %s", type(error).__name__)
        return False
    now = timezone.now()
    for delivery, item in zip(deliveries, recorded, strict=True):
        _note(delivery, item, now)
    WebhookDelivery.objects.bulk_update(
        [delivery for delivery, item in zip(deliveries, recorded, strict=True) if item is not None],
        ["call", "outcome", "answer_status", "answer_body", "error", "times_applied", "applied_at"],
        batch_size=250,
    )
    _apply_one_by_one([delivery for delivery, item in zip(deliveries, recorded, strict=True) if item is None])
    return True


def _note(delivery: WebhookDelivery, recorded: Recorded, now: datetime) -> None:
    if recorded is None:
        return
    turn, created = recorded
    answer = turn_answer(turn, created)
    delivery.call_id = turn.call.pk
    delivery.outcome, delivery.error, delivery.applied_at = Outcome.APPLIED, "", now
    delivery.answer_status, delivery.answer_body = answer.status, answer.body
    delivery.times_applied += 1
    entry = Entry(delivery.route, again=BECAUSE)
    entry.turn = recorded
    entry.kept(delivery)
    transaction.on_commit(entry.end, robust=True)
