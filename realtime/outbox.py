"""What waits to be written to one socket: bounded, in order, never waited for by anybody else."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

LIMIT_BYTES = 256 * 1024

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Outbox:
    """Writes texts to a socket as fast as it takes them.

    While the socket is writable a text is written at once, without a task switch: the flushing task starts eagerly and
    ends within `push`. A socket that does not take its texts keeps at most LIMIT_BYTES (and the one text above) here.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._loop = asyncio.get_running_loop()
        self._moved_at = self._loop.time()
        self.closed = False

    @property
    def has_room(self) -> bool:
        return self._bytes < LIMIT_BYTES

    def push(self, text: str) -> None:
        """Queue a text behind the others. Who sends many asks `has_room`, or waits for `room`, first."""
        if self.closed:
            return
        if not self._waiting:
            self._moved_at = self._loop.time()
        self._waiting.append(text)
        self._bytes += len(text)
        if not self.has_room:
            self._room.clear()
        if self._task is None or self._task.done():
            self._task = asyncio.Task(self._flush(), loop=self._loop, eager_start=True)

    async def room(self) -> None:
        """Return when there is room, or nothing will ever be written again."""
        await self._room.wait()

    async def drained(self) -> None:
        """Return when all that was pushed is written, or never will be."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def stalled_seconds(self) -> float:
        """For how long the socket has taken nothing although something waits."""
        return self._loop.time() - self._moved_at if self._waiting else 0.0

    def close(self) -> None:
        """Forget what waits, and take nothing more."""
        self.closed = True
        self._waiting.clear()
        self._bytes = 0
        self._room.set()
        if self._task is not None:
            self._task.cancel()

    async def _flush(self) -> None:
        while self._waiting:
            text = self._waiting.popleft()
            try:
                await self._send({"type": "websocket.send", "text": text})
            except (OSError, RuntimeError):  # the client is gone, its disconnect is on its way to the consumer
                self.closed = True
                self._waiting.clear()
                self._room.set()
                return
            self._moved_at = self._loop.time()
            self._bytes -= len(text)
            if self.has_room:
                self._room.set()
