"""The WebSocket of one who listens to calls: subscribe, unsubscribe. What is forwarded comes from the hub."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import Error

from calls.models import IDENTIFIER_MAX_LENGTH, Call
from realtime import log
from realtime.connection import Connection


class TranscriptionConsumer(Connection):
    """`/ws/calls/transcriptions`. docs/websocket.md describes its messages."""

    usage = 'Send {"subscribe": id}, {"unsubscribe": id} or {"ping": any}.'

    async def said(self, message: Any) -> bool:
        match message:
            case {"subscribe": identifier, **rest} if rest.keys() <= {"after"}:
                await self.subscribe(identifier, rest.get("after"))
            case {"unsubscribe": identifier, **rest} if not rest:
                self.unsubscribe(identifier)
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
            state = await log.find(identifier)
            if not self._has_room_for(state.call_id):
                limit = settings.WS_MAX_SUBSCRIPTIONS
                self.error("SUBSCRIPTION_LIMIT", f"At most {limit} subscriptions a connection.")
                return
            await self.hub.subscribe(self.listener, state, identifier, after)
        except Call.DoesNotExist:
            self.error("CALL_NOT_FOUND", "There is no call with this call_sid or conversation_id.")
        except Error:
            self.error("SUBSCRIPTION_FAILED", "The database is away. Subscribe again in a moment.")

    def unsubscribe(self, identifier: Any) -> None:
        if not _is_identifier(identifier):
            self.error("INVALID_IDENTIFIER", "An identifier is a call_sid or a conversation_id.")
            return
        call_id = self.listener.subscription_to(identifier)
        if call_id is not None:
            self.hub.unsubscribe(self.listener, call_id)
        self.listener.send({"type": "unsubscribe_confirmed", "identifier": identifier, "message": "Unsubscribed."})

    def _has_room_for(self, call_id: int) -> bool:
        mine, limit = self.listener.subscriptions, settings.WS_MAX_SUBSCRIPTIONS
        return not limit or call_id in mine or len(mine) < limit


def _is_identifier(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= IDENTIFIER_MAX_LENGTH and value.isprintable()
