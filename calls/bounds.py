"""The time limit of the present work. Every wait for PostgreSQL obeys it, so that a silent server holds nobody up.

PostgreSQL's own time-outs (`calls.postgres.session`) bound what PostgreSQL does itself, such as waiting for a lock.
They do not help if its host or its processes stand still.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextvars import ContextVar
from types import TracebackType
from typing import Any

import psycopg
from psycopg.abc import PQGen

_ends_at: ContextVar[float] = ContextVar("ends_at", default=math.inf)


class within:
    """A time limit, in seconds, for every wait for PostgreSQL inside the block.

    It also holds in threads that work for this context. After that time each use of the connection raises an
    OperationalError, so work that is not committed by then never is.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._token = _ends_at.set(min(time.monotonic() + self._seconds, _ends_at.get()))

    def __exit__(self, *error: object) -> None:
        _ends_at.reset(self._token)


class answered_within(within):
    """The limit of `within` for a coroutine, which is also cancelled when the time is over. Raises TimeoutError."""

    async def __aenter__(self) -> None:
        self.__enter__()
        self._timeout = asyncio.timeout(self._seconds)
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.__exit__()
        await self._timeout.__aexit__(kind, error, at)


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that waits no longer than the time limit of the present work, and then closes itself."""

    def wait[Result](self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        try:
            return super().wait(gen, interval, _seconds_left(timeout))
        except psycopg.OperationalError:
            if _is_over():
                self.close()
            raise


class BoundedAsyncConnection(psycopg.AsyncConnection[Any]):
    """A `BoundedConnection` for an event loop."""

    async def wait[Result](  # psycopg's own signature
        self,
        gen: PQGen[Result],
        interval: float = 0.1,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Result:
        try:
            return await super().wait(gen, interval, _seconds_left(timeout))
        except psycopg.OperationalError:
            if _is_over():
                await self.close()
            raise


def _seconds_left(timeout: float | None) -> float | None:
    if _ends_at.get() == math.inf:
        return timeout
    if _is_over():
        raise psycopg.OperationalError("no time is left to ask PostgreSQL")
    left = _ends_at.get() - time.monotonic()
    return left if timeout is None else min(left, timeout)


def _is_over() -> bool:
    return time.monotonic() >= _ends_at.get()
