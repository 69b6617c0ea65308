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
import logging
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from calls.bounds import within
from calls.per_loop import PerLoop
from calls.postgres.outcomes import learn_names, nothing_to_link, update_post_call_data
from calls.postgres.server_side import execute
from calls.races import is_locked
from calls.threads import Threads
from webhooks import journal
from webhooks.batching.group_commit import GroupCommit
from webhooks.errors import DatabaseUnavailable, WebhookError, is_away
from webhooks.journal import DELIVERIES, Entry
from webhooks.models import ANOTHER_COPY, WaitingName, WebhookDelivery
from webhooks.payloads import Transcription
from webhooks.reading import read
from webhooks.replies import Reply, transcription_reply

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


# All columns but the primary key, which PostgreSQL assigns. They are sent as one JSON text; the bodies are sent beside
# it as bytes, as JSON could hold them only as hexadecimal text.
COLUMNS = {
    "route": "text",
    "digest": "text",
    "size_bytes": "bigint",
    "event_type": "text",
    "conversation_id": "text",
    "call_sid": "text",
    "call_id": "bigint",
    "outcome": "text",
    "answer_status": "smallint",
    "answer_body": "jsonb",
    "error": "text",
    "received_at": "timestamptz",
    "times_received": "integer",
    "times_applied": "integer",
    "applied_at": "timestamptz",
}
INSERT = f"""
    INSERT INTO webhooks_webhookdelivery ({", ".join(COLUMNS)}, body)
    SELECT {", ".join(COLUMNS)}, body
    FROM ROWS FROM (
        json_to_recordset(%s) AS ({", ".join(f"{column} {kind}" for column, kind in COLUMNS.items())}),
        unnest(%b::bytea[])
    ) AS given ({", ".join(COLUMNS)}, body)
    ON CONFLICT DO NOTHING
"""  # noqa: S608  (callsite's own names)


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
    delivery = WebhookDelivery.of_request(ROUTE, body)
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
        reply = transcription_reply(call)
        delivery.answer_status, delivery.answer_body = reply.status, reply.body
    insert_deliveries(applied)
    learn_names({call: aliases[key] for key, call in calls.items()})


def _harmless_names(requests: Mapping[str, _Request]) -> dict[str, set[str]]:
    """Return the further names of each conversation's call, if they link no calls and no delivery waits for them."""
    found = nothing_to_link(request.event.call for request in requests.values())
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


def insert_deliveries(deliveries: list[WebhookDelivery]) -> None:
    """Insert new rows; the instances get no primary keys. Raises django.db.Error; the caller then rolls back.

    If another copy of a body comes first, the IntegrityError is raised here: PostgreSQL would log the statement. It
    buys: a post-call webhook of 20 KB costs 1.9 ms of CPU, and 2.2 ms with `bulk_create()`
    (docs/performance/ablation.md).
    """
    if not deliveries:
        return
    rows = [{column: getattr(delivery, column) for column in COLUMNS} for delivery in deliveries]
    if execute(INSERT, [msgspec.json.encode(rows).decode(), [delivery.body for delivery in deliveries]]) < len(rows):
        raise IntegrityError(ANOTHER_COPY)
