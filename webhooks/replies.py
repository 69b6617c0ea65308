"""The replies to webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from calls.models import Call
from calls.turn import RecordedTurn
from webhooks.errors import CallNotFound, WebhookError
from webhooks.models import WebhookDelivery
from webhooks.payloads import MACHINE_DETECTION, Ignored


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to a webhook: its HTTP status and its JSON body."""

    status: int
    body: dict[str, Any]

    @property
    def json(self) -> bytes:
        return msgspec.json.encode(self.body)

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that the status needs, besides Content-Type and Content-Length."""
        return {405: {"Allow": "POST"}, 503: {"Retry-After": "5"}}.get(self.status, {})


def turn_reply(turn: RecordedTurn, created: bool) -> Reply:
    """Return the reply to a stored turn: 201, or 200 if it was stored before."""
    body = {
        "status": "success",
        "message": "Transcription stored successfully",
        "transcription_id": turn.pk,
        "sequence_number": turn.sequence_number,
    }
    return Reply(201 if created else 200, body)


def transcription_reply(call: Call) -> Reply:
    return success("Call completion data processed successfully", call)


def success(message: str, call: Call) -> Reply:
    """Return the reply to an event that was applied to a call."""
    body = {
        "status": "success",
        "message": message,
        "conversation_id": call.conversation_id,
        "call_sid": call.call_sid,
        "call_status": call.status,
    }
    return Reply(200, body)


def ignored_reply(event: Ignored) -> Reply:
    return Reply(200, {"status": "success", "message": "Event ignored", "type": event.type})


def history_reply(call: Call, stored: int, last_sequence_number: int) -> Reply:
    """Return the reply to a history. `stored` is the number of turns that it added."""
    body = {
        "status": "success",
        "message": "Conversation history stored successfully",
        "conversation_id": call.conversation_id,
        "call_sid": call.call_sid,
        "last_sequence_number": last_sequence_number,
        "stored": stored,
    }
    return Reply(200, body)


def reply_to_unmatched(delivery: WebhookDelivery, error: CallNotFound) -> Reply:
    """Return 404, as somebody has to register the call; a machine detection gets 200, as its call may stay unknown."""
    if delivery.event_type != MACHINE_DETECTION:
        return reply_of(error)
    return Reply(200, {"status": "success", "message": "Event kept for its call", "type": delivery.event_type})


def reply_of(error: WebhookError) -> Reply:
    return Reply(error.status, error.body())
