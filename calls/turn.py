"""The value types of a turn, for whoever stores turns and whoever hears of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTurn:
    """One utterance to be stored. At least one identifier is given; where they name two calls, `call_sid` wins.

    `speaker_type` is "agent" or "driver". `turn_id` is the sender's idempotency key. `arrived_at` is when it came, if
    that was before now; without a `timestamp` it was said when it came.
    """

    call_sid: str | None = None
    conversation_id: str | None = None
    speaker_type: str
    message_text: str
    timestamp: datetime | None = None
    turn_id: str | None = None
    agent_id: str = ""
    arrived_at: datetime | None = None


@dataclass(slots=True)
class CallOfTurn:
    """The call of a stored turn, as it was when the turn was stored."""

    pk: int
    call_sid: str
    conversation_id: str | None
    ended: bool


@dataclass(slots=True)
class RecordedTurn:
    """A turn as it is stored."""

    pk: int
    call: CallOfTurn
    sequence_number: int
    speaker_type: str
    message_text: str
    timestamp: datetime


# The stored turn, and whether this call stored it: False where its `turn_id` was known. None: there is no such call.
Recorded = tuple[RecordedTurn, bool] | None
