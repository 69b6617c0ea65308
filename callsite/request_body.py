"""Read request bodies: each within a deadline and its route's limit, all together within a budget."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Self

from callsite import memory
from webhooks.models import LARGE_BYTES

Receive = Callable[[], Awaitable[dict[str, Any]]]
Headers = Iterable[tuple[bytes, bytes]]

DEADLINE_SECONDS = 30.0  # from the headers to the last byte
FREE_BYTES = 64 * 1024  # per body, outside of the budget: usual bodies never wait for room
BUDGET_BYTES = 128 * 2**20  # two of the largest: webhooks.large_bodies applies two at a time
STALL_SECONDS = 10.0  # the longest pause of a large body's sender, as that body takes room from others


class BodyError(Exception):
    """The body was not read to its end. `status` is the reply's status; `fix` tells the sender what to do."""

    def __init__(self, status: int, message: str, fix: str) -> None:
        super().__init__(message)
        self.status, self.message, self.fix = status, message, fix


class BodyTooLarge(BodyError):
    def __init__(self, limit_bytes: int) -> None:
        super().__init__(413, f"Body larger than {limit_bytes} bytes", f"Send at most {limit_bytes} bytes.")


class ClientGone(Exception):
    """The client went away, so nobody gets a reply."""


class Budget:
    """The bytes of all large bodies in flight. When they reach the limit, reading pauses until other bodies are done.

    The oldest large body never pauses, so bodies cannot wait for each other in a circle.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0
        self.large: dict[BodyReader, None] = {}  # in the order in which they became large
        self._changed = asyncio.Event()

    def take(self, reader: BodyReader, size: int) -> None:
        self.large.setdefault(reader)
        self.held += size

    def give_back(self, reader: BodyReader, size: int) -> None:
        if reader in self.large:
            del self.large[reader]
            self.held -= size
            self._changed.set()
            self._changed = asyncio.Event()

    def has_room_for(self, reader: BodyReader) -> bool:
        return self.held < self.limit or next(iter(self.large), reader) is reader

    async def room(self, reader: BodyReader) -> None:
        while not self.has_room_for(reader):
            await self._changed.wait()


BUDGET = Budget(BUDGET_BYTES)


class BodyReader:
    """Reads the body of one request. The body is in flight until the `with` block ends."""

    def __init__(self, receive: Receive, headers: Headers, budget: Budget = BUDGET) -> None:
        self._receive, self._headers, self._budget = receive, headers, budget
        self._size = 0
        self._charged = 0
        self._was_paused = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._budget.give_back(self, self._charged)
        if self._size > LARGE_BYTES:
            memory.give_back()

    async def read(self, limit: int) -> bytes:
        """Return the body. `limit` is in bytes; 0 means none.

        Raises ClientGone, or BodyError: 413 above the limit, 408 after the deadline, 503 if there was no room.
        """
        if limit and _announced_size(self._headers) > limit:
            raise BodyTooLarge(limit)
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await self._read(limit)
        except TimeoutError:
            if self._was_paused:
                raise BodyError(503, "Too many large bodies at once", "Send it again in a moment.") from None
            raise BodyError(
                408, "The body did not come in time", f"Send a body within {DEADLINE_SECONDS:.0f} seconds."
            ) from None

    async def _read(self, limit: int) -> bytes:
        pieces = io.BytesIO()  # grows in place, and gives its bytes away without a copy
        while True:
            message = await self._next()
            if message["type"] == "http.disconnect":
                raise ClientGone
            piece: bytes = message.get("body", b"")
            self._size += len(piece)
            if limit and self._size > limit:
                raise BodyTooLarge(limit)
            is_last = not message.get("more_body", False)
            if is_last and self._size == len(piece):
                return piece
            pieces.write(piece)
            if is_last:
                return pieces.getvalue()
            if self._size > FREE_BYTES:
                await self._charge()

    async def _next(self) -> dict[str, Any]:
        if not self._charged:
            return await self._receive()
        async with asyncio.timeout(STALL_SECONDS):
            return await self._receive()

    async def _charge(self) -> None:
        """Charge the bytes above the free ones to the budget. Until there is room, TCP makes the sender wait."""
        self._budget.take(self, self._size - FREE_BYTES - self._charged)
        self._charged = self._size - FREE_BYTES
        if not self._budget.has_room_for(self):
            self._was_paused = True
            await self._budget.room(self)


def _announced_size(headers: Headers) -> int:
    """Return Content-Length, or 0 without one. The server has refused a value that is no number."""
    return next((int(value) for name, value in headers if name == b"content-length" and value.isdigit()), 0)
