"""Group commit of live turns, over a PostgreSQL connection that only the event loop uses.

Batches run one at a time, so the turns of a call keep the order in which they came. A locked call delays only its own
turns: the first goes through the inbox, which waits for the lock, and later ones wait behind it. Calls are told apart
by the names in their turns. No thread is used: it would have to be woken per batch, and would compete with the event
loop for the interpreter lock. Batching works in a server that announces its start and its end (ASGI's lifespan);
elsewhere, and on SQLite, the inbox takes every turn.

It buys: a turn costs 21 µs of CPU in a batch of 64, and 2.4 ms through the inbox in one thread; PostgreSQL's CPU is 36
µs and 0.8 ms (`python -m lab.bench.batching`, without HTTP). With HTTP and 64 posters it is 0.17 ms in all, and 3.5 ms
through the inbox (docs/performance/ablation.md). A pooled connection in a thread costs 1.4 times the CPU
with 64 posters; for a turn that comes alone it costs 1.8 times the CPU and 1.5 times the time from POST to receipt.
"""

from __future__ import annotations

import contextlib
import logging
import select
import time
from collections.abc import AsyncIterator

from django.db import Error, connection

from calls.bounds import BoundedAsyncConnection, within
from calls.per_loop import PerLoop
from calls.postgres.session import begin_with_one_plan
from calls.postgres.turns import record_turns
from calls.races import is_locked
from calls.turn import NewTurn, Recorded, RecordedTurn
from webhooks import journal
from webhooks.batching.group_commit import InOrder, TooManyWait
from webhooks.errors import DatabaseUnavailable, InvalidPayload, is_away
from webhooks.models import WebhookDelivery
from webhooks.reading import identify
from webhooks.replies import Reply, turn_reply
from webhooks.strict_json import decode
from webhooks.tool_payloads import parse_live

logger = logging.getLogger(__name__)
BATCH = 256
BATCH_SECONDS = 5.5  # more than PostgreSQL waits for a lock


@contextlib.asynccontextmanager
async def taken(body: bytes) -> AsyncIterator[Reply | None]:
    """Store a live turn together with others that arrive meanwhile. Its call must exist and be free.

    Yields None if the body is no turn, the call does not exist or is locked, or the batch failed and stored nothing.
    Until the block ends, later turns of the call wait behind this one. Raises DatabaseUnavailable if too many turns
    wait, or if the database is away or the table is locked: then callsite cannot know whether the turn is stored, and
    the inbox would only wait again.
    """
    writer = current_writer()
    turn = _turn_in(body) if writer.serving else None
    if turn is None:
        yield None
        return
    try:
        recorded = await writer.write(turn)
    except (Error, TooManyWait) as error:
        identify(WebhookDelivery.Route.TRANSCRIPTION, body)
        journal.current().step = "store"
        raise DatabaseUnavailable(error) from error
    if recorded is not None:
        journal.current().turn = recorded
        yield turn_reply(*recorded)
        return
    try:
        yield None
    finally:
        writer.over(turn)


def _turn_in(body: bytes) -> NewTurn | None:
    with contextlib.suppress(InvalidPayload):
        turn = parse_live(decode(body))
        return turn if isinstance(turn, NewTurn) else None
    return None


def _names(turn: NewTurn) -> list[str]:
    return [name for name in (turn.call_sid, turn.conversation_id) if name]


class TurnWriter:
    """Stores the live turns of one event loop, in batches."""

    def __init__(self) -> None:
        self._group = InOrder[NewTurn, tuple[RecordedTurn, bool]](self._record, BATCH, _names)
        self.serving = False
        self._own: BoundedAsyncConnection | None = None

    async def write(self, turn: NewTurn) -> Recorded:
        """Store a turn with the next batch. Raises django.db.Error or TooManyWait.

        Returns None if the turn has to be taken alone: the caller does so, and calls `over` afterwards.
        """
        return await self._group.put(turn)

    def over(self, turn: NewTurn) -> None:
        """Release the turns that wait behind this turn, which was taken alone."""
        self._group.over(turn)

    def begin(self) -> None:
        """Start batching. The server has started and will call `end`, so the writer may hold a connection."""
        self.serving = connection.vendor == "postgresql"

    async def end(self) -> None:
        """Stop batching and close the connection: the server has sent all replies."""
        self.serving = False
        await self._hang_up()

    async def _record(self, turns: list[NewTurn]) -> list[Recorded]:
        """Store a batch. Returns a result per turn; None for a turn that is not stored and has to be taken alone.

        Raises the error if the database is away or the table is locked.
        """
        began = time.monotonic()
        try:
            with within(BATCH_SECONDS), connection.wrap_database_errors:
                return list(await record_turns(await self._connection(), turns))
        except Exception as error:
            if is_away(error):
                await self._hang_up()
            if is_locked(error) or time.monotonic() - began > BATCH_SECONDS:
                self._group.fail_waiting(error)
            if is_away(error) or is_locked(error):
                raise
            logger.warning("A batch of live turns failed; each is taken alone: %s", type(error).__name__)
            return [None] * len(turns)

    async def _connection(self) -> BoundedAsyncConnection:
        """Return a live connection; reopen one that PostgreSQL closed while it was idle."""
        if self._own is not None and _can_be_read(self._own.fileno()):
            await self._hang_up()  # no query runs, so the only thing to read is the end of the connection
        if self._own is None:
            # Prepare the statement, so that it is planned once: planning it takes as long as storing ten turns.
            # Otherwise turns that come alone cost 1.2 times the CPU, and 1.4 times the time from POST to receipt. Full
            # batches gain nothing by it.
            parameters = connection.get_connection_params() | {"autocommit": True, "prepare_threshold": 0}
            for ours in ("cursor_factory", "context"):  # for Django's own cursors
                del parameters[ours]
            own = await BoundedAsyncConnection.connect(**parameters)
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
