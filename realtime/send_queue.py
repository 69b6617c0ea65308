"""The send queue of one socket: texts wait in order, up to a limit, and no other socket waits for them."""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from typing import Any

LIMIT_BYTES = 256 * 1024

GONE = (OSError, RuntimeError)  # the client is gone; the consumer will get its disconnect

Send = Callable[[dict[str, Any]], Awaitable[None]]  # ASGI requires any awaitable, which need not be a coroutine


class SendQueue:
    """Writes texts to a socket as fast as it takes them.

    While the socket is writable, `push` writes a text at once: with 1,000 sockets on one call, a delivery costs 15 µs
    of CPU this way, and 17 to 18 µs with a task per text (docs/performance/ablation.md). For a socket that takes
    nothing, at most LIMIT_BYTES wait here, plus the text that exceeds them.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None  # while texts wait to be written
        self._room: asyncio.Event | None = None  # while a caller waits for room
        self._loop = asyncio.get_running_loop()
        self._moved_at = self._loop.time()
        self.closed = False

    @property
    def has_room(self) -> bool:
        return self._bytes < LIMIT_BYTES

    def push(self, text: str) -> None:
        """Queue a text behind the others. A caller with many texts checks `has_room`, or awaits `room`, first."""
        if self.closed:
            return
        if self._task is not None:
            self._waiting.append(text)
            self._bytes += len(text)
            return
        sending = self._send({"type": "websocket.send", "text": text}).__await__()
        try:
            waits_for = next(sending)
        except StopIteration:
            return  # written: the socket was writable
        except GONE:
            self.closed = True
            return
        self._moved_at = self._loop.time()
        self._bytes += len(text)
        rest: Any = _rest(sending, waits_for)  # types.coroutine makes it awaitable
        self._task = self._loop.create_task(self._flush(rest, text))

    async def room(self) -> None:
        """Wait until there is room, or the socket is closed."""
        while not (self.has_room or self.closed):
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()

    def _tell_of_room(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None

    async def drained(self) -> None:
        """Wait until every pushed text is written, or the socket is gone."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def stalled_seconds(self) -> float:
        """Return for how many seconds the socket has taken nothing while texts wait; else 0."""
        return self._loop.time() - self._moved_at if self._task is not None else 0.0

    def close(self) -> None:
        """Drop the waiting texts, and take no more."""
        self.closed = True
        self._waiting.clear()
        self._bytes = 0
        self._tell_of_room()
        if self._task is not None:
            self._task.cancel()

    async def _flush(self, sending: Awaitable[None], text: str) -> None:
        """Finish the write that has begun, then write the texts that came meanwhile."""
        try:
            while True:
                await sending
                self._moved_at = self._loop.time()
                self._bytes -= len(text)
                if self.has_room:
                    self._tell_of_room()
                if not self._waiting:
                    break
                text = self._waiting.popleft()
                sending = self._send({"type": "websocket.send", "text": text})
        except BaseException as error:
            self.closed = True
            self._waiting.clear()
            self._tell_of_room()
            if not isinstance(error, GONE):
                raise
        finally:
            self._task = None


@types.coroutine
def _rest(sending: Generator[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Finish an awaitable that `push` has begun by hand, and that now waits for something."""
    try:
        yield waits_for
    except BaseException as error:
        if hasattr(sending, "throw"):  # a plain iterator may lack it
            sending.throw(error)
        raise
    yield from sending
