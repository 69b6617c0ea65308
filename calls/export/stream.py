"""The file as it is sent: a page of calls at a time, each read by short statements when the browser has the one before.

Between two pages nothing is held but the keys of the calls: no transaction, no cursor, no connection.
"""

from __future__ import annotations

import asyncio
import logging
import time
from array import array
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial

from django.db import Error

from calls.access_log import Visitor
from calls.export.cells import BOM, lines
from calls.export.places import Place
from calls.export.selection import Form, NotAllowedAnyMore, page_of
from calls.threads import Threads

logger = logging.getLogger(__name__)
STALLED_SECONDS = 60.0  # that a browser may take no byte
_thread = Threads("export", 1)  # of all exports: they take turns, a page each


class EndedEarly(Exception):
    """The connection is cut, so that the browser does not take the file for whole."""


class Export:
    """The bytes of one export. Whoever ends it, in any way, gives its place back."""

    def __init__(self, place: Place, keys: array[int], form: Form, visitor: Visitor, site: str) -> None:
        self._place, self._keys, self._form, self._visitor, self._site = place, keys, form, visitor, site

    def close(self) -> None:
        """For Django, which says so when it is done with the response."""
        self._place.give_back()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            yield BOM.encode() + lines([self._form.heading()])
            for start in range(0, len(self._keys), self._form.size):
                began = time.monotonic()
                try:
                    page = await _thread.run(partial(self._page, start))
                except (Error, NotAllowedAnyMore) as error:
                    yield self._last_line(start, error)
                    raise EndedEarly from error
                took = time.monotonic() - began
                with self._impatient():
                    yield page
                await asyncio.sleep(took)  # the threads of a process share its one processor: webhooks come first
        finally:
            self._place.give_back()

    def _page(self, start: int) -> bytes:
        return page_of(self._keys[start : start + self._form.size], self._form, self._visitor, self._site)

    def _last_line(self, start: int, error: Exception) -> bytes:
        logger.warning("An export ended early, after %d of %d calls: %s", start, len(self._keys), type(error).__name__)
        why = "you may not export calls any more" if isinstance(error, NotAllowedAnyMore) else "the database failed"
        return lines([[f"# Export ended early: {why}. It has {start:,} of {len(self._keys):,} calls."]])

    @contextmanager
    def _impatient(self) -> Iterator[None]:
        """End the work if the browser does not take what is yielded inside."""
        task = asyncio.current_task()
        timer = asyncio.get_running_loop().call_later(STALLED_SECONDS, self._stop, task)
        try:
            yield
        finally:
            timer.cancel()

    def _stop(self, task: asyncio.Task[None] | None) -> None:
        logger.warning("An export ended early: its browser takes nothing")
        self._place.give_back()
        if task is not None:
            task.cancel()
