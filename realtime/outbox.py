"""What waits to be written to one socket: bounded, in order, never waited for by anybody else."""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

LIMIT_BYTES = 256 * 1024

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Outbox:
    """Writes texts to a socket as fast as it takes them.

    While the socket is writable a text is written at once, within `push`: a task a text would cost more than the
    writing. A socket that does not take its texts keeps at most LIMIT_BYTES (and the one text above) here.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._flushing = False
        self._room: asyncio.Event | None = None  # while somebody waits for it
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
        if not self._flushing:
            self._flushing = True
            self._start(self._flush())

    def _start(self, flush: Coroutine[Any, Any, None]) -> None:
        """Run it here as far as it goes: to its end, while the socket is writable; else a task goes on with it."""
        try:
            waits_for = flush.send(None)
        except StopIteration:
            return
        self._task = self._loop.create_task(_go_on(flush, waits_for))

    async def room(self) -> None:
        """Return when there is room, or nothing will ever be written again."""
        while not (self.has_room or self.closed):
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()

    def _tell_of_room(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None

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
        self._tell_of_room()
        if self._task is not None:
            self._task.cancel()

    async def _flush(self) -> None:
        try:
            while self._waiting:
                text = self._waiting.popleft()
                await self._send({"type": "websocket.send", "text": text})
                self._moved_at = self._loop.time()
                self._bytes -= len(text)
                if self.has_room:
                    self._tell_of_room()
        except (OSError, RuntimeError):  # the client is gone, its disconnect is on its way to the consumer
            self.closed = True
            self._waiting.clear()
            self._tell_of_room()
        finally:
            self._flushing = False


async def _go_on(flush: Coroutine[Any, Any, None], waits_for: Any) -> None:
    """What is left of a coroutine that was begun by hand, and now waits for something."""
    await _rest(flush, waits_for)  # type: ignore[misc]  # types.coroutine makes it awaitable


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    try:
        yield waits_for
    except BaseException as error:
        coroutine.throw(error)
        raise
    yield from coroutine
