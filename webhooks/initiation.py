"""Answer conversation-init with 200 within two seconds, whatever goes wrong, as a phone call waits for the reply.

A call that could not be registered in time is registered in the background. Such a request is kept in memory only: the
200 promises a reply, not a row.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from contextvars import Context

from prometheus_client import Counter

from calls.bounds import answered_within
from calls.per_loop import PerLoop
from calls.threads import Threads
from webhooks import journal
from webhooks.errors import DatabaseUnavailable, InvalidPayload
from webhooks.handlers import client_data
from webhooks.inbox import receive
from webhooks.models import WebhookDelivery
from webhooks.reading import identify
from webhooks.replies import Reply
from webhooks.strict_json import decode
from webhooks.tool_payloads import parse_initiation

logger = logging.getLogger(__name__)
ANSWER_SECONDS = 1.5
TRY_SECONDS = 3.0  # per retry
LOCK_TIMEOUT = "500ms"
RETRY_SECONDS = (0.5, 10.0)  # the pause between two rounds of retries: the first, doubled up to the last
KEPT, KEPT_SECONDS = 10_000, 600.0
FAILED_OPEN = Counter(
    "callsite_initiations_failed_open", "conversation-init answered without a registered call, by reason", ["reason"]
)
_threads = Threads("conversation-init", 4)


async def reply_to_initiation(body: bytes) -> Reply:
    """Register the call and answer with its variables. If that fails or takes too long, answer all the same."""
    entry = journal.current()
    try:
        async with answered_within(ANSWER_SECONDS):
            reply = await _register(body)
    except TimeoutError as error:
        entry.fail(DatabaseUnavailable(error))
        reason = "slow"
    except Exception as error:  # noqa: BLE001  (the log line has it)
        entry.fail(error)
        reason = "fault"
    else:
        if reply.status == 200:
            return reply
        reason = "body" if reply.status < 500 else "database"
    FAILED_OPEN.labels(reason).inc()
    identify(WebhookDelivery.Route.CONVERSATION_INIT, body)
    entry.failed_open(reason)
    if reason != "body":  # a malformed body would fail again
        current_retries().keep(body)
    return Reply(200, client_data(_named_call(body)))


async def _register(body: bytes) -> Reply:
    return await _threads.run(lambda: receive(WebhookDelivery.Route.CONVERSATION_INIT, body, lock_timeout=LOCK_TIMEOUT))


def _named_call(body: bytes) -> str:
    """Return the body's call_sid, else its conversation_id, else an empty string."""
    try:
        initiation = parse_initiation(decode(body))
    except InvalidPayload:
        return ""
    return initiation.call_sid or initiation.conversation_id or ""


class Retries:
    """Registrations that are retried in rounds, until they succeed or are older than KEPT_SECONDS.

    If another event has created the call meanwhile, the registration finds that call and succeeds.
    """

    def __init__(self) -> None:
        self.waiting: dict[bytes, tuple[bytes, float]] = {}  # by digest: the body, and when it came (monotonic)
        self._task: asyncio.Task[None] | None = None

    def keep(self, body: bytes) -> None:
        """Retry the registration in a moment. If KEPT registrations wait already, log an error and give it up."""
        if len(self.waiting) >= KEPT:
            logger.error("Gave up the registration of a call: %d wait already", KEPT)
            return
        self.waiting.setdefault(hashlib.sha256(body).digest(), (body, time.monotonic()))
        if self._task is None or self._task.done():
            # in a new context: the deadline of the request does not apply to this task
            self._task = asyncio.get_running_loop().create_task(self._try_all(), context=Context())

    async def _try_all(self) -> None:
        pause, longest = RETRY_SECONDS
        while self.waiting:
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)
            for digest, (body, came_at) in list(self.waiting.items()):  # a failure does not stop the others
                if time.monotonic() - came_at > KEPT_SECONDS:
                    logger.error("Gave up the registration of a call: tried for %d minutes", KEPT_SECONDS / 60)
                    del self.waiting[digest]
                elif await self._succeeds(body):
                    pause, _ = RETRY_SECONDS
                    del self.waiting[digest]

    async def _succeeds(self, body: bytes) -> bool:
        entry = journal.begin(WebhookDelivery.Route.CONVERSATION_INIT, again="it could not be registered in time")
        try:
            async with answered_within(TRY_SECONDS):
                reply = await _register(body)
        except Exception:
            logger.exception("The registration of a call failed once more")
            return False
        if reply.status < 500:
            entry.end()
        return reply.status < 500


current_retries = PerLoop(Retries)  # in a server, one per process
