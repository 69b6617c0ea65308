"""One read for many callers that ask at the same moment.

It buys: of 500 sockets that come in at once each costs 0.5 ms of CPU, and 4.0 ms where each has a read of its own
(docs/performance/ablation.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping


class Together[Key: Hashable, Answer]:
    """Answers keys with one `read` at a time, of at most `limit` keys. Callers that ask during a read share the next.

    There is no timer: for a single caller the read begins at once. `read` returns an answer for each key that has one.
    If `read` raises, each of its callers gets the error.
    """

    def __init__(self, read: Callable[[Collection[Key]], Awaitable[Mapping[Key, Answer]]], limit: int = 50) -> None:
        self._read, self._limit = read, limit
        self._asked: dict[Key, asyncio.Future[Answer | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def ask(self, key: Key) -> Answer | None:
        """Return the answer to a key, or None. The answer is from a read that begins after this call.

        Raises what `read` raises.
        """
        answer = self._asked.get(key)
        if answer is None:
            answer = self._asked[key] = asyncio.get_running_loop().create_future()
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._read_all())
        return await asyncio.shield(answer)  # a cancelled caller takes the answer from no other

    async def _read_all(self) -> None:
        while self._asked:
            keys = list(self._asked)[: self._limit]
            asked = {key: self._asked.pop(key) for key in keys}
            try:
                answers = await self._read(keys)
            except Exception as error:  # noqa: BLE001  (any error: each caller waits for an answer)
                for future in asked.values():
                    future.set_exception(error)
                    future.exception()  # counts as retrieved: all callers may be gone
            else:
                for key, future in asked.items():
                    future.set_result(answers.get(key))
