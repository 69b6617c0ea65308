"""Writes subscriptions into the access log, after their confirmation, so that no turn waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from django.db import Error, InterfaceError, InternalError, OperationalError

from calls import access_log
from calls.access_log import Kind, Subject, Visitor
from calls.models import AccessLogEntry
from calls.per_loop import PerLoop
from calls.threads import Threads
from realtime.call_state import CallState
from realtime.subscriptions import Listener

logger = logging.getLogger(__name__)
WAITING = 10_000  # rows, while the database is away; rows above the limit are lost, and the log says so
BATCH = 500
GATHER_SECONDS = 0.1  # so that many subscriptions made at once are written in a few statements
RETRY_SECONDS = 1.0
AWAY = (OperationalError, InterfaceError, InternalError)  # the last one: a read-only server
_thread = Threads("access-log", 1)


class SubscriptionLog:
    """The rows that wait to be written, and the task that writes them, many in one statement."""

    def __init__(self) -> None:
        self._waiting: deque[AccessLogEntry] = deque()
        self._task: asyncio.Task[None] | None = None
        self._lost = 0

    def note(self, listener: Listener, state: CallState) -> None:
        """Queue a row about a subscription. It takes microseconds and raises nothing."""
        visitor = Visitor(listener.user_id, listener.rights.user_name, listener.address)
        subject = Subject(state.call_id, state.call_sid, state.conversation_id)
        row = access_log.entry(visitor, Kind.SUBSCRIPTION, subject)
        if row is None:
            return
        if len(self._waiting) >= WAITING:
            self._lost += 1
            return
        self._waiting.append(row)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all())

    async def drained(self) -> None:
        """Wait until every queued row is written, or has failed."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _write_all(self) -> None:
        while self._waiting:
            await asyncio.sleep(GATHER_SECONDS)
            rows = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                await _thread.run(lambda rows=rows: access_log.write(rows))  # type: ignore[misc]
            except AWAY as error:
                logger.warning("The database is away: %s", type(error).__name__)
                self._waiting.extendleft(reversed(rows))
                await asyncio.sleep(RETRY_SECONDS)
            except Error:
                logger.exception("%d rows of the access log could not be written", len(rows))
            else:
                self._tell_of_lost()

    def _tell_of_lost(self) -> None:
        if self._lost:
            logger.error("%d rows of the access log were lost while the database was away", self._lost)
            self._lost = 0


current_subscription_log = PerLoop(SubscriptionLog)  # in a server, one per process
