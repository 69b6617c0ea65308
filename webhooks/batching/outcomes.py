"""Group commit of post-call webhooks on PostgreSQL: one transaction for webhooks that arrive at the same moment.

Batched: the first transcription event of a conversation whose call exists, has no transcription yet, and gets no name
that a delivery waits for. Everything else (repeats, failures, audio, later transcriptions, unknown or locked calls,
names to link, errors) goes through the inbox.

One thread runs the batches: several would compete for the interpreter lock, as a webhook of 20 KB is mostly work for
the interpreter. It buys: such a webhook costs 0.6 ms of CPU in a batch of 32, and 4 ms through the inbox in one thread;
PostgreSQL's CPU is 0.26 and 1.5 ms (`python -m lab.bench.batching`). With HTTP and 16 posters it costs 2.1 ms in all,
and 6.6 to 7.7 ms through the inbox (docs/performance/ablation.md).
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Mapping
from typing import NamedTuple

from django.db import connection, transaction
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from calls.bounds import within
from calls.per_loop import PerLoop
from calls.postgres import names
from calls.postgres.outcomes import update_post_call_data
from calls.races import is_locked
from calls.threads import Threads
from webhooks import journal
from webhooks.batching import deliveries
from webhooks.batching.group_commit import GroupCommit
from webhooks.errors import DatabaseUnavailable, WebhookError, is_away
from webhooks.handlers import transcription_reply
from webhooks.inbox import DELIVERIES, new_delivery
from webhooks.journal import Entry
from webhooks.models import WaitingName, WebhookDelivery
from webhooks.payloads import Transcription
from webhooks.reading import read
from webhooks.replies import Reply

logger = logging.getLogger(__name__)
ROUTE = WebhookDelivery.Route.POST_CALL
BATCH, MAX_BYTES = 32, 512 * 1024
BATCH_SECONDS = 8.0
_thread = Threads("post-call-batch", 1)


async def take(body: bytes) -> Reply | None:
    """Apply a verified webhook together with others that arrive meanwhile.

    Returns None if nothing was done: then the inbox takes it. Raises DatabaseUnavailable if the database is away or a
    table is locked, as the inbox would only wait for it again.
    """
    if connection.vendor != "postgresql" or len(body) > MAX_BYTES:
        return None
    try:
        return await _group().put((body, journal.current()))
    except Exception as error:
        if is_away(error) or is_locked(error):
            raise DatabaseUnavailable(error) from error
        logger.warning("A batch of outcomes failed; each is taken alone: %s", type(error).__name__)
        return None


async def _take_in_thread(items: list[tuple[bytes, Entry]]) -> list[Reply | None]:
    with within(BATCH_SECONDS):
        return await _thread.run(lambda: _take(items))


_group = PerLoop(lambda: GroupCommit(_take_in_thread, BATCH))


class _Request(NamedTuple):
    """A webhook that may be batched. Its delivery has a call and an outcome only after it was applied."""

    entry: Entry
    delivery: WebhookDelivery
    event: Transcription


def _take(items: list[tuple[bytes, Entry]]) -> list[Reply | None]:
    """Apply the items in one transaction. Returns a reply per item; None for an item that was left out.

    Raises any error of the transaction; then nothing was done.
    """
    requests = [_read(*item) for item in items]
    first: dict[str, _Request] = {}
    for request in filter(None, requests):
        first.setdefault(request.event.call.conversation_id or "", request)
    if first:
        with transaction.atomic():
            _apply(first)
    return [_reply(request) for request in requests]


def _read(body: bytes, entry: Entry) -> _Request | None:
    delivery = new_delivery(ROUTE, body, hashlib.sha256(body).hexdigest())
    event = None
    with contextlib.suppress(WebhookError):
        event = journal.under(entry, read, delivery)
    entry.step = "connect"
    return _Request(entry, delivery, event) if isinstance(event, Transcription) else None


def _apply(requests: Mapping[str, _Request]) -> None:
    """Update the calls of these conversations, and keep the deliveries of the calls that were updated.

    No copy of a webhook is applied twice: after an applied copy its call has a transcription and is left out; a copy
    that was only kept makes the insert fail.
    """
    aliases = _harmless_names(requests)
    with bound_contextvars(conversation_id=", ".join(aliases)):
        calls = update_post_call_data({key: requests[key].event.data for key in aliases})
    applied = [requests[key].delivery for key in calls]
    for delivery, call in zip(applied, calls.values(), strict=True):
        delivery.call, delivery.outcome = call, WebhookDelivery.Outcome.APPLIED
        delivery.applied_at, delivery.times_applied = timezone.now(), 1
        delivery.answer_status, delivery.answer_body = 200, transcription_reply(call)
    deliveries.insert(applied)
    names.learn({call: aliases[key] for key, call in calls.items()})


def _harmless_names(requests: Mapping[str, _Request]) -> dict[str, set[str]]:
    """Return the further names of each conversation's call, if they link no calls and no delivery waits for them."""
    found = names.nothing_to_link(request.event.call for request in requests.values())
    awaited = WaitingName.objects.filter(name__in=set[str]().union(*found.values()))
    waiting = set(awaited.values_list("name", flat=True))
    return {key: texts for key, texts in found.items() if waiting.isdisjoint(texts)}


def _reply(request: _Request | None) -> Reply | None:
    """Return the reply to an applied request, and note it in the journal and the counter; None if it was left out."""
    call = request.delivery.call if request is not None else None
    if request is None or call is None:
        return None
    entry, delivery, _ = request
    entry.step = "look up"
    entry.found(call)
    entry.applied(call)
    entry.kept(delivery)
    DELIVERIES.labels(delivery.route, delivery.outcome).inc()
    return Reply(delivery.answer_status, delivery.answer_body)
