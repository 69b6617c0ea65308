"""Group commit: requests that arrive while a transaction runs share the next one.

There is no timer: an idle server writes at once, and load makes the batches. Each request is answered after its own
commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class GroupCommit[Item, Outcome]:
    """Hands items, in the order in which they came, to `write`. One call of `write` ends before the next begins.

    `write` gets at most `batch` items and returns one outcome per item. If it raises, each of its items gets the error.
    """

    def __init__(self, write: Callable[[list[Item]], Awaitable[list[Outcome]]], batch: int) -> None:
        self._write, self._batch = write, batch
        self._waiting: list[tuple[Item, asyncio.Future[Outcome]]] = []
        self._task: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> Outcome:
        """Write the item with the next batch; return its outcome, or raise the error of its batch."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all())
        return await future

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._batch], self._waiting[self._batch :]
            try:
                outcomes = await self._write([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001  (any error: each caller waits for an outcome)
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if not future.done():
                    future.set_result(outcome)
