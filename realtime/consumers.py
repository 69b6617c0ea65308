"""The two WebSockets: one sends the turns of calls, from the hub; the other sends the list of calls, from the feed."""

from __future__ import annotations

import contextlib
from typing import Any

from django.conf import settings
from django.db import Error

from calls.models import IDENTIFIER_MAX_LENGTH, Call
from calls.names import is_printable
from realtime import replay
from realtime.auth import Admission
from realtime.authenticated import AuthenticatedConsumer
from realtime.feed import Watcher, feed_of
from realtime.messages import UnsubscribeConfirmed
from realtime.send_queue import SendQueue


class TranscriptionConsumer(AuthenticatedConsumer):
    """The socket `/ws/calls/transcriptions`. docs/websocket.md describes its messages."""

    usage = 'Send {"subscribe": id}, {"unsubscribe": id} or {"ping": any}.'

    async def handle_message(self, message: Any) -> bool:
        match message:
            case {"subscribe": identifier, **rest} if rest.keys() <= {"after"}:
                await self.subscribe(identifier, rest.get("after"))
            case {"unsubscribe": identifier, **rest} if not rest:
                await self.unsubscribe(identifier)
            case _:
                return False
        return True

    async def subscribe(self, identifier: Any, after: Any) -> None:
        if not _is_identifier(identifier):
            self.error("INVALID_IDENTIFIER", "An identifier is a call_sid or a conversation_id.")
            return
        if after is not None and (isinstance(after, bool) or not isinstance(after, int) or after < 0):
            self.error("INVALID_MESSAGE_FORMAT", "after is the number of the last turn you have: 0, 1, 2 …")
            return
        try:
            since = self.hub.moment()
            state = await replay.find(identifier)
            if not self.listener.may_hear(state.agent_id):
                raise Call.DoesNotExist
            if not self._has_room_for(state.call_id):
                limit = settings.WS_MAX_SUBSCRIPTIONS
                self.error("SUBSCRIPTION_LIMIT", f"At most {limit} subscriptions a connection.")
                return
            await self.hub.subscribe(self.listener, state, identifier, after, since=since)
        except Call.DoesNotExist:
            self.error("CALL_NOT_FOUND", "There is no call with this call_sid or conversation_id.")
        except Error:
            self.error("SUBSCRIPTION_FAILED", "The database is away. Subscribe again in a moment.")

    async def unsubscribe(self, identifier: Any) -> None:
        if not _is_identifier(identifier):
            self.error("INVALID_IDENTIFIER", "An identifier is a call_sid or a conversation_id.")
            return
        try:
            call_id = await self._subscribed_call(identifier)
        except Error:
            self.error("SUBSCRIPTION_FAILED", "The database is away. Unsubscribe again in a moment.")
            return
        if call_id in self.listener.subscriptions:
            self.hub.unsubscribe(self.listener, call_id)
        self.listener.send(UnsubscribeConfirmed(identifier=identifier))

    async def _subscribed_call(self, identifier: str) -> int | None:
        """Return the id of the call that a client unsubscribes from; None if it is not known.

        The database is asked too, for any name that the call has or had. Raises django.db.Error.
        """
        call_id = self.listener.subscription_to(identifier)
        if call_id is None and self.listener.subscriptions:
            with contextlib.suppress(Call.DoesNotExist):
                return (await replay.find(identifier)).call_id
        return call_id

    def _has_room_for(self, call_id: int) -> bool:
        mine, limit = self.listener.subscriptions, settings.WS_MAX_SUBSCRIPTIONS
        return not limit or call_id in mine or len(mine) < limit


class CallsConsumer(AuthenticatedConsumer):
    """The socket `/ws/calls`. docs/websocket.md describes its messages."""

    usage = 'Send {"snapshot": true} or {"ping": any}.'
    listener: Watcher

    def new_listener(self, admission: Admission, send_queue: SendQueue, address: str) -> Watcher:
        return Watcher(*admission, send_queue, self.close_soon, address)

    def on_enter(self) -> None:
        feed_of(self.listener.rights.agents).enter(self.listener)

    def on_leave(self) -> None:
        if self.listener.feed is not None:
            self.listener.feed.leave(self.listener)

    async def handle_message(self, message: Any) -> bool:
        match message:
            case {"snapshot": True, **rest} if not rest and self.listener.feed is not None:
                self.listener.feed.ask(self.listener)
                return True
        return False


def _is_identifier(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= IDENTIFIER_MAX_LENGTH and is_printable(value)
