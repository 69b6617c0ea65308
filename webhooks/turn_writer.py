"""Group commit of live turns. One batch at a time, so turns of a call keep the order in which they came.

Under a server that announces its start and end, and on PostgreSQL, the writer has a connection of its own in the event
loop: a thread would have to be woken for every batch, and would fight with the loop for the interpreter. Elsewhere, and
whenever anything is in the way, a thread does the same through Django's connection.
"""

from __future__ import annotations

import asyncio
import logging
import select
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection

from calls.threads import Threads
from calls.turn_store import NewTurn, Recorded
from calls.turns import record_turns, record_turns_through
from webhooks.errors import is_away
from webhooks.group_commit import GroupCommit

logger = logging.getLogger(__name__)
BATCH = 256
_thread = Threads("turn-writer", 1)

Outcome = Recorded | Exception


class TurnWriter:
    """The writer of one event loop."""

    def __init__(self) -> None:
        self._group = GroupCommit[NewTurn, Outcome](self._record, BATCH)
        self._serving = False
        self._own: psycopg.AsyncConnection | None = None

    async def write(self, turn: NewTurn) -> Recorded:
        """Store a turn; None when there is no such call. Raises what went wrong with this turn alone."""
        outcome = await self._group.put(turn)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def begin(self) -> None:
        """The server has started: a connection of the writer's own is closed with `end`."""
        self._serving = connection.vendor == "postgresql"

    async def end(self) -> None:
        """The server has answered everybody and stops."""
        self._serving = False
        await self._hang_up()

    async def _record(self, turns: list[NewTurn]) -> list[Outcome]:
        if self._serving:
            try:
                own = await self._connection()
            except psycopg.Error as error:
                logger.warning("The turn writer has no connection: %s", type(error).__name__)
                await self._hang_up()
                return await self._record_in_thread(turns)
            try:
                with connection.wrap_database_errors:
                    return list(await record_turns_through(own, turns))
            except Exception as error:  # noqa: BLE001  (whatever it is, somebody waits for an answer)
                if is_away(error):
                    await self._hang_up()
                    return [error] * len(turns)
                logger.warning("Live turns go through a thread: %s", type(error).__name__)
        return await self._record_in_thread(turns)

    async def _record_in_thread(self, turns: list[NewTurn]) -> list[Outcome]:
        return await _thread.run(lambda: _record(turns))

    async def _connection(self) -> psycopg.AsyncConnection:
        """One that lives: what PostgreSQL closed while nobody used it is opened again."""
        if self._own is not None and _can_be_read(self._own.fileno()):
            await self._hang_up()  # nothing was asked, so what can be read is its end
        if self._own is None:
            # one statement, planned once, as planning it takes as long as storing ten turns; so it must not be planned
            # for tables that are still empty
            parameters = connection.get_connection_params() | {"autocommit": True, "prepare_threshold": 0}
            parameters["options"] = f"{parameters.get('options', '')} -c timezone=UTC -c enable_seqscan=off"
            for ours in ("cursor_factory", "context"):  # Django's, for its own cursors
                del parameters[ours]
            self._own = await psycopg.AsyncConnection.connect(**parameters)
        return self._own

    async def _hang_up(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            await own.close()


_writers: WeakKeyDictionary[asyncio.AbstractEventLoop, TurnWriter] = WeakKeyDictionary()


def current_writer() -> TurnWriter:
    """The writer of the running event loop: in a server, of the process."""
    loop = asyncio.get_running_loop()
    writer = _writers.get(loop)
    if writer is None:
        writer = _writers[loop] = TurnWriter()
    return writer


def _can_be_read(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _record(turns: list[NewTurn]) -> list[Outcome]:
    """All together; where that fails, one by one, so that a bad turn never fails its neighbours."""
    try:
        return list(record_turns(turns))
    except Exception as error:  # noqa: BLE001  (whatever it is, somebody waits for an answer)
        if len(turns) == 1 or is_away(error):
            return [error] * len(turns)
    return [outcome for turn in turns for outcome in _record([turn])]
