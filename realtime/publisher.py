"""Publishes committed changes to the channel layer, without making the writer wait.

All processes share one group: a hub drops notices that none of its sockets needs faster than Redis could sort them.
In a server, one task sends the notices in order, and sends waiting notices in one message. It buys time: sent alone, a
notice costs the process 65 µs, in a message with ten 7, in one with 200 1 (the task by itself, with Redis). One by one
it would fall behind 64 posters and drop notices, so that listeners wait until a hub compares itself with the database;
what is dropped costs no CPU, so docs/performance/ablation.md shows no difference. Elsewhere (management commands,
tests) each notice is sent at once. Doorbells of this process ring directly, without Redis. A layer that is
away loses notices and nothing else, because every hub compares itself with the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from realtime.messages import Batch, Notice

logger = logging.getLogger(__name__)
GROUP = "calls"
SEND_TIMEOUT_SECONDS = 2
BACKLOG = 10_000
BATCH = 200
LAYER_ERRORS = (OSError, TimeoutError, RedisError)


class Publisher:
    """The task of one event loop that sends notices, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.id = uuid.uuid4().hex
        self._waiting: deque[Notice] = deque(maxlen=BACKLOG)
        self._woken = False
        self._task: asyncio.Task[None] | None = None

    def put(self, notices: tuple[Notice, ...]) -> None:
        """Queue notices, from any thread. A full backlog drops the oldest notices: hubs and feeds read the database."""
        self._waiting.extend(notices)
        if not self._woken:
            self._woken = True
            # the task sends notices of many callers: ids that one caller bound to its log lines must not reach it
            self.loop.call_soon_threadsafe(self._wake, context=Context())

    def _wake(self) -> None:
        self._woken = False
        if self._task is None or self._task.done():
            self._task = self.loop.create_task(self._send_all())

    async def _send_all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            if not await _send(batch):
                self._waiting.clear()


_publisher: Publisher | None = None
own_doorbells: set[Callable[[Sequence[Notice]], None]] = set()  # called in the loop with the notices of this process


def attach(loop: asyncio.AbstractEventLoop) -> None:
    """Publish through this loop from now on. The server calls it with its own loop."""
    global _publisher
    if _publisher is None or _publisher.loop is not loop:
        _publisher = Publisher(loop)


def sender() -> str | None:
    """Return the id by which this process recognises its own messages in the channel layer."""
    return _publisher.id if _publisher is not None else None


def publish(*notices: Notice) -> None:
    """Send notices to all hubs and feeds, from any thread. A layer that is away raises nothing."""
    publisher = _publisher
    if publisher is not None and publisher.loop.is_running():
        with contextlib.suppress(RuntimeError):  # the loop is closing: the process ends
            publisher.put(notices)
    else:
        async_to_sync(_send)(list(notices))


async def _send(notices: list[Notice]) -> bool:
    for ring in own_doorbells:
        ring(notices)
    batch: Batch = {"type": "batch", "from": sender(), "messages": notices}
    try:
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            await get_channel_layer().group_send(GROUP, batch)
    except LAYER_ERRORS as error:
        logger.warning("The channel layer is away, listeners will read the database: %s", type(error).__name__)
        return False
    except Exception:
        logger.exception("Publishing failed unexpectedly, listeners will read the database")
        return False
    return True
