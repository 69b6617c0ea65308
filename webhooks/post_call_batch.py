"""Post-call webhooks that come at the same moment are taken in together, in one transaction.

Together go the usual ones: what is first told of a conversation whose call is known. All others, and everything where
anything is in the way, are taken alone. One thread does it: several would fight for the interpreter, and a webhook of
20 KB is mostly work for the interpreter.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from django.db import connection, transaction
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from calls import bulk
from calls.models import Call
from calls.postgres import names
from calls.threads import Threads
from webhooks import journal
from webhooks.batching.group_commit import GroupCommit
from webhooks.errors import DatabaseUnavailable, WebhookError, is_away
from webhooks.handlers import transcription_answer
from webhooks.inbox import DELIVERIES, Answer, new_delivery
from webhooks.journal import Entry
from webhooks.models import WaitingName, WebhookDelivery
from webhooks.payloads import Transcription
from webhooks.reading import identify, read

logger = logging.getLogger(__name__)
ROUTE = WebhookDelivery.Route.POST_CALL
BATCH, BATCHED_MAX_BYTES = 32, 512 * 1024
Item = tuple[bytes, Entry]
_thread = Threads("post-call-batch", 1)
_groups: WeakKeyDictionary[asyncio.AbstractEventLoop, GroupCommit[Item, Answer | None]] = WeakKeyDictionary()


async def take_with_others(body: bytes) -> Answer | None:
    """Take a verified webhook in with those that come meanwhile. None: nothing was done, it has to be taken alone."""
    if len(body) > BATCHED_MAX_BYTES or connection.vendor != "postgresql":
        return None
    loop = asyncio.get_running_loop()
    group = _groups.get(loop)
    if group is None:
        group = _groups[loop] = GroupCommit(_take_in_thread, BATCH)
    return await group.put((body, journal.current()))


async def _take_in_thread(items: list[Item]) -> list[Answer | None]:
    bodies, entries = zip(*items, strict=True)
    return await _thread.run(lambda: take_batch(bodies, entries))


def take_batch(bodies: Sequence[bytes], entries: Sequence[Entry] = ()) -> list[Answer | None]:
    """The answers to those that could be taken in together; what came of each is noted in its entry."""
    entries = entries or [Entry(ROUTE) for _ in bodies]
    noted: dict[bytes, Entry] = {}
    for body, entry in zip(bodies, entries, strict=True):
        entry.step = "connect"
        noted.setdefault(body, entry)
    try:
        with transaction.atomic():
            taken = _take(noted)
    except Exception as error:  # noqa: BLE001  (whatever it is, taken alone it becomes data)
        if is_away(error):
            return [_away(body, entry, error) for body, entry in zip(bodies, entries, strict=True)]
        logger.warning("Post-call webhooks are taken one by one: %s", type(error).__name__)
        return [None] * len(bodies)
    for body, delivery in taken.items():
        noted[body].kept(delivery)
        DELIVERIES.labels(delivery.route, delivery.outcome).inc()
    # of two copies of a body the second is taken alone, and counted
    return [_answer(taken.pop(body, None)) for body in bodies]


def _answer(delivery: WebhookDelivery | None) -> Answer | None:
    return None if delivery is None else Answer(delivery.answer_status, delivery.answer_body)


def _away(body: bytes, entry: Entry, error: Exception) -> Answer:
    away = DatabaseUnavailable(error)
    entry.fail(away)
    journal.under(entry, identify, ROUTE, body)
    return Answer(away.status, away.body())


def _take(noted: Mapping[bytes, Entry]) -> dict[bytes, WebhookDelivery]:
    tellings = _tellings(noted)
    aliases = names.nothing_to_link(event.call for _, event in tellings.values())
    awaited = WaitingName.objects.filter(name__in=set[str]().union(*aliases.values()))
    waiting = set(awaited.values_list("name", flat=True))
    tellings = {k: told for k, told in tellings.items() if k in aliases and waiting.isdisjoint(aliases[k])}
    for delivery, _ in tellings.values():
        noted[bytes(delivery.body)].step = "look up"
    with bound_contextvars(conversation_id=", ".join(tellings)):
        calls = Call.update_post_call_data_of({key: event.data for key, (_, event) in tellings.items()})
        taken = []
        for conversation_id, call in calls.items():
            delivery, _ = tellings[conversation_id]
            entry = noted[bytes(delivery.body)]
            entry.found(call)
            entry.applied(call)
            delivery.call, delivery.outcome = call, WebhookDelivery.Outcome.APPLIED
            delivery.applied_at, delivery.times_applied = timezone.now(), 1
            delivery.answer_status, delivery.answer_body = 200, transcription_answer(call)
            taken.append(delivery)
        bulk.insert(taken)
        names.learn({call: aliases[key] for key, call in calls.items()})
    return {bytes(delivery.body): delivery for delivery in taken}


def _tellings(noted: Mapping[bytes, Entry]) -> dict[str, tuple[WebhookDelivery, Transcription]]:
    """What new bodies tell, by conversation; of several about one conversation the first."""
    for entry in noted.values():
        entry.step = "recognise"
    new = {hashlib.sha256(body).hexdigest(): body for body in noted}
    for digest in WebhookDelivery.objects.filter(route=ROUTE, digest__in=new).values_list("digest", flat=True):
        del new[digest]
    tellings: dict[str, tuple[WebhookDelivery, Transcription]] = {}
    for digest, body in new.items():
        delivery = new_delivery(ROUTE, body, digest)
        with contextlib.suppress(WebhookError):
            event = journal.under(noted[body], read, delivery)
            if isinstance(event, Transcription):
                tellings.setdefault(event.call.conversation_id or "", (delivery, event))
    return tellings
