"""Ringing the doorbell: a committed change goes into the channel layer, and never holds up who made it.

In a server process messages leave through one ordered task; elsewhere (management commands, tests) at once. A layer
that is away costs a message, nothing else: every hub compares itself with the database anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)
SEND_TIMEOUT_SECONDS = 2
BACKLOG = 10_000
LAYER_ERRORS = (OSError, TimeoutError, RedisError)


class Publisher:
    """The task of one event loop that sends what is published, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque(maxlen=BACKLOG)
        self._task: asyncio.Task[None] | None = None

    def put(self, group: str, message: dict[str, Any]) -> None:
        """From the loop's own thread. When the backlog is full the oldest goes: its listeners read the database."""
        self._waiting.append((group, message))
        if self._task is None or self._task.done():
            self._task = self.loop.create_task(self._send_all())

    async def _send_all(self) -> None:
        while self._waiting:
            if not await _send(*self._waiting.popleft()):
                self._waiting.clear()


_publisher: Publisher | None = None


def attach(loop: asyncio.AbstractEventLoop) -> None:
    """Publish through this loop from now on: the server's, called at its door."""
    global _publisher
    if _publisher is None or _publisher.loop is not loop:
        _publisher = Publisher(loop)


def publish(group: str, message: dict[str, Any]) -> None:
    """Send a message to the hubs that listen to `group`. From any thread; never raises for a layer that is away."""
    publisher = _publisher
    if publisher is not None and publisher.loop.is_running():
        with contextlib.suppress(RuntimeError):  # the loop is closing: the process ends
            publisher.loop.call_soon_threadsafe(publisher.put, group, message)
    else:
        async_to_sync(_send)(group, message)


def later(seconds: float, act: Callable[[], None]) -> None:
    """Do something in a moment, in the server's loop; at once where no server runs. From any thread."""
    publisher = _publisher
    if publisher is not None and publisher.loop.is_running():
        with contextlib.suppress(RuntimeError):  # the loop is closing: the process ends
            publisher.loop.call_soon_threadsafe(publisher.loop.call_later, seconds, act)
    else:
        act()


async def _send(group: str, message: dict[str, Any]) -> bool:
    try:
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            await get_channel_layer().group_send(group, message)
    except LAYER_ERRORS as error:
        logger.warning("The channel layer is away, listeners will read the database: %s", type(error).__name__)
        return False
    return True
