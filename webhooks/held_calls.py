"""Webhooks whose call somebody holds wait here: each call in one thread, all of them in a few of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakValueDictionary

from calls.bounds import answered_within
from calls.per_loop import PerLoop
from calls.threads import Threads
from webhooks.answers import Answer
from webhooks.errors import DatabaseUnavailable

LIMIT = 100  # webhooks that may wait; more are told at once to come again
LONGEST_SECONDS = 5.5  # PostgreSQL waits 5 s for a lock
_threads = Threads("held-calls", 4)


class Held(Exception):
    """Somebody holds the call, or the table. `name`: of the call, where it is known; `error`: the database's.

    `was_cut_short`: the lock was waited for only a moment, so waiting longer may help.
    """

    def __init__(self, name: str, error: Exception, was_cut_short: bool) -> None:
        super().__init__(name)
        self.name, self.error, self.was_cut_short = name, error, was_cut_short


class HeldCalls:
    """Those of one event loop."""

    def __init__(self) -> None:
        self._locks = WeakValueDictionary[str, asyncio.Lock]()
        self._waiting = 0

    async def wait(self, name: str, work: Callable[[], Answer]) -> Answer:
        """Do `work`, which may wait for the call, behind what waits for it already.

        Raises DatabaseUnavailable where that takes too long, or where too many wait.
        """
        if self._waiting >= LIMIT:
            raise DatabaseUnavailable
        self._waiting += 1
        try:
            async with answered_within(LONGEST_SECONDS), self._locks.setdefault(name, asyncio.Lock()):
                return await _threads.run(work)
        except TimeoutError as error:
            raise DatabaseUnavailable(error) from error
        finally:
            self._waiting -= 1


current_held_calls = PerLoop(HeldCalls)
