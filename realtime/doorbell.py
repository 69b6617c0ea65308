"""This process's membership in the channel layer: one channel in one group, whatever state Redis is in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from channels.layers import get_channel_layer

from realtime.publisher import GROUP, LAYER_ERRORS, Message, own_doorbells, sender

logger = logging.getLogger(__name__)
TIMEOUT_SECONDS = 1.0
RETRY_SECONDS = 1.0
SETTLE_SECONDS = 0.05
JOIN_AGAIN_SECONDS = 30.0
OWN_BATCHES = 1_000  # that may wait; what comes on top is read from the database
SILENT_SECONDS = 60.0  # between two lines about messages that were not understood


class Doorbell:
    """While it is wanted, hands every message of this process, and of the channel layer, to `heard`, once.

    `joined` is called when the layer has begun (or begun again) to send: what was published before is not heard.
    """

    def __init__(self, heard: Callable[[Message], Awaitable[None]], joined: Callable[[], None]) -> None:
        self._heard, self._joined = heard, joined
        self._wanted = False
        self._changed = asyncio.Event()
        self._member = asyncio.Event()
        self._given_up = False  # somebody waited in vain: the next ones need not, until it is back
        self._channel: str | None = None
        self._own: asyncio.Queue[list[Message]] = asyncio.Queue(OWN_BATCHES)
        self._complained_at = float("-inf")
        self._tasks: list[asyncio.Task[None]] = []

    def want(self, wanted: bool) -> None:
        """Join, or leave, as soon as the layer can be reached."""
        self._wanted = wanted
        self._changed.set()
        if wanted:
            own_doorbells.add(self._ring)
        else:
            own_doorbells.discard(self._ring)
        if not self._tasks:
            self._tasks = [asyncio.create_task(work()) for work in (self._keep_membership, self._hear_own)]

    def _ring(self, batch: list[Message]) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._own.put_nowait(batch)

    async def _hear_own(self) -> None:
        while True:
            await self._hear(await self._own.get())

    async def _hear(self, batch: list[Message]) -> None:
        """A message that is not understood ends nothing: what it would have said is read from the database."""
        for message in batch:
            try:
                await self._heard(message)
            except Exception as error:  # noqa: BLE001  (another version of callsite may send anything)
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        """Say that a message was not understood, and then be silent for a while: there may be thousands."""
        now = asyncio.get_running_loop().time()
        if now - self._complained_at > SILENT_SECONDS:
            self._complained_at = now
            logger.error(
                "A message of the channel layer was not understood; what it says is read from the database",
                exc_info=error,
            )

    async def ready(self) -> None:
        """Return when the layer sends us everything; or, while it is away, all the same: the first after a moment."""
        if not self._member.is_set() and not self._given_up:
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    await self._member.wait()
            except TimeoutError:
                self._given_up = True
                logger.warning("Subscribing without the channel layer, which is away")

    async def _keep_membership(self) -> None:
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    await (self._join() if self._wanted else self._leave())
            except LAYER_ERRORS as error:
                self._member.clear()
                logger.warning("The channel layer is away: %s", type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            except Exception:
                self._member.clear()
                logger.exception("Joining the channel layer failed unexpectedly")
                await asyncio.sleep(RETRY_SECONDS)
                continue
            try:
                async with asyncio.timeout(JOIN_AGAIN_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _join(self) -> None:
        """Also when we are a member already: a layer that keeps memberships in Redis forgets them with it."""
        layer = get_channel_layer()
        if self._channel is None:
            self._channel = await layer.new_channel()
            self._tasks.append(asyncio.create_task(self._receive(self._channel)))
        await layer.group_add(GROUP, self._channel)
        if not self._member.is_set():
            self._member.set()
            self._given_up = False
            self._joined()

    async def _leave(self) -> None:
        if self._channel is not None:
            await get_channel_layer().group_discard(GROUP, self._channel)
            self._member.clear()

    async def _receive(self, channel: str) -> None:
        while True:
            try:
                batch = await get_channel_layer().receive(channel)
            except LAYER_ERRORS as error:
                logger.warning("The channel layer is away: %s", type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            except Exception as error:  # noqa: BLE001  (bytes that are no message, say)
                self._complain(error)
                await asyncio.sleep(SETTLE_SECONDS)  # an error that comes at once, again and again, must cost little
                continue
            try:
                own = sender()
                heard_already = own is not None and batch.get("from") == own
                messages = [] if heard_already else list(batch["messages"])
            except Exception as error:  # noqa: BLE001  (another version of callsite may send anything)
                self._complain(error)
            else:
                await self._hear(messages)
