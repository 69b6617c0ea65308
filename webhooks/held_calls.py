"""Webhooks whose call is locked wait here: one at a time per call, in a few threads that do nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakValueDictionary

from calls.bounds import answered_within
from calls.per_loop import PerLoop
from calls.threads import Threads
from webhooks.errors import DatabaseUnavailable
from webhooks.replies import Reply

LIMIT = 100  # webhooks that may wait; the senders of others are told at once to try again
LONGEST_SECONDS = 5.5  # PostgreSQL waits 5 s for a lock
_threads = Threads("held-calls", 4)


class Held(Exception):
    """Another transaction holds the call, or the table.

    `name`: a name of the call, or the body's digest if no name is known. `error`: the database's error.
    `was_cut_short`: the request waited for the lock only a moment, so a longer wait may help.
    """

    def __init__(self, name: str, error: Exception, was_cut_short: bool) -> None:
        super().__init__(name)
        self.name, self.error, self.was_cut_short = name, error, was_cut_short


class HeldCalls:
    """The webhooks of one event loop that wait for a locked call."""

    def __init__(self) -> None:
        self._locks = WeakValueDictionary[str, asyncio.Lock]()
        self._waiting = 0

    async def wait(self, name: str, work: Callable[[], Reply]) -> Reply:
        """Run `work`, which may wait for the call's lock, after the webhooks that already wait for the same call.

        Raises DatabaseUnavailable after LONGEST_SECONDS, or at once if LIMIT webhooks wait.
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
