"""The WebSocket of the list of calls. Everything it sends comes from the feed."""

from __future__ import annotations

from typing import Any

from realtime.auth import Identity
from realtime.connection import Connection
from realtime.feed import Feed, Watcher, current_feed
from realtime.outbox import Outbox


class CallsConsumer(Connection):
    """`/ws/calls`. docs/websocket.md describes its messages."""

    usage = 'Send {"snapshot": true} or {"ping": any}.'
    feed: Feed
    listener: Watcher

    def new_listener(self, identity: Identity, outbox: Outbox) -> Watcher:
        return Watcher(identity, outbox, self.close_soon)

    def entered(self) -> None:
        self.feed = current_feed()
        self.feed.enter(self.listener)

    def left(self) -> None:
        if hasattr(self, "feed"):
            self.feed.leave(self.listener)

    async def said(self, message: Any) -> bool:
        match message:
            case {"snapshot": True, **rest} if not rest:
                self.feed.ask(self.listener)
                return True
        return False
