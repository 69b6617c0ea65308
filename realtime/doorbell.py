"""This process's membership in the channel layer: one channel in its groups, whatever state Redis is in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from channels.layers import get_channel_layer

from realtime.publisher import LAYER_ERRORS

logger = logging.getLogger(__name__)
TIMEOUT_SECONDS = 1.0
RETRY_SECONDS = 1.0


class Doorbell:
    """Receives the channel layer's messages for the groups that were joined, and hands each to `heard` once.

    A layer that is away costs a subscriber at most TIMEOUT_SECONDS, once: later ones are told at once that joining does
    not work now, and the hub joins when it does.
    """

    def __init__(self, heard: Callable[[dict[str, Any]], None]) -> None:
        self._heard = heard
        self._channel: str | None = None
        self._lock = asyncio.Lock()  # joining and leaving one group never overtake each other
        self._away_until = 0.0
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    def start(self) -> None:
        """Begin to receive; once begun it stays, and without groups it hears nothing."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._receiving())

    async def join(self, group: str) -> bool:
        """Whether the layer now sends us this group's messages."""
        if self.away:
            return False
        joined = False
        async with self._reaching_the_layer():
            await self._ready.wait()
            await get_channel_layer().group_add(group, self._channel)
            joined = True
        return joined

    async def leave(self, group: str, wanted: Callable[[], bool]) -> None:
        """Stop the layer's messages of a group, unless it is wanted again by then."""
        if self.away or self._channel is None:
            return
        async with self._reaching_the_layer():
            if not wanted():
                await get_channel_layer().group_discard(group, self._channel)

    @property
    def away(self) -> bool:
        return asyncio.get_running_loop().time() < self._away_until

    @contextlib.asynccontextmanager
    async def _reaching_the_layer(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS), self._lock:
                yield
        except LAYER_ERRORS as error:
            self._away_until = asyncio.get_running_loop().time() + RETRY_SECONDS
            logger.warning("The channel layer is away: %s", type(error).__name__)

    async def _receiving(self) -> None:
        layer = get_channel_layer()
        while self._channel is None:
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    self._channel = await layer.new_channel()
            except LAYER_ERRORS as error:
                logger.warning("The channel layer is away: %s", type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
        self._ready.set()
        while True:
            try:
                self._heard(await layer.receive(self._channel))
            except LAYER_ERRORS as error:
                logger.warning("The channel layer is away: %s", type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
