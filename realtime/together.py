"""Reads that many ask for at the same moment, made as one.

It buys: of 500 sockets that come in at once each costs 0.5 ms of CPU, and 4.0 ms where each is read for alone
(docs/performance/ablation.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping


class Together[Key: Hashable, Answer]:
    """Answers keys by one `read` at a time, of at most `limit` keys; who asks meanwhile shares the next one.

    There is no timer: whoever comes alone is read for at once. `read` returns an answer for each key that has one. If
    it raises, everybody whom it was made for gets the error.
    """

    def __init__(self, read: Callable[[Collection[Key]], Awaitable[Mapping[Key, Answer]]], limit: int = 50) -> None:
        self._read, self._limit = read, limit
        self._asked: dict[Key, asyncio.Future[Answer | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def ask(self, key: Key) -> Answer | None:
        """The answer as of now or later: a read that has begun already is not waited for, but the next one."""
        answer = self._asked.get(key)
        if answer is None:
            answer = self._asked[key] = asyncio.get_running_loop().create_future()
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._read_all())
        return await asyncio.shield(answer)  # one who goes away takes it from nobody else

    async def _read_all(self) -> None:
        while self._asked:
            keys = list(self._asked)[: self._limit]
            asked = {key: self._asked.pop(key) for key in keys}
            try:
                answers = await self._read(keys)
            except Exception as error:  # noqa: BLE001  (any error: each of them waits for an answer)
                for future in asked.values():
                    future.set_exception(error)
                    future.exception()  # they may all have gone away
            else:
                for key, future in asked.items():
                    future.set_result(answers.get(key))
