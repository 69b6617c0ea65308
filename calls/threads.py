"""Threads for blocking work outside of the event loop. Each kind of work has its own, so no kind waits for another."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from django.db import close_old_connections

from calls.bounds import within

LONGEST_SECONDS = 40.0  # longer than PostgreSQL may work on one statement


class Threads:
    """A few threads for one kind of work. Each takes at most one connection from the pool, and gives it back."""

    of_this_process: ClassVar[list[Threads]] = []

    def __init__(self, name: str, count: int) -> None:
        self.name, self.count = name, count
        self._executor = ThreadPoolExecutor(max_workers=count, thread_name_prefix=name)
        self.of_this_process.append(self)

    async def run[Result](self, work: Callable[[], Result]) -> Result:
        """Run `work` in a thread, in the caller's context; raise what `work` raises.

        Cancelling the caller does not stop work that has begun. Under `answered_within`, such work ends at its next
        wait for PostgreSQL after the time is over. Work that has not begun never runs.
        """
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._executor, context.run, _do, work)


def _do[Result](work: Callable[[], Result]) -> Result:
    with within(LONGEST_SECONDS):
        close_old_connections()
        try:
            return work()
        finally:
            close_old_connections()
