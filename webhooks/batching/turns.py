"""Group commit of live turns, over a connection to PostgreSQL that the event loop has for itself.

One batch at a time, so turns of a call keep the order in which they came. A thread would have to be woken for every
batch, and would fight with the loop for the interpreter. It works in a server that announces its start and its end
(ASGI's lifespan); elsewhere, and on SQLite, the inbox takes every turn.

It buys: a turn costs 21 µs of CPU in a batch of 64, and 2.4 ms through the inbox in one thread; of PostgreSQL's 36 µs
and 0.8 ms (`python -m lab.bench.batching`, without HTTP).
"""

from __future__ import annotations

import logging
import select

import psycopg
from django.db import connection

from calls.per_loop import PerLoop
from calls.postgres.session import begin_with_one_plan
from calls.postgres.turns import record_turns
from calls.turn import NewTurn, Recorded
from webhooks import journal
from webhooks.answers import Answer, turn_answer
from webhooks.batching.group_commit import GroupCommit
from webhooks.errors import DatabaseUnavailable, InvalidPayload, is_away
from webhooks.models import WebhookDelivery
from webhooks.reading import identify
from webhooks.strict_json import decode
from webhooks.tool_payloads import parse_live

logger = logging.getLogger(__name__)
BATCH = 256


async def take(body: bytes) -> Answer | None:
    """Store a live turn whose call exists, together with those that come meanwhile.

    None: the body is no turn, there is no such call, or the batch failed and stored nothing. Raises
    DatabaseUnavailable if the database is away: callsite cannot know whether the turn is stored.
    """
    writer = current_writer()
    if not writer.serving:
        return None
    try:
        turn = parse_live(decode(body))
        if not isinstance(turn, NewTurn):
            return None
        recorded = await writer.write(turn)
    except InvalidPayload:
        return None
    except Exception as error:
        if is_away(error):
            identify(WebhookDelivery.Route.TRANSCRIPTION, body)
            journal.current().step = "store"
            raise DatabaseUnavailable from error
        logger.warning("A batch of live turns failed; each is taken alone: %s", type(error).__name__)
        return None
    if recorded is None:
        return None
    journal.current().turn = recorded
    return turn_answer(*recorded)


class TurnWriter:
    """The writer of one event loop."""

    def __init__(self) -> None:
        self._group = GroupCommit[NewTurn, Recorded](self._record, BATCH)
        self.serving = False
        self._own: psycopg.AsyncConnection | None = None

    async def write(self, turn: NewTurn) -> Recorded:
        """Store a turn; return None if there is no such call. Raises the error of its batch."""
        return await self._group.put(turn)

    def begin(self) -> None:
        """The server has started, and will call `end`: from now on the writer may hold a connection."""
        self.serving = connection.vendor == "postgresql"

    async def end(self) -> None:
        """The server has sent all replies and stops."""
        self.serving = False
        await self._hang_up()

    async def _record(self, turns: list[NewTurn]) -> list[Recorded]:
        try:
            with connection.wrap_database_errors:
                return list(await record_turns(await self._connection(), turns))
        except Exception as error:
            if is_away(error):
                await self._hang_up()
            raise

    async def _connection(self) -> psycopg.AsyncConnection:
        """Return a live connection; reopen one that PostgreSQL closed while it was idle."""
        if self._own is not None and _can_be_read(self._own.fileno()):
            await self._hang_up()  # no query is open, so the only thing to read is the end of the connection
        if self._own is None:
            # one statement, planned once, as planning it takes as long as storing ten turns
            parameters = connection.get_connection_params() | {"autocommit": True, "prepare_threshold": 0}
            for ours in ("cursor_factory", "context"):  # Django's, for its own cursors
                del parameters[ours]
            own = await psycopg.AsyncConnection.connect(**parameters)
            try:
                await begin_with_one_plan(own)
            except BaseException:
                await own.close()
                raise
            self._own = own
        return self._own

    async def _hang_up(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            await own.close()


current_writer = PerLoop(TurnWriter)  # in a server, one per process


def _can_be_read(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
