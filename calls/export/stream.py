"""The streamed file: one page of calls at a time, read by short statements after the browser took the page before.

Between two pages an export holds only the keys of its calls: no transaction, no cursor, no database connection.
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
STALLED_SECONDS = 60.0  # how long a browser may take no byte before its export ends
_thread = Threads("export", 1)  # one thread for all exports: they take turns, one page each


class EndedEarly(Exception):
    """An export failed. This error cuts the connection, so that the browser does not take the file for complete."""


class Export:
    """The bytes of one export. However the export ends, it gives its place back."""

    def __init__(self, place: Place, keys: array[int], form: Form, visitor: Visitor, site: str) -> None:
        self._place, self._keys, self._form, self._visitor, self._site = place, keys, form, visitor, site

    def close(self) -> None:
        """Give the place back. Django calls this when it is done with the response."""
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
                await asyncio.sleep(took)  # threads share one processor: leave half to others, webhooks come first
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
        """Cancel the export if the block lasts longer than STALLED_SECONDS, because the browser takes nothing."""
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
