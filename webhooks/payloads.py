"""Parse post-call webhooks into the event types below. Code that uses an event does not see ElevenLabs' format.

Formats: https://elevenlabs.io/docs/eleven-agents/workflows/post-call-webhooks and the official SDK's types. Unknown
keys and values are normal; an optional field of the wrong type counts as absent; whole objects are kept as they came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from calls.linking import Name, NameRank, Reference
from calls.outcome import CallFailure, Parties, PostCallData
from webhooks.encoded_audio import decoded
from webhooks.errors import InvalidPayload
from webhooks.fields import identifier, mapping, moment, number, optional_identifier, required, text, whole
from webhooks.machine_detection import MachineDetection, machine_detection

TRANSCRIPTION, FAILURE, AUDIO = "post_call_transcription", "call_initiation_failure", "post_call_audio"
MACHINE_DETECTION = "answering_machine_detection"
SUPPORTED_TYPES = (TRANSCRIPTION, FAILURE, AUDIO, MACHINE_DETECTION)
# callsite ignores these types. ElevenLabs sends them to the same workspace webhook, for other products or formats.
IGNORED_TYPES = frozenset(
    {
        "post_call_transcription_otel",
        "unredacted_transcript",
        "unredacted_audio",
        "voice_removal_notice",
        "voice_removal_notice_withdrawn",
        "voice_removed",
        "speech_to_text",
        "speech_to_text_transcription",
        "agent_qa",
        "flows",
        "flows_generation",
        "flows_template_run",
        "dubbing",
    }
)


@dataclass(frozen=True, slots=True)
class Transcription:
    call: Reference
    data: PostCallData


@dataclass(frozen=True, slots=True)
class InitiationFailure:
    call: Reference
    failure: CallFailure


@dataclass(frozen=True, slots=True)
class Audio:
    call: Reference
    event_time: datetime
    content: bytes


@dataclass(frozen=True, slots=True)
class Ignored:
    type: str


Event = Transcription | InitiationFailure | Audio | MachineDetection | Ignored


def parse_event(body: dict[str, Any]) -> Event:
    """Return the event of a decoded post-call webhook. Raises InvalidPayload, which names the field."""
    kind = required(body, "type")
    if not isinstance(kind, str):
        raise InvalidPayload("Field type must be a string.")
    if kind == MACHINE_DETECTION:
        return machine_detection(body.get("data")) or Ignored(kind)
    if kind in IGNORED_TYPES:
        return Ignored(kind)
    if kind not in SUPPORTED_TYPES:
        raise InvalidPayload(f"Unknown type. Supported: {', '.join(SUPPORTED_TYPES)}.")
    stamp = required(body, "event_timestamp")
    event_time = moment(stamp)
    if event_time is None:
        raise InvalidPayload("Field event_timestamp must be unix seconds or an ISO 8601 time.")
    data = required(body, "data")
    if not isinstance(data, dict):
        raise InvalidPayload("Field data must be an object.")
    call = call_reference(data)
    if kind == TRANSCRIPTION:
        return Transcription(call, _call_data(data, event_time))
    if kind == FAILURE:
        return InitiationFailure(call, _call_failure(data, event_time))
    return Audio(call, event_time, _audio(data))


def call_reference(data: dict[str, Any]) -> Reference:
    """Return the names of a call from the `data` of any event. Raises InvalidPayload without a conversation_id."""
    variables = mapping(mapping(data.get("conversation_initiation_client_data")).get("dynamic_variables"))
    metadata = mapping(data.get("metadata"))
    given = data.get("conversation_id")
    if given is None:
        given = variables.get("system__conversation_id")
    provider = mapping(metadata.get("body"))
    by_provider = (
        mapping(metadata.get("phone_call")).get("call_sid"),
        variables.get("system__call_sid"),
        provider.get("CallSid"),
        provider.get("call_sid"),
    )
    # callsite's own call_sid, from conversation-init or dialling; a claim, as whoever starts a conversation may set it
    claims = [Name(sid, NameRank.CLAIMED, is_claim=True) for sid in _identifiers(variables.get("call_sid"))]
    return Reference(
        conversation_id=identifier(
            required({"conversation_id": given}, "conversation_id", "data."), "data.conversation_id"
        ),
        names=(*claims, *(Name(sid, NameRank.PROVIDER) for sid in _identifiers(*by_provider))),
        agent_id=text(data.get("agent_id"), 255),
    )


def _identifiers(*values: Any) -> list[str]:
    """Return the values that are valid identifiers, each once."""
    return list(dict.fromkeys(sid for sid in map(optional_identifier, values) if sid))


def _call_data(data: dict[str, Any], event_time: datetime) -> PostCallData:
    metadata, analysis = mapping(data.get("metadata")), mapping(data.get("analysis"))
    phone = mapping(metadata.get("phone_call"))
    duration = number(metadata.get("call_duration_secs"))
    failed = data.get("status") == "failed"
    reason = text(mapping(metadata.get("error")).get("reason")) or text(metadata.get("termination_reason"))
    return PostCallData(
        event_time=event_time,
        failed=failed,
        failure_reason=reason if failed else "",
        parties=_parties(data, phone.get("direction"), phone.get("agent_number"), phone.get("external_number")),
        start_time=moment(metadata.get("start_time_unix_secs")),
        duration_seconds=duration if duration is not None and duration >= 0 else None,
        cost=number(metadata.get("cost")),
        cost_usd=number(metadata.get("cost_fiat")),
        call_successful=_call_successful(analysis.get("call_successful")),
        transcript_summary=text(analysis.get("transcript_summary")),
        analysis=whole(data.get("analysis"), dict),
        metadata=whole(data.get("metadata"), dict),
        final_transcript=whole(data.get("transcript"), list),
    )


def _call_failure(data: dict[str, Any], event_time: datetime) -> CallFailure:
    provider = mapping(mapping(data.get("metadata")).get("body"))
    # The fields of Twilio, or of a SIP trunk. Only outbound calls can fail like this.
    caller = text(provider.get("From")) or text(provider.get("from_number"))
    called = text(provider.get("To")) or text(provider.get("to_number"))
    return CallFailure(
        event_time=event_time,
        failure_reason=text(data.get("failure_reason")),
        parties=_parties(data, "outbound" if provider else None, caller, called),
        metadata=whole(data.get("metadata"), dict),
    )


def _parties(data: dict[str, Any], direction: Any, agent_number: Any, other_number: Any) -> Parties:
    direction = direction if direction in ("inbound", "outbound") else ""
    agent, other = text(agent_number, 64), text(other_number, 64)
    return Parties(
        agent_id=text(data.get("agent_id"), 255),
        agent_name=text(data.get("agent_name"), 255),
        direction=direction,
        from_number=other if direction == "inbound" else agent,
        to_number=agent if direction == "inbound" else other,
    )


def _call_successful(value: Any) -> bool | None:
    """Return whether the call was successful; None if that is unknown.

    ElevenLabs sends "success", "failure" or "unknown"; older and foreign clients send true or false.
    """
    if isinstance(value, bool):
        return value
    return {"success": True, "failure": False}.get(value) if isinstance(value, str) else None


def _audio(data: dict[str, Any]) -> bytes:
    encoded = required(data, "full_audio", "data.")
    if not isinstance(encoded, str | memoryview):
        raise InvalidPayload("Field data.full_audio must be a base64 string.")
    try:
        content = decoded(encoded)
    except ValueError:
        raise InvalidPayload("Field data.full_audio is not base64.") from None
    if not content:
        raise InvalidPayload("Field data.full_audio is empty.")
    return content
