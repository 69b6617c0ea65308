"""Background work of an event loop: tasks that run to their end, and endless rounds. Failures are logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)
AFTER_FAILURE_SECONDS = 1.0


class Tasks:
    """Keeps a reference to each background task until it ends: asyncio alone lets a task be garbage-collected."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("A task ended unexpectedly: %s", task.get_coro(), exc_info=error)


async def forever(work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` in endless rounds. After an error the next round follows: the promise to subscribers depends on it."""
    while True:
        try:
            await work()
        except Exception:
            logger.exception("A round failed: %s", work)
            await asyncio.sleep(AFTER_FAILURE_SECONDS)
