"""Apply live deliveries that waited for their call, many at a time: a call may have a thousand of them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate, groupby
from typing import NamedTuple

from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from calls.record_history import NewHistory, record_histories
from calls.turn import NewTurn, Recorded
from calls.turns import record_turns
from webhooks.errors import WebhookError
from webhooks.inbox import apply_again, as_it_came
from webhooks.journal import Entry
from webhooks.models import WebhookDelivery
from webhooks.replies import Reply, history_reply, turn_reply
from webhooks.strict_json import decode
from webhooks.tool_payloads import parse_live

logger = logging.getLogger(__name__)
BECAUSE = "its call appeared"
Outcome = WebhookDelivery.Outcome


class _Applied(NamedTuple):
    call_id: int
    reply: Reply
    turn: Recorded = None


def apply_live(deliveries: Iterable[WebhookDelivery]) -> None:
    """Apply turns and histories in order of arrival.

    A run of deliveries of one kind takes a few statements. If the run fails, its deliveries are applied one by one, so
    that a failing delivery stops no other.
    """
    for kind, run in groupby(deliveries, key=lambda delivery: delivery.event_type):
        together = list(run)
        try:
            with transaction.atomic():
                applied = _turns(together) if kind == "turn" else _histories(together)
                _keep(together, applied)
        except (WebhookError, DatabaseError) as error:
            logger.warning("Live deliveries that waited are taken one by one: %s", type(error).__name__)
            applied = [None] * len(together)
        for delivery, result in zip(together, applied, strict=True):
            if result is not None:
                _note(delivery, result)
        apply_one_by_one([delivery for delivery, result in zip(together, applied, strict=True) if result is None])


def apply_one_by_one(deliveries: Iterable[WebhookDelivery]) -> None:
    for delivery in deliveries:
        apply_again(delivery, because=BECAUSE)


def _turns(deliveries: Sequence[WebhookDelivery]) -> list[_Applied | None]:
    turns = [as_it_came(delivery, turn) for delivery in deliveries if isinstance(turn := _parsed(delivery), NewTurn)]
    recorded = record_turns(turns)
    return [item and _Applied(item[0].call.pk, turn_reply(*item), item) for item in recorded]


def _histories(deliveries: Sequence[WebhookDelivery]) -> list[_Applied | None]:
    histories = [
        replace(history, arrived_at=delivery.received_at)
        for delivery in deliveries
        if isinstance(history := _parsed(delivery), NewHistory)
    ]
    applied: list[_Applied | None] = []
    for _, run in groupby(histories, key=lambda history: history.call):
        together = list(run)
        recorded = record_histories(together)
        if recorded is None:
            applied += [None] * len(together)
            continue
        call, counts = recorded
        before = call.last_sequence_number - sum(counts)
        for stored, total in zip(counts, accumulate(counts), strict=True):
            applied.append(_Applied(call.pk, history_reply(call, stored, before + total)))
    return applied


def _parsed(delivery: WebhookDelivery) -> NewTurn | NewHistory:
    return parse_live(decode(bytes(delivery.body)))


def _keep(deliveries: Sequence[WebhookDelivery], applied: Sequence[_Applied | None]) -> None:
    """Save the results on the rows.

    Equal values of many rows are written by one UPDATE, as a value per row costs a thousand times as much.
    """
    common: dict[tuple[int, int], list[int]] = defaultdict(list)
    changed: list[WebhookDelivery] = []
    now = timezone.now()
    for delivery, result in zip(deliveries, applied, strict=True):
        if result is not None:
            delivery.call_id, delivery.outcome, delivery.answer_body = (
                result.call_id,
                Outcome.APPLIED,
                result.reply.body,
            )
            common[result.call_id, result.reply.status].append(delivery.pk)
            changed.append(delivery)
    for (call_id, status), keys in common.items():
        WebhookDelivery.objects.filter(pk__in=keys).update(
            call=call_id,
            outcome=Outcome.APPLIED,
            answer_status=status,
            error="",
            times_applied=F("times_applied") + 1,
            applied_at=now,
        )
    WebhookDelivery.objects.bulk_update(changed, ["answer_body"], batch_size=250)


def _note(delivery: WebhookDelivery, result: _Applied) -> None:
    entry = Entry(delivery.route, again=BECAUSE)
    entry.turn = result.turn
    entry.learn(call_id=result.call_id)
    entry.kept(delivery)
    transaction.on_commit(entry.end, robust=True)
