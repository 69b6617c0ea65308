"""The value types of a turn, for the code that stores turns and the code that is told of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTurn:
    """An utterance to store. At least one identifier is given; if they name two calls, `call_sid` wins.

    `speaker_type` is "agent" or "driver". `turn_id` is the sender's idempotency key. `arrived_at` is the time of
    arrival, if that was before now. Without a `timestamp` the turn was said when it arrived.
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
    """A stored turn."""

    pk: int
    call: CallOfTurn
    sequence_number: int
    speaker_type: str
    message_text: str
    timestamp: datetime


# The stored turn, and whether it is new: False if it was stored before. None: there is no such call.
Recorded = tuple[RecordedTurn, bool] | None
