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
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from django.db import transaction
from django.utils import timezone

from calls import bulk
from calls.models import Call
from calls.threads import Threads
from webhooks.batching.group_commit import GroupCommit
from webhooks.errors import DatabaseUnavailable, WebhookError, is_away
from webhooks.handlers import transcription_answer
from webhooks.inbox import DELIVERIES, Answer, event_of, new_delivery
from webhooks.models import WebhookDelivery
from webhooks.payloads import Transcription
from webhooks.strict_json import decode

logger = logging.getLogger(__name__)
BATCH, BATCHED_MAX_BYTES = 32, 512 * 1024
_thread = Threads("post-call-batch", 1)
_groups: WeakKeyDictionary[asyncio.AbstractEventLoop, GroupCommit[bytes, Answer | None]] = WeakKeyDictionary()


async def take_with_others(body: bytes) -> Answer | None:
    """Take a verified webhook in with those that come meanwhile. None: nothing was done, it has to be taken alone."""
    if len(body) > BATCHED_MAX_BYTES:
        return None
    loop = asyncio.get_running_loop()
    group = _groups.get(loop)
    if group is None:
        group = _groups[loop] = GroupCommit(_take_in_thread, BATCH)
    return await group.put(body)


async def _take_in_thread(bodies: list[bytes]) -> list[Answer | None]:
    return await _thread.run(lambda: take_batch(bodies))


def take_batch(bodies: Sequence[bytes]) -> list[Answer | None]:
    """The answers to those that could be taken in together."""
    try:
        with transaction.atomic():
            taken = _take(bodies)
    except Exception as error:  # noqa: BLE001  (whatever it is, taken alone it becomes data)
        if is_away(error):
            away = DatabaseUnavailable()
            return [Answer(away.status, away.body())] * len(bodies)
        logger.warning("Post-call webhooks are taken one by one: %s", type(error).__name__)
        return [None] * len(bodies)
    for delivery in taken.values():
        DELIVERIES.labels(delivery.route, delivery.outcome).inc()
    # of two copies of a body the second is taken alone, and counted
    return [_answer(taken.pop(body, None)) for body in bodies]


def _answer(delivery: WebhookDelivery | None) -> Answer | None:
    return None if delivery is None else Answer(delivery.answer_status, delivery.answer_body)


def _take(bodies: Sequence[bytes]) -> dict[bytes, WebhookDelivery]:
    tellings = _tellings(bodies)
    calls = Call.update_post_call_data_of({key: event.data for key, (_, event) in tellings.items()})
    taken = []
    for conversation_id, call in calls.items():
        delivery, _ = tellings[conversation_id]
        delivery.call, delivery.outcome = call, WebhookDelivery.Outcome.APPLIED
        delivery.applied_at, delivery.times_applied = timezone.now(), 1
        delivery.answer_status, delivery.answer_body = 200, transcription_answer(call)
        taken.append(delivery)
    bulk.insert(taken)
    return {bytes(delivery.body): delivery for delivery in taken}


def _tellings(bodies: Sequence[bytes]) -> dict[str, tuple[WebhookDelivery, Transcription]]:
    """What new bodies tell, by conversation; of several about one conversation the first."""
    route = WebhookDelivery.Route.POST_CALL
    new = {hashlib.sha256(body).hexdigest(): body for body in bodies}
    for digest in WebhookDelivery.objects.filter(route=route, digest__in=new).values_list("digest", flat=True):
        del new[digest]
    tellings: dict[str, tuple[WebhookDelivery, Transcription]] = {}
    for digest, body in new.items():
        delivery = new_delivery(route, body, digest)
        with contextlib.suppress(WebhookError):
            event = event_of(delivery, decode(body))
            if isinstance(event, Transcription):
                tellings.setdefault(event.call.conversation_id, (delivery, event))
    return tellings
