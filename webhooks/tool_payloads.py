"""Parse what an agent's server tools send: live turns, histories, and the question before an inbound call.

Server tools: https://elevenlabs.io/docs/eleven-agents/customization/tools/server-tools. Both the flat form and the
envelope `{"parameters": {...}}` occur; a parameter that was not used arrives as "".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from calls.record_history import NewHistory
from calls.sentences import Sentence
from calls.turn import NewTurn
from calls.turns import live_reference
from webhooks.errors import InvalidPayload
from webhooks.fields import identifier, moment, optional_identifier, required, text
from webhooks.strict_json import decode

SPEAKERS = {"agent": "agent", "user": "driver"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiation:
    """An inbound call that is about to be answered. It has at least a call_sid or a conversation_id."""

    call_sid: str | None
    conversation_id: str | None
    agent_id: str
    from_number: str
    to_number: str


def parse_live(body: dict[str, Any]) -> NewTurn | NewHistory:
    """Return a live turn, or the history of the call so far. Raises InvalidPayload, which names the field."""
    turn = body.get("parameters", body)
    if isinstance(turn, dict) and turn.get("history") not in (None, ""):
        return _parse_history(body, turn)
    return parse_turn(body)


def _parse_history(body: dict[str, Any], turn: dict[str, Any]) -> NewHistory:
    """Parse `history`, which is ElevenLabs' `system__conversation_history`: an object, or its JSON text."""
    call_sid, conversation_id, agent_id = _names(body, turn)
    history = turn["history"]
    if isinstance(history, str):
        try:
            history = decode(history.encode("utf-8", "replace"))
        except InvalidPayload as error:
            raise InvalidPayload(f"Field history must be a JSON object. {error.details}") from None
    entries = history.get("entries") if isinstance(history, dict) else None
    if not isinstance(entries, list):
        raise InvalidPayload('Field history must be an object with a list "entries".')
    return NewHistory(call=live_reference(call_sid, conversation_id, agent_id), sentences=tuple(_sentences(entries)))


def _sentences(entries: list[Any]) -> Iterator[Sentence]:
    """Yield the entries that have a message; an entry without one describes a tool. Raises InvalidPayload."""
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise InvalidPayload(f"Field history.entries[{number}] must be an object.")
        message = entry.get("message")
        if message is None or (isinstance(message, str) and not message.strip()):
            continue
        if not isinstance(message, str):
            raise InvalidPayload(f"Field history.entries[{number}].message must be a string.")
        if entry.get("role") not in SPEAKERS:
            raise InvalidPayload(f'Field history.entries[{number}].role must be "agent" or "user".')
        yield Sentence(SPEAKERS[entry["role"]], message)


def parse_turn(body: dict[str, Any]) -> NewTurn:
    """Return a live turn. Raises InvalidPayload, which names the field."""
    turn = body.get("parameters", body)
    if not isinstance(turn, dict):
        raise InvalidPayload("Field parameters must be an object.")
    call_sid, conversation_id, agent_id = _names(body, turn)
    speaker = required(turn, "speaker")
    if not isinstance(speaker, str) or speaker not in SPEAKERS:
        raise InvalidPayload('Field speaker must be "agent" or "user".')
    message = required(turn, "message")
    if not isinstance(message, str) or not message.strip():
        raise InvalidPayload("Field message must be a string that is not empty.")
    turn_id = turn.get("turn_id")
    return NewTurn(
        call_sid=call_sid,
        conversation_id=conversation_id,
        speaker_type=SPEAKERS[speaker],
        message_text=message,
        timestamp=_timestamp(turn.get("timestamp")),
        turn_id=None if turn_id in (None, "") else identifier(_as_text(turn_id), "turn_id"),
        agent_id=agent_id,
    )


def parse_initiation(body: dict[str, Any]) -> Initiation:
    """Return the inbound call that ElevenLabs asks about. Raises InvalidPayload if the body names no call.

    https://elevenlabs.io/docs/eleven-agents/customization/personalization: `call_sid` is "" for WhatsApp and SMS.
    """
    call_sid, conversation_id = (optional_identifier(body.get(name)) for name in ("call_sid", "conversation_id"))
    if call_sid is None and conversation_id is None:
        raise InvalidPayload("Missing required field: call_sid or conversation_id")
    return Initiation(
        call_sid=call_sid,
        conversation_id=conversation_id,
        agent_id=text(body.get("agent_id"), 255),
        from_number=text(body.get("caller_id"), 64),
        to_number=text(body.get("called_number"), 64),
    )


def _names(body: dict[str, Any], turn: dict[str, Any]) -> tuple[str | None, str | None, str]:
    """Return a live body's call_sid, conversation_id and agent_id. The envelope may hold the last two."""
    call_sid = _given(turn, "call_sid")
    conversation_id = _given(turn, "conversation_id") or _given(body, "conversation_id")
    if call_sid is None and conversation_id is None:
        raise InvalidPayload("Missing required field: call_sid or conversation_id")
    agent_id = optional_identifier(turn.get("agent_id")) or optional_identifier(body.get("agent_id")) or ""
    return call_sid, conversation_id, agent_id


def _given(holder: dict[str, Any], name: str) -> str | None:
    value = holder.get(name)
    return None if value in (None, "") else identifier(value, name)


def _timestamp(value: Any) -> datetime | None:
    if value in (None, ""):
        return None
    parsed = moment(value)
    if parsed is None:
        raise InvalidPayload("Field timestamp must be an ISO 8601 time.")
    return parsed


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
