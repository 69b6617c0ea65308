"""Count refused requests per hour and reason.

A request that is refused with 401 or 413 costs no query: it is counted in memory, and the counts go to the database
together, every few seconds. So strangers cannot fill the table: it has at most one row per reason and hour, for
KEPT_DAYS. A process that is killed loses the counts of the last few seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import datetime, timedelta

from django.db import Error, transaction
from django.db.models import F
from django.utils import timezone

from calls.per_loop import PerLoop
from calls.threads import Threads
from webhooks.models import RefusedRequests

logger = logging.getLogger(__name__)
WRITE_SECONDS = 5.0
AGAIN_SECONDS = 30.0  # after the database was away
KEPT_DAYS = 30
_threads = Threads("refusals", 1)


class Refusals:
    """The counts of this process that are not written yet."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[datetime, str]] = Counter()
        self._task: asyncio.Task[None] | None = None

    def count(self, reason: str) -> None:
        """Count one refused request. `reason` is one of RefusedRequests.Reason."""
        self._counts[timezone.now().replace(minute=0, second=0, microsecond=0), reason] += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_later())

    async def _write_later(self) -> None:
        pause = WRITE_SECONDS
        while self._counts:
            await asyncio.sleep(pause)
            counts, self._counts = self._counts, Counter()
            try:
                await _threads.run(lambda counts=counts: _write(counts))  # type: ignore[misc]
                pause = WRITE_SECONDS
            except Error as error:
                logger.warning("Cannot keep the counts of refused webhooks now: %s", type(error).__name__)
                self._counts += counts
                pause = AGAIN_SECONDS


def _write(counts: Counter[tuple[datetime, str]]) -> None:
    with transaction.atomic():
        for (hour, reason), count in sorted(counts.items()):
            row, _ = RefusedRequests.objects.get_or_create(hour=hour, reason=reason)
            RefusedRequests.objects.filter(pk=row.pk).update(count=F("count") + count)
        RefusedRequests.objects.filter(hour__lt=timezone.now() - timedelta(days=KEPT_DAYS)).delete()


current_refusals = PerLoop(Refusals)  # in a server, one per process
