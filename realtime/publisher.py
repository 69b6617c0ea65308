"""Ringing the doorbell: a committed change goes into the channel layer, and never holds up who made it.

All of callsite shares one group: a hub drops what nobody of its own listens to faster than Redis could sort it. In a
server process messages leave through one ordered task, and those that wait leave together; elsewhere (management
commands, tests) at once. This process's own doorbells are rung directly, without the way through Redis and back. A
layer that is away costs a message, nothing else: every hub compares itself with the database anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections import deque
from collections.abc import Callable, Sequence

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
    """The task of one event loop that sends what is published, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.id = uuid.uuid4().hex
        self._waiting: deque[Notice] = deque(maxlen=BACKLOG)
        self._woken = False
        self._task: asyncio.Task[None] | None = None

    def put(self, notices: tuple[Notice, ...]) -> None:
        """From any thread. When the backlog is full the oldest goes: its listeners read the database."""
        self._waiting.extend(notices)
        if not self._woken:
            self._woken = True
            self.loop.call_soon_threadsafe(self._wake)

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
own_doorbells: set[Callable[[Sequence[Notice]], None]] = set()  # rung with what this process publishes, in its loop


def attach(loop: asyncio.AbstractEventLoop) -> None:
    """Publish through this loop from now on: the server's, called at its door."""
    global _publisher
    if _publisher is None or _publisher.loop is not loop:
        _publisher = Publisher(loop)


def sender() -> str | None:
    """Says of a message of the channel layer that this process sent it."""
    return _publisher.id if _publisher is not None else None


def publish(*notices: Notice) -> None:
    """Send messages to all hubs. From any thread; never raises for a layer that is away."""
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
