"""What senders of webhooks get back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from calls.models import Call
from calls.turn import RecordedTurn
from webhooks.errors import CallNotFound, WebhookError
from webhooks.models import WebhookDelivery
from webhooks.payloads import MACHINE_DETECTION


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender gets."""

    status: int
    body: dict[str, Any]

    @property
    def json(self) -> bytes:
        return msgspec.json.encode(self.body)

    @property
    def headers(self) -> dict[str, str]:
        """Those that the status asks for, beside the type and the length of the body."""
        return {405: {"Allow": "POST"}, 503: {"Retry-After": "5"}}.get(self.status, {})


def turn_answer(turn: RecordedTurn, created: bool) -> Answer:
    """What the sender of a stored turn gets: 201, or 200 where it was stored before."""
    body = {
        "status": "success",
        "message": "Transcription stored successfully",
        "transcription_id": turn.pk,
        "sequence_number": turn.sequence_number,
    }
    return Answer(201 if created else 200, body)


def history_answer(call: Call, stored: int, last_sequence_number: int) -> Answer:
    """What the sender of a history gets."""
    body = {
        "status": "success",
        "message": "Conversation history stored successfully",
        "conversation_id": call.conversation_id,
        "call_sid": call.call_sid,
        "last_sequence_number": last_sequence_number,
        "stored": stored,
    }
    return Answer(200, body)


def answer_to_unmatched(delivery: WebhookDelivery, error: CallNotFound) -> Answer:
    """404 where somebody has to register the call; a verdict about a call that nobody registers is no failure."""
    if delivery.event_type != MACHINE_DETECTION:
        return answer_of(error)
    return Answer(200, {"status": "success", "message": "Event kept for its call", "type": delivery.event_type})


def answer_of(error: WebhookError) -> Answer:
    return Answer(error.status, error.body())
