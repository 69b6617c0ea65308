"""The feed: the list of calls of one set of agents, the sockets that watch it, and the versions that they got.

The channel layer is a doorbell. The feed reads the calls that a notice names from the database, once for all watchers,
encodes each new version once, and sends it. Every 2 seconds it compares the whole list with the database, version by
version. It has no cursor that a late commit could slip behind, so a change that the layer lost arrives late and is
never lost. Without watchers the feed does nothing.
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

from calls.access import Agents, may_see
from calls.per_loop import PerLoop
from realtime import feed_queries
from realtime.auth import Rights
from realtime.cycles import Tasks, forever
from realtime.doorbell import current_doorbell
from realtime.feed_queries import Listing, Row, Version
from realtime.messages import CallChanged, ListHeartbeat, Notice, Snapshot, Totals
from realtime.subscriptions import Listener

logger = logging.getLogger(__name__)
COALESCE_SECONDS = 0.1
SETTLE_SECONDS = 0.3
SWEEP_SECONDS = (1.5, 2.0)
DATABASE_RETRY_SECONDS = 0.5
REMEMBERED = 300  # ended calls that the feed still compares after they left the list
RECENT = timedelta(minutes=10)  # an ended call that the feed did not know is sent if it was saved this recently


@dataclass(eq=False, slots=True)
class Watcher(Listener):
    """A socket that watches the list. `number` counts its messages. While `waits`, its next message is a snapshot."""

    number: int = 0
    waits: bool = True
    feed: Feed | None = None

    def beat(self) -> None:
        if self.number and self.feed is not None:
            self.send(ListHeartbeat(number=self.number, totals=self.feed.totals))

    def take_rights(self, rights: Rights) -> None:
        """Set the rights. If the agents changed, move the watcher to their feed, which sends it a snapshot."""
        self.rights = rights
        if self.feed is not None and self.feed.agents != rights.agents:
            self.feed.leave(self)
            feed_of(rights.agents).enter(self)

    def push_snapshot(self, calls: Iterable[str], totals: Totals) -> None:
        self.number += 1
        self.waits = False
        self.send(Snapshot(number=self.number, totals=totals, calls=[Raw(call) for call in calls]))

    def push_change(self, call: str) -> None:
        self.number += 1
        self.send(CallChanged(number=self.number, call=Raw(call)))


@dataclass(slots=True)
class Told:
    """The version of a call that the watchers have. `text` is its JSON; None if the feed has not read the call."""

    version: Version
    text: str | None = None


class Feed:
    """Reads, compares and sends the calls of `agents` (None: all calls) while it has watchers."""

    def __init__(self, agents: Agents = None) -> None:
        self.agents = agents
        self.watchers: set[Watcher] = set()
        self.totals = Totals(0, 0, feed_queries.COUNTED_UP_TO)  # as of the newest comparison
        self._told: dict[int, Told] = {}  # in the order of the latest change
        self._rung: set[int] = set()
        self._asking: set[Watcher] = set()
        self._news = asyncio.Event()
        self._sweep_at = 0.0
        self._doorbell = current_doorbell()
        self._cycle: asyncio.Task[None] | None = None
        self._tasks = Tasks()
        self._loop = asyncio.get_running_loop()

    # --- watchers ---------------------------------------------------------------------------------------------

    def enter(self, watcher: Watcher) -> None:
        """Add a watcher; its first message is a snapshot."""
        self.watchers.add(watcher)
        watcher.feed = self
        self.ask(watcher)
        if self._cycle is None:
            self._doorbell.add(self)
            self._cycle = asyncio.create_task(forever(self._round))

    def leave(self, watcher: Watcher) -> None:
        self.watchers.discard(watcher)
        watcher.feed = None
        self._asking.discard(watcher)
        if not self.watchers and self._cycle is not None:
            self._cycle.cancel()
            self._cycle = None
            self._told.clear()
            self._doorbell.remove(self)
            if _feeds().get(self.agents) is self:
                del _feeds()[self.agents]

    def ask(self, watcher: Watcher) -> None:
        """Send the watcher a snapshot in the next round, read from now on. Until then the watcher gets no changes."""
        watcher.waits = True
        self._asking.add(watcher)
        self._news.set()

    async def heard(self, notice: Notice) -> None:
        self._rung.add(notice["call_id"])
        self._news.set()

    # --- rounds: one at a time, so that the watchers always have one state ------------------------------------------

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
        await asyncio.sleep(COALESCE_SECONDS)  # notices come in groups: one read serves all notices of this time

    async def _wait_for_news(self) -> None:
        try:
            async with asyncio.timeout_at(self._sweep_at):
                await self._news.wait()
        except TimeoutError:
            pass

    def joined(self) -> None:
        """Compare once more, soon: the channel layer has begun to send, and does not send changes committed before."""
        self._loop.call_later(SETTLE_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._sweep_at = 0.0
        self._news.set()

    async def _compare(self, rung: set[int]) -> Listing:
        """Compare the list with the database, send the calls whose version differs, and return the list."""
        listing = await feed_queries.listing(rung | self._told.keys(), self.agents)
        self.totals = listing.totals
        listed, old = set(listing.calls), timezone.now() - RECENT
        needed = set[int]()
        for call_id, version in listing.versions.items():
            told = self._told.get(call_id)
            if told is None and call_id not in rung and version.ended and version.updated_at < old:
                self._told[call_id] = Told(version)  # old, newly in view: the feed began, or calls were deleted
            elif told is None or told.version != version:
                needed.add(call_id)
        needed |= {call_id for call_id in listed if (told := self._told.get(call_id)) and told.text is None}
        self._tell(await feed_queries.rows(needed))
        self._forget(self._told.keys() - listing.versions.keys())
        self._remember_less(listing)
        return listing

    # --- sending ----------------------------------------------------------------------------------------------------

    def _tell(self, rows: list[Row]) -> None:
        for call_id, version, text, agent_id in rows:
            if not may_see(self.agents, agent_id):
                continue
            told = self._told.pop(call_id, None)
            self._told[call_id] = Told(version, text)
            if told is not None and told.version == version:
                continue
            renamed = told is not None and told.version.call_sid != version.call_sid
            for watcher in self.watchers:
                if renamed:  # only a snapshot removes the former name
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
            watcher.push_snapshot((text for text in texts if text is not None), listing.totals)
        else:
            self._send_snapshot_later(watcher)

    def _send_snapshot_later(self, watcher: Watcher) -> None:
        """Send a slow watcher the present list after it has taken its queued texts, instead of a longer queue."""
        watcher.waits = True
        self._tasks.spawn(self._ask_when_drained(watcher))

    async def _ask_when_drained(self, watcher: Watcher) -> None:
        await watcher.send_queue.drained()
        if watcher in self.watchers:
            self.ask(watcher)

    # --- forgetting -------------------------------------------------------------------------------------------------

    def _forget(self, gone: set[int]) -> None:
        """Forget deleted calls. There is no message for a deletion, so the watchers get a snapshot."""
        told = [self._told.pop(call_id) for call_id in gone]
        if any(call.text is not None for call in told):
            for watcher in self.watchers:
                self.ask(watcher)

    def _remember_less(self, listing: Listing) -> None:
        seen = listing.window
        others = [call_id for call_id, told in self._told.items() if told.version.ended and call_id not in seen]
        for call_id in others[:-REMEMBERED]:
            del self._told[call_id]


_feeds: PerLoop[dict[Agents, Feed]] = PerLoop(dict)  # the feeds with watchers; in a server, per process


def feed_of(agents: Agents) -> Feed:
    """Return the feed for all users who may see the calls of exactly these agents; make it if there is none."""
    feeds = _feeds()
    return feeds.get(agents) or feeds.setdefault(agents, Feed(agents))
