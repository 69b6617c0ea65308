"""The membership of this process in the channel layer: one channel in one group, whatever state Redis is in.

A message is a doorbell, not the truth: where a message is lost or not understood, callsite reads the database.

A process hears its own notices directly. That saves no CPU, but time: from POST to receipt takes 1.4 times as long by
way of Redis (docs/performance/ablation.md), and without Redis up to 2 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any, Protocol

from channels.layers import get_channel_layer

from calls.per_loop import PerLoop
from realtime.messages import Notice
from realtime.publisher import GROUP, LAYER_ERRORS, own_doorbells, sender

logger = logging.getLogger(__name__)
TIMEOUT_SECONDS = 1.0
RETRY_SECONDS = 1.0
STRAY_SECONDS = 0.05  # after an unreadable message: an error that repeats at once must cost little CPU
JOIN_AGAIN_SECONDS = 30.0
OWN_BATCHES = 1_000  # that may wait; a batch above the limit is dropped, and its changes are read from the database
SILENT_SECONDS = 60.0  # between two log lines about messages that were not understood


class Ear(Protocol):
    """An object that hears the doorbell: the hub, or a feed."""

    async def heard(self, notice: Notice) -> None:
        """Take a change that this process or another one published."""

    def joined(self) -> None:
        """Learn that the layer has begun (or begun again) to send: notices published before were not heard."""


class Doorbell:
    """Hands every notice, of this process and of the channel layer, to each of its ears once."""

    def __init__(self) -> None:
        self._ears: list[Ear] = []
        self._changed = asyncio.Event()
        self._member = asyncio.Event()
        self._given_up = False  # a caller waited in vain: later callers do not wait until the layer is back
        self._channel: str | None = None
        self._own: asyncio.Queue[Sequence[Notice]] = asyncio.Queue(OWN_BATCHES)
        self._complained_at = float("-inf")
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, ear: Ear) -> None:
        """Ring for `ear` from now on. With the first ear, the process joins the layer as soon as it can."""
        self._ears.append(ear)
        own_doorbells.add(self._ring)
        self._changed.set()
        if not self._tasks:
            self._tasks = [asyncio.create_task(work()) for work in (self._keep_membership, self._hear_own)]

    def remove(self, ear: Ear) -> None:
        """Stop ringing for `ear`. Without ears, the process leaves the layer."""
        self._ears.remove(ear)
        if not self._ears:
            own_doorbells.discard(self._ring)
            self._changed.set()

    async def ready(self) -> None:
        """Wait until joined. If the layer is down, the first caller waits TIMEOUT_SECONDS, later ones do not wait."""
        if not self._member.is_set() and not self._given_up:
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    await self._member.wait()
            except TimeoutError:
                self._given_up = True
                logger.warning("Subscribing without the channel layer, which is away")

    @property
    def is_member(self) -> bool:
        return self._member.is_set()

    # --- notices ----------------------------------------------------------------------------------------------

    def _ring(self, notices: Sequence[Notice]) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._own.put_nowait(notices)

    async def _hear_own(self) -> None:
        while True:
            await self._hear(await self._own.get())

    async def _receive(self, channel: str) -> None:
        while True:
            try:
                batch = await get_channel_layer().receive(channel)
            except LAYER_ERRORS as error:
                logger.warning("The channel layer is away: %s", type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001  (for example bytes that are no message)
                self._complain(error)
                await asyncio.sleep(STRAY_SECONDS)
            else:
                await self._hear(self._notices_of_others(batch))

    def _notices_of_others(self, batch: Any) -> Sequence[Notice]:
        """Return the notices of another process's batch; none of an own batch, which was heard directly."""
        try:
            own = sender()
            return [] if own is not None and batch.get("from") == own else list(batch["messages"])
        except Exception as error:  # noqa: BLE001  (another version of callsite may send anything)
            self._complain(error)
            return []

    async def _hear(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            for ear in list(self._ears):
                try:
                    await ear.heard(notice)
                except Exception as error:  # noqa: BLE001  (another version of callsite may send anything)
                    self._complain(error)

    def _complain(self, error: Exception) -> None:
        """Log that a message was not understood, at most once per SILENT_SECONDS: there may be thousands."""
        now = asyncio.get_running_loop().time()
        if now - self._complained_at > SILENT_SECONDS:
            self._complained_at = now
            logger.error(
                "A message of the channel layer was not understood; what it says is read from the database",
                exc_info=error,
            )

    # --- membership -------------------------------------------------------------------------------------------

    async def _keep_membership(self) -> None:
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    await (self._join() if self._ears else self._leave())
            except LAYER_ERRORS as error:
                logger.warning("The channel layer is away: %s", type(error).__name__)
            except Exception:
                logger.exception("Joining the channel layer failed unexpectedly")
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(JOIN_AGAIN_SECONDS):
                        await self._changed.wait()
                continue
            self._member.clear()
            await asyncio.sleep(RETRY_SECONDS)

    async def _join(self) -> None:
        """Join the group, even as a member: a layer that keeps memberships in Redis forgets them when Redis does."""
        layer = get_channel_layer()
        if self._channel is None:
            self._channel = await layer.new_channel()
            self._tasks.append(asyncio.create_task(self._receive(self._channel)))
        await layer.group_add(GROUP, self._channel)
        if not self._member.is_set():
            self._member.set()
            self._given_up = False
            for ear in self._ears:
                ear.joined()

    async def _leave(self) -> None:
        if self._channel is not None:
            await get_channel_layer().group_discard(GROUP, self._channel)
            self._member.clear()


current_doorbell = PerLoop(Doorbell)
