"""The feed: the list of calls in this process, who watches it, and what they were told.

The channel layer is a doorbell here too. What it names is read from the database, once for all watchers, told where it
is new, and encoded once. Every 2 seconds the whole list is compared with the database, version by version: no cursor
that a late commit could slip behind, so a change that the layer lost is late, never lost. With no watcher it does
nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db import Error
from django.utils import timezone
from msgspec import Raw

from calls.per_loop import PerLoop
from realtime import feed_queries
from realtime.cycles import Tasks, forever
from realtime.doorbell import current_doorbell
from realtime.feed_queries import Listing, Version
from realtime.messages import CallChanged, ListHeartbeat, Notice, Snapshot
from realtime.subscriptions import Listener

logger = logging.getLogger(__name__)
COALESCE_SECONDS = 0.1
SETTLE_SECONDS = 0.3
SWEEP_SECONDS = (1.5, 2.0)
DATABASE_RETRY_SECONDS = 0.5
REMEMBERED = 300  # ended calls that are compared, too, though they have left the list
RECENT = timedelta(minutes=10)  # an ended call that nobody here knew is news if it was saved in this time


@dataclass(eq=False, slots=True)
class Watcher(Listener):
    """One socket that watches the list. `number` counts what it was sent; while it `waits`, a snapshot is to come."""

    number: int = 0
    waits: bool = True

    def beat(self) -> None:
        if self.number:
            self.send(ListHeartbeat(number=self.number))

    def push_snapshot(self, calls: Iterable[str]) -> None:
        self.number += 1
        self.waits = False
        self.send(Snapshot(number=self.number, calls=[Raw(call) for call in calls]))

    def push_change(self, call: str) -> None:
        self.number += 1
        self.send(CallChanged(number=self.number, call=Raw(call)))


@dataclass(slots=True)
class Told:
    """What the watchers know of a call. `text` is None where a version was seen that nobody needed to read."""

    version: Version
    text: str | None = None


class Feed:
    """Works while somebody watches; with nobody there it does nothing."""

    def __init__(self) -> None:
        self.watchers: set[Watcher] = set()
        self._told: dict[int, Told] = {}  # in the order of their latest change
        self._rung: set[int] = set()
        self._asking: set[Watcher] = set()
        self._news = asyncio.Event()
        self._sweep_at = 0.0
        self._doorbell = current_doorbell()
        self._cycle: asyncio.Task[None] | None = None
        self._tasks = Tasks()
        self._loop = asyncio.get_running_loop()

    # --- who is here ------------------------------------------------------------------------------------------

    def enter(self, watcher: Watcher) -> None:
        """Begin with a snapshot."""
        self.watchers.add(watcher)
        self.ask(watcher)
        if self._cycle is None:
            self._doorbell.add(self)
            self._cycle = asyncio.create_task(forever(self._round))

    def leave(self, watcher: Watcher) -> None:
        self.watchers.discard(watcher)
        self._asking.discard(watcher)
        if not self.watchers and self._cycle is not None:
            self._cycle.cancel()
            self._cycle = None
            self._told.clear()
            self._doorbell.remove(self)

    def ask(self, watcher: Watcher) -> None:
        """A snapshot that is read from now on; until then the watcher needs no changes."""
        watcher.waits = True
        self._asking.add(watcher)
        self._news.set()

    async def heard(self, notice: Notice) -> None:
        self._rung.add(notice["call_id"])
        self._news.set()

    # --- rounds: one at a time, so that what was told is always one state -------------------------------------------

    async def _round(self) -> None:
        await self._wait_for_news()
        asking, self._asking = self._asking, set()
        rung, self._rung = self._rung, set()
        self._news.clear()
        done = False
        try:
            if asking or self._loop.time() >= self._sweep_at:
                self._sweep_at = self._loop.time() + random.uniform(*SWEEP_SECONDS)  # noqa: S311  (spreads processes)
                listing = await self._compare(rung)
                for watcher in asking & self.watchers:
                    self._send_snapshot(watcher, listing)
            else:
                self._tell(await feed_queries.rows(rung))
            done = True
        except Error as error:
            logger.warning("The database is away: %s", type(error).__name__)
            await asyncio.sleep(DATABASE_RETRY_SECONDS)
        finally:
            if not done:
                self._rung |= rung
                self._asking |= asking & self.watchers
                self._sweep_at = 0.0
        await asyncio.sleep(COALESCE_SECONDS)  # doorbells ring together: one read for all that came meanwhile

    async def _wait_for_news(self) -> None:
        try:
            async with asyncio.timeout_at(self._sweep_at):
                await self._news.wait()
        except TimeoutError:
            pass

    def joined(self) -> None:
        """The channel layer has begun to send. What was committed just before is looked for once more, soon."""
        self._loop.call_later(SETTLE_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._sweep_at = 0.0
        self._news.set()

    async def _compare(self, rung: set[int]) -> Listing:
        """Read what differs from what was told, and tell it."""
        listing = await feed_queries.listing(rung | self._told.keys())
        listed, old = set(listing.calls), timezone.now() - RECENT
        needed = set[int]()
        for call_id, version in listing.versions.items():
            told = self._told.get(call_id)
            if told is None and call_id not in rung and version.ended and version.updated_at < old:
                self._told[call_id] = Told(version)  # came into view: the feed has begun, or others were deleted
            elif told is None or told.version != version:
                needed.add(call_id)
        needed |= {call_id for call_id in listed if (told := self._told.get(call_id)) and told.text is None}
        self._tell(await feed_queries.rows(needed))
        self._forget(self._told.keys() - listing.versions.keys())
        self._remember_less(listing)
        return listing

    # --- telling ----------------------------------------------------------------------------------------------------

    def _tell(self, rows: list[tuple[int, Version, str]]) -> None:
        for call_id, version, text in rows:
            told = self._told.pop(call_id, None)
            self._told[call_id] = Told(version, text)
            if told is not None and told.version == version:
                continue
            renamed = told is not None and told.version.call_sid != version.call_sid
            for watcher in self.watchers:
                if renamed:  # only a snapshot takes the former name away
                    self.ask(watcher)
                elif not watcher.waits:
                    self._send_change(watcher, text)

    def _send_change(self, watcher: Watcher, text: str) -> None:
        if watcher.send_queue.has_room:
            watcher.push_change(text)
        else:
            self._send_snapshot_later(watcher)

    def _send_snapshot(self, watcher: Watcher, listing: Listing) -> None:
        if watcher.send_queue.has_room:
            texts = (told.text for call_id in listing.calls if (told := self._told.get(call_id)))
            watcher.push_snapshot(text for text in texts if text is not None)
        else:
            self._send_snapshot_later(watcher)

    def _send_snapshot_later(self, watcher: Watcher) -> None:
        """A watcher that is behind gets the present list once it has read what waits, in place of a queue."""
        watcher.waits = True
        self._tasks.spawn(self._ask_when_drained(watcher))

    async def _ask_when_drained(self, watcher: Watcher) -> None:
        await watcher.send_queue.drained()
        if watcher in self.watchers:
            self.ask(watcher)

    # --- forgetting -------------------------------------------------------------------------------------------------

    def _forget(self, gone: set[int]) -> None:
        """Calls were deleted: there is no message for that, a snapshot shows it."""
        told = [self._told.pop(call_id) for call_id in gone]
        if any(call.text is not None for call in told):
            for watcher in self.watchers:
                self.ask(watcher)

    def _remember_less(self, listing: Listing) -> None:
        seen = listing.window
        others = [call_id for call_id, told in self._told.items() if told.version.ended and call_id not in seen]
        for call_id in others[:-REMEMBERED]:
            del self._told[call_id]


current_feed = PerLoop(Feed)  # in a server, of the process
