"""What waits to be written to one socket: bounded, in order, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from typing import Any

LIMIT_BYTES = 256 * 1024

GONE = (OSError, RuntimeError)  # the client is gone, its disconnect is on its way to the consumer

Send = Callable[[dict[str, Any]], Awaitable[None]]  # ASGI asks for no coroutine, only for what can be awaited


class SendQueue:
    """Writes texts to a socket as fast as it takes them.

    While the socket is writable a text is written at once, within `push`: a task a text would cost more than the
    writing. A socket that does not take its texts keeps at most LIMIT_BYTES (and the one text above) here.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None  # while something waits to be written
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
        return self._loop.time() - self._moved_at if self._task is not None else 0.0

    def close(self) -> None:
        """Forget what waits, and take nothing more."""
        self.closed = True
        self._waiting.clear()
        self._bytes = 0
        self._tell_of_room()
        if self._task is not None:
            self._task.cancel()

    async def _flush(self, sending: Awaitable[None], text: str) -> None:
        """Write what is being sent, and all that came behind it meanwhile."""
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
    """What is left of an awaitable that was begun by hand, and now waits for something."""
    try:
        yield waits_for
    except BaseException as error:
        if hasattr(sending, "throw"):  # an iterator need not have it
            sending.throw(error)
        raise
    yield from sending
