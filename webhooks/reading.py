"""Read a delivery: decode and parse its body, and note its type and names on its row and in the journal."""

from __future__ import annotations

import contextlib
from typing import Any

from structlog.contextvars import bind_contextvars

from calls.linking import Reference
from calls.record_history import NewHistory
from calls.turn import NewTurn
from calls.turns import reference_of
from webhooks import journal
from webhooks.encoded_audio import decode_recording
from webhooks.errors import WebhookError
from webhooks.models import WebhookDelivery
from webhooks.payloads import Audio, Event, Ignored, InitiationFailure, Transcription, parse_event
from webhooks.strict_json import decode
from webhooks.tool_payloads import Initiation, parse_initiation, parse_live

Route = WebhookDelivery.Route


def read(delivery: WebhookDelivery) -> Event | NewTurn | NewHistory | Initiation:
    """Return the parsed event, and set the delivery's event type and names. Raises InvalidPayload.

    Later log lines in this context carry the ids.
    """
    entry = journal.current()
    entry.step = "decode"
    raw = bytes(delivery.body)
    body = decode_recording(raw) or decode(raw)
    entry.step = "parse"
    said: Event | NewTurn | NewHistory | Initiation
    if delivery.route == Route.POST_CALL:
        kind = body.get("type")
        delivery.event_type = kind[:64] if isinstance(kind, str) else ""
        said = parse_event(body)
        if not isinstance(said, Ignored):
            _note_names(delivery, said.call)
    elif delivery.route == Route.TRANSCRIPTION:
        said = parse_live(body)
        delivery.event_type = "turn" if isinstance(said, NewTurn) else "history"
        _note_names(delivery, reference_of(said) if isinstance(said, NewTurn) else said.call)
    else:
        said = parse_initiation(body)
        delivery.names = [name for name in (said.conversation_id, said.call_sid) if name]
        delivery.conversation_id, delivery.call_sid = said.conversation_id or "", said.call_sid or ""
    ids = {"conversation_id": delivery.conversation_id or None, "call_sid": delivery.call_sid or None}
    bind_contextvars(**ids)
    entry.learn(type=delivery.event_type or None, **ids, **_numbers_of(said))
    return said


def _note_names(delivery: WebhookDelivery, call: Reference) -> None:
    delivery.names = call.texts
    delivery.conversation_id = call.conversation_id or ""
    delivery.call_sid = call.names[0].text if call.names else ""


def _numbers_of(said: Event | NewTurn | NewHistory | Initiation) -> dict[str, Any]:
    """Return what the log may show of an event: no words, no names, no phone numbers."""
    match said:
        case Transcription(data=data):
            return {
                "event_time": data.event_time,
                "duration_seconds": data.duration_seconds,
                "cost": data.cost,
                "summary_length": len(data.transcript_summary),
            }
        case InitiationFailure(failure=failure):
            return {"event_time": failure.event_time}
        case Audio():
            return {"event_time": said.event_time, "recording_bytes": len(said.content)}
    return {}


def identify(route: str, body: bytes) -> None:
    """Note in the journal the ids of a webhook that failed, maybe before it was read."""
    with contextlib.suppress(WebhookError):
        read(WebhookDelivery(route=route, body=body))
