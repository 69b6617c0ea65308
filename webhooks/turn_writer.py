"""Group commit of live turns: requests that arrive while a transaction runs share the next one.

There is no timer: an idle server writes a turn at once, load makes the batches. Each request is answered after its own
commit. One thread writes, so turns of a call keep the order in which they came.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakKeyDictionary

from django.db import InterfaceError, OperationalError, close_old_connections

from calls.turns import NewTurn, Recorded, record_turns

BATCH = 256
_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="turn-writer")

Outcome = Recorded | Exception


class TurnWriter:
    """The writer of one event loop."""

    def __init__(self) -> None:
        self._waiting: list[tuple[NewTurn, asyncio.Future[Outcome]]] = []
        self._task: asyncio.Task[None] | None = None

    async def write(self, turn: NewTurn) -> Recorded:
        """Store a turn; None when there is no such call. Raises what went wrong with this turn alone."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all())
        outcome = await future
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            outcomes = await loop.run_in_executor(_thread, _record, [turn for turn, _ in batch])
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if not future.done():
                    future.set_result(outcome)


_writers: WeakKeyDictionary[asyncio.AbstractEventLoop, TurnWriter] = WeakKeyDictionary()


def current_writer() -> TurnWriter:
    """The writer of the running event loop: in a server, of the process."""
    loop = asyncio.get_running_loop()
    if loop not in _writers:
        _writers[loop] = TurnWriter()
    return _writers[loop]


def _record(turns: list[NewTurn]) -> list[Outcome]:
    """All together; where that fails, one by one, so that a bad turn never fails its neighbours."""
    close_old_connections()
    try:
        return list(record_turns(turns))
    except (OperationalError, InterfaceError) as error:
        if len(turns) == 1 or is_away(error):
            return [error] * len(turns)
    except Exception as error:  # noqa: BLE001  (whatever it is, somebody waits for an answer)
        if len(turns) == 1:
            return [error]
    finally:
        close_old_connections()
    return [outcome for turn in turns for outcome in _record([turn])]


def is_away(error: Exception) -> bool:
    """No SQLSTATE of a statement: the connection itself is gone, or was never made."""
    state = getattr(error.__cause__, "sqlstate", None)
    return state is None or state[:2] in ("08", "57")
