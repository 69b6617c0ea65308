"""Every message to a browser, defined once, and its text. docs/asyncapi.yaml describes the same to other teams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

import msgspec


class SubscriptionConfirmed(TypedDict):
    type: Literal["subscription_confirmed"]
    identifier: str
    call_sid: str
    conversation_id: str | None
    status: str
    last_sequence_number: int
    message: str


class UnsubscribeConfirmed(TypedDict):
    type: Literal["unsubscribe_confirmed"]
    identifier: str
    message: str


class Transcription(TypedDict):
    type: Literal["transcription"]
    conversation_id: str | None
    call_sid: str
    transcription_id: int
    sequence_number: int
    speaker_type: str
    message_text: str
    timestamp: str


class CallStatus(TypedDict):
    type: Literal["call_status"]
    conversation_id: str | None
    call_sid: str
    status: str
    call_end_time: str | None


class CallData(TypedDict):
    status: str
    driver_id: str
    call_sid: str
    conversation_id: str | None
    call_start_time: str | None
    call_end_time: str | None
    duration_seconds: int | float | None
    transcript_summary: str
    cost: int | float | None
    call_successful: bool | None
    analysis_data: Any
    metadata: Any


class CallCompleted(TypedDict):
    type: Literal["call_completed"]
    conversation_id: str | None
    call_sid: str
    call_data: CallData


class Reset(TypedDict):
    """The client was ahead of the call: what follows is everything from 1."""

    type: Literal["reset"]
    identifier: str
    call_sid: str
    conversation_id: str | None
    last_sequence_number: int


class Pong(TypedDict):
    type: Literal["pong"]
    ping: Any


class Heartbeat(TypedDict):
    """`calls`: of each subscription, the number of the newest turn that was sent."""

    type: Literal["heartbeat"]
    calls: dict[str, int]


ErrorCode = Literal[
    "CALL_NOT_FOUND",
    "INVALID_IDENTIFIER",
    "INVALID_MESSAGE_FORMAT",
    "AUTHENTICATION_FAILED",
    "SUBSCRIPTION_FAILED",
    "SUBSCRIPTION_LIMIT",
    "RATE_LIMITED",
]


class Error(TypedDict):
    """`identifier`: of the subscription that ends by an error which answers no request."""

    type: Literal["error"]
    message: str
    code: ErrorCode
    identifier: NotRequired[str]


Message = (
    SubscriptionConfirmed
    | UnsubscribeConfirmed
    | Transcription
    | CallStatus
    | CallCompleted
    | Reset
    | Pong
    | Heartbeat
    | Error
)


def encode(message: Message) -> str:
    """The text of a frame."""
    return msgspec.json.encode(message).decode()


@dataclass(frozen=True, slots=True)
class CallState:
    """A call at one moment. `final_sequence_number` is None while it runs."""

    call_id: int
    call_sid: str
    conversation_id: str | None
    status: str
    last_sequence_number: int
    final_sequence_number: int | None

    @property
    def ended(self) -> bool:
        return self.final_sequence_number is not None


def subscription_confirmed(identifier: str, state: CallState) -> SubscriptionConfirmed:
    ended = f"The call has ended: {state.status}." if state.ended else "Subscribed."
    return {
        "type": "subscription_confirmed",
        "identifier": identifier,
        "call_sid": state.call_sid,
        "conversation_id": state.conversation_id,
        "status": state.status,
        "last_sequence_number": state.last_sequence_number,
        "message": ended,
    }


def reset(identifier: str, state: CallState) -> Reset:
    return {
        "type": "reset",
        "identifier": identifier,
        "call_sid": state.call_sid,
        "conversation_id": state.conversation_id,
        "last_sequence_number": state.last_sequence_number,
    }


def error(code: ErrorCode, message: str) -> Error:
    return {"type": "error", "message": message, "code": code}


def subscription_ended(identifier: str) -> Error:
    """The call is gone: what the client did not ask for, so it names the subscription."""
    return {"type": "error", "message": "The call was deleted.", "code": "CALL_NOT_FOUND", "identifier": identifier}
