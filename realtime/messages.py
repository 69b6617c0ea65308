"""Every frame to a browser and every message between processes, defined once.

A frame is a Struct: its class is its builder, and `encode` gives its text, with the tag as `type`. docs/asyncapi.yaml
describes frames to other teams. Times are ISO 8601, UTC, with `Z`; durations are in seconds, costs in credits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypedDict

import msgspec

from calls.json_values import iso, json_number
from calls.models import Call, CallTranscription
from calls.redaction import redacted
from calls.turn import CallOfTurn, RecordedTurn
from realtime.call_state import CallState


class Frame(msgspec.Struct, tag_field="type", kw_only=True):
    """A message to a browser."""


def encode(part: msgspec.Struct | dict[str, Any]) -> str:
    """Return the JSON text of a frame, or of a part of a frame."""
    return msgspec.json.encode(part).decode()


def _names(call: Call | CallOfTurn | CallState) -> dict[str, Any]:
    return {"call_sid": call.call_sid, "conversation_id": call.conversation_id}


class SubscriptionConfirmed(Frame, tag="subscription_confirmed"):
    identifier: str
    call_sid: str
    conversation_id: str | None
    status: str
    last_sequence_number: int
    message: str

    @classmethod
    def of(cls, identifier: str, state: CallState) -> SubscriptionConfirmed:
        return cls(
            identifier=identifier,
            **_names(state),
            status=state.status,
            last_sequence_number=state.last_sequence_number,
            message=f"The call has ended: {state.status}." if state.ended else "Subscribed.",
        )


class UnsubscribeConfirmed(Frame, tag="unsubscribe_confirmed"):
    identifier: str
    message: str = "Unsubscribed."


class Transcription(Frame, tag="transcription"):
    """A turn of a call."""

    conversation_id: str | None
    call_sid: str
    transcription_id: int
    sequence_number: int
    speaker_type: str
    message_text: str
    timestamp: str

    @classmethod
    def of(cls, turn: CallTranscription | RecordedTurn, call: Call | CallOfTurn) -> Transcription:
        return cls(
            **_names(call),
            transcription_id=turn.pk,
            sequence_number=turn.sequence_number,
            speaker_type=turn.speaker_type,
            message_text=turn.message_text,
            timestamp=iso(turn.timestamp),
        )


class CallStatus(Frame, tag="call_status"):
    """The first of the two frames that end every subscription to a call."""

    conversation_id: str | None
    call_sid: str
    status: str
    call_end_time: str | None

    @classmethod
    def of(cls, call: Call) -> CallStatus:
        return cls(**_names(call), status=call.status, call_end_time=iso(call.call_end_time))


class ToldCall(msgspec.Struct, kw_only=True):
    """The fields of a call that ListedCall and CallData share, with secrets masked."""

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


class CallData(ToldCall, kw_only=True):
    """The data of a call that has ended."""

    analysis_data: Any
    metadata: Any


class CallCompleted(Frame, tag="call_completed"):
    """The second of the two frames that end every subscription to a call."""

    conversation_id: str | None
    call_sid: str
    call_data: CallData

    @classmethod
    def of(cls, call: Call) -> CallCompleted:
        data = CallData(
            status=call.status,
            driver_id=call.driver_id,
            **_names(call),
            call_start_time=iso(call.call_start_time),
            call_end_time=iso(call.call_end_time),
            duration_seconds=json_number(call.call_duration_seconds),
            transcript_summary=redacted(call.transcript_summary),
            cost=json_number(call.cost),
            call_successful=call.call_successful,
            analysis_data=redacted(call.analysis_data),
            metadata=redacted(call.metadata_json),
        )
        return cls(**_names(call), call_data=data)


class Reset(Frame, tag="reset"):
    """Tells the client to drop the turns that it has: all turns of the call follow, from number 1."""

    identifier: str
    call_sid: str
    conversation_id: str | None
    last_sequence_number: int

    @classmethod
    def of(cls, identifier: str, state: CallState) -> Reset:
        return cls(identifier=identifier, **_names(state), last_sequence_number=state.last_sequence_number)


class Heartbeat(Frame, tag="heartbeat"):
    calls: dict[str, int]  # the number of the newest turn that was sent, by the call_sid of each subscription


class Pong(Frame, tag="pong"):
    ping: Any


ErrorCode = Literal[
    "CALL_NOT_FOUND",
    "INVALID_IDENTIFIER",
    "INVALID_MESSAGE_FORMAT",
    "AUTHENTICATION_FAILED",
    "SUBSCRIPTION_FAILED",
    "SUBSCRIPTION_LIMIT",
    "RATE_LIMITED",
]


class ErrorFrame(Frame, tag="error"):
    """An error. `identifier` names a subscription that ends with it; it is unset in an error that answers a request."""

    message: str
    code: ErrorCode
    identifier: str | msgspec.UnsetType = msgspec.UNSET


class LastTurn(msgspec.Struct):
    speaker_type: str
    message_text: str
    timestamp: str | None


class ListedCall(ToldCall, kw_only=True):
    """A call in the list, encoded once for all watchers."""

    agent_id: str
    agent_name: str
    direction: str
    from_number: str
    to_number: str
    last_sequence_number: int
    last_turn: LastTurn | None
    failure_reason: str
    created_at: str | None


class Totals(msgspec.Struct, frozen=True):
    """The numbers of all calls, in the list or not. A number equal to `counted_up_to` means that many or more."""

    in_progress: int
    ended: int
    counted_up_to: int


class Snapshot(Frame, tag="snapshot"):
    number: int
    totals: Totals
    calls: list[msgspec.Raw]  # the whole list; each is an encoded ListedCall


class CallChanged(Frame, tag="call_changed"):
    number: int
    call: msgspec.Raw


class ListHeartbeat(Frame, tag="heartbeat"):
    number: int  # of the newest frame that was sent
    totals: Totals


class Notice(TypedDict):
    """A change of a call. `turn`: a new turn, as a Transcription; `ended`: the call has ended; `merged`: the call was
    merged with another row, or its turns were renumbered; `changed`: any other change.

    Another version of callsite may read it during a deployment: fields may be added, but never change their meaning.
    """

    type: Literal["turn", "ended", "merged", "changed"]
    call_id: int
    turn: NotRequired[dict[str, Any]]


def turn_notice(turn: RecordedTurn) -> Notice:
    """Return the notice of a new turn. A turn of an ended call is pushed to nobody: it only changes the call."""
    if turn.call.ended:
        return {"type": "changed", "call_id": turn.call.pk}
    told = msgspec.to_builtins(Transcription.of(turn, turn.call))
    return {"type": "turn", "call_id": turn.call.pk, "turn": told}


def call_notice(call_id: int, *, ended: bool) -> Notice:
    return {"type": "ended" if ended else "changed", "call_id": call_id}


# The notices that a process publishes at once. `from` is the id of the process, which skips its own batches by it.
Batch = TypedDict("Batch", {"type": Literal["batch"], "from": str | None, "messages": Sequence[Notice]})
