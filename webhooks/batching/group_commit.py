"""Group commit: requests that arrive while a transaction runs share the next one.

There is no timer: an idle server writes at once, and load makes the batches. Each request is answered after its own
commit. It buys: a live turn of 64 posters costs 0.17 ms of CPU, and 1.0 ms where each has a statement of its own
(docs/performance/ablation.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context

BEHIND = 256  # items that may wait behind one

type Entry[Item, Outcome] = tuple[Item, asyncio.Future[Outcome]]


class GroupCommit[Item, Outcome]:
    """Hands items, in the order in which they came, to `write`. One call of `write` ends before the next begins.

    `write` gets at most `batch` items and returns one outcome per item. If it raises, each of its items gets the error.
    An item whose caller has gone is not written.
    """

    def __init__(self, write: Callable[[list[Item]], Awaitable[list[Outcome]]], batch: int) -> None:
        self._write, self._batch = write, batch
        self._waiting: list[Entry[Item, Outcome]] = []
        self._task: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> Outcome:
        """Write the item with the next batch; return its outcome, or raise the error of its batch."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._line_up(item, future)
        return await future

    def fail_waiting(self, error: Exception) -> None:
        """Raise the error of the present batch for the next batch too, whose items would only wait as long again."""
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            if not future.done():
                future.set_exception(error)

    def _line_up(self, item: Item, future: asyncio.Future[Outcome]) -> None:
        self._waiting.append((item, future))
        self._begin()

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            # in a new context: the deadline of the first request does not apply to the requests after it
            self._task = asyncio.get_running_loop().create_task(self._write_all(), context=Context())

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._batch], self._waiting[self._batch :]
            batch = [entry for entry in batch if not entry[1].done()]
            if not batch:
                continue
            try:
                outcomes = await self._write([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001  (any error: each caller waits for an outcome)
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            self._settle(batch, outcomes)

    def _settle(self, batch: Sequence[Entry[Item, Outcome]], outcomes: Sequence[Outcome]) -> None:
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)


class TooManyWait(Exception):
    """BEHIND items wait behind one already, so another would wait in vain."""


class InOrder[Item, Outcome](GroupCommit[Item, Outcome | None]):
    """A group commit that keeps the order of items which share a key, also if one of them is taken alone.

    An item whose outcome is None is taken alone by its caller, who calls `over` at the end. Until then later items with
    one of its keys wait behind it; then they are written with the next batch. Other items do not wait.
    """

    def __init__(
        self,
        write: Callable[[list[Item]], Awaitable[list[Outcome | None]]],
        batch: int,
        keys: Callable[[Item], Sequence[str]],
    ) -> None:
        super().__init__(write, batch)
        self._keys = keys
        # by key, the items that wait behind one that is taken alone; all keys of that item share one list
        self._behind: dict[str, list[Entry[Item, Outcome | None]]] = {}

    async def put(self, item: Item) -> Outcome | None:
        """Write the item with the next batch; return its outcome, or raise the error of its batch or TooManyWait.

        If the outcome is None, the caller takes the item alone, and calls `over` afterwards.
        """
        future: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
        self._line_up(item, future)
        try:
            return await future
        except asyncio.CancelledError:
            if not future.cancelled() and future.exception() is None and future.result() is None:
                self.over(item)  # the outcome came at the same moment, and the cancelled caller will not see it
            raise

    def over(self, item: Item) -> None:
        """Release the items that wait behind this item, which was taken alone."""
        behind: list[Entry[Item, Outcome | None]] = []
        for key in self._keys(item):
            behind = self._behind.pop(key, behind)
        # ahead of all items that came later; an item may still wait for another of its keys
        self._waiting = [entry for entry in behind if not self._waits(*entry)] + self._waiting
        if self._waiting:
            self._begin()

    def _line_up(self, item: Item, future: asyncio.Future[Outcome | None]) -> None:
        if not (self._behind and self._waits(item, future)):
            super()._line_up(item, future)

    def _waits(self, item: Item, future: asyncio.Future[Outcome | None]) -> bool:
        """Tell whether the item has to wait behind another one. If so, line it up there, or fail it: TooManyWait."""
        behind = next((self._behind[key] for key in self._keys(item) if key in self._behind), None)
        if behind is None or future.done():
            return behind is not None
        if len(behind) >= BEHIND:
            future.set_exception(TooManyWait())
        else:
            behind.append((item, future))
        return True

    def _settle(self, batch: Sequence[Entry[Item, Outcome | None]], outcomes: Sequence[Outcome | None]) -> None:
        if None not in outcomes:
            super()._settle(batch, outcomes)
            return
        for (item, future), outcome in zip(batch, outcomes, strict=True):
            if outcome is None and self._waits(item, future):
                continue
            if not future.done():
                if outcome is None:
                    behind: list[Entry[Item, Outcome | None]] = []
                    self._behind |= dict.fromkeys(self._keys(item), behind)
                future.set_result(outcome)
        # items that wait for a batch line up now, as they came before all later items
        self._waiting = [entry for entry in self._waiting if not self._waits(*entry)]
