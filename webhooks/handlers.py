"""What an event means for a call: one verb of `calls.models` each. Run inside the inbox's transaction."""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from calls.models import Call
from calls.outcome import Parties
from calls.turn import NewTurn, RecordedTurn
from calls.turns import record_turns
from webhooks import journal
from webhooks.errors import CallNotFound
from webhooks.payloads import Audio, CallReference, Ignored, InitiationFailure, Transcription
from webhooks.tool_payloads import Initiation


def handle_transcription(event: Transcription) -> tuple[Call, dict[str, Any]]:
    call = find_call(event.call).update_post_call_data(event.data)
    return call, transcription_answer(call)


def transcription_answer(call: Call) -> dict[str, Any]:
    return _success("Call completion data processed successfully", call)


def handle_initiation_failure(event: InitiationFailure) -> tuple[Call, dict[str, Any]]:
    call = find_call(event.call).record_failed(event.failure)
    return call, _success("Call failure data processed successfully", call)


def handle_audio(event: Audio) -> tuple[Call, dict[str, Any]]:
    """The file is written before the row, once; where the row does not come to be, a new file goes again."""
    call = find_call(event.call)
    digest = hashlib.sha256(event.content).hexdigest()
    name = f"recordings/{call.pk}/{digest[:32]}.mp3"
    is_new = not default_storage.exists(name) or default_storage.size(name) != len(event.content)
    if is_new:
        name = default_storage.save(name, ContentFile(event.content))
    try:
        with transaction.atomic():
            call = call.keep_recording(
                file=name, size_bytes=len(event.content), sha256=digest, event_time=event.event_time
            )
    except BaseException:
        if is_new:
            default_storage.delete(name)
        raise
    return call, _success("Call recording stored successfully", call)


def handle_ignored(event: Ignored) -> tuple[None, dict[str, Any]]:
    return None, {"status": "success", "message": "Event ignored", "type": event.type}


def handle_turn(turn: NewTurn) -> tuple[RecordedTurn, bool]:
    find_turns_call(turn)
    (recorded,) = record_turns([turn])
    if recorded is None:
        raise Call.DoesNotExist
    return recorded


def handle_initiation(initiation: Initiation) -> tuple[Call, dict[str, Any]]:
    """The call is registered, or the one that is known learns what is new of it."""
    parties = Parties(agent_id=initiation.agent_id, from_number=initiation.from_number, to_number=initiation.to_number)
    call = Call.register_inbound(
        call_sid=initiation.call_sid, conversation_id=initiation.conversation_id, parties=parties
    )
    return call, client_data(call.call_sid)


def client_data(call_sid: str) -> dict[str, Any]:
    """What conversation-init is answered: the variables that the agent is started with.

    A variable that the agent defines and does not get fails the call, so `call_sid` is always there.
    """
    variables = {**settings.ELEVENLABS_DYNAMIC_VARIABLES, "call_sid": call_sid}
    return {"type": "conversation_initiation_client_data", "dynamic_variables": variables}


def find_call(reference: CallReference) -> Call:
    """The call of a post-call event; raises CallNotFound."""
    entry = journal.current()
    entry.step = "look up"
    call = _existing(reference) or _created(reference.call_sid, reference.conversation_id)
    if call is None:
        raise CallNotFound("conversation_id", reference.conversation_id)
    entry.found(call)
    return call


def find_turns_call(turn: NewTurn) -> Call:
    """The call of a live turn, by either identifier; raises CallNotFound like `find_call`."""
    entry = journal.current()
    entry.step = "look up"
    call = _existing_by_either(turn) or _created(turn.call_sid, turn.conversation_id)
    if call is None:
        key = "call_sid" if turn.call_sid else "conversation_id"
        raise CallNotFound(key, turn.call_sid or turn.conversation_id or "")
    entry.found(call)
    return call


def _existing(reference: CallReference) -> Call | None:
    call = Call.objects.filter(conversation_id=reference.conversation_id).first()
    if call is None and reference.call_sid:
        call = Call.objects.filter(call_sid=reference.call_sid, conversation_id=None).first()
        call = call and call.link_conversation(reference.conversation_id)
    return call


def _existing_by_either(turn: NewTurn) -> Call | None:
    call = Call.objects.filter(call_sid=turn.call_sid).first() if turn.call_sid else None
    if call is None and turn.conversation_id:
        call = Call.objects.filter(conversation_id=turn.conversation_id).first()
    return call


def _created(call_sid: str | None, conversation_id: str | None) -> Call | None:
    if not settings.ELEVENLABS_CREATE_UNKNOWN_CALLS:
        return None
    taken = call_sid is not None and Call.objects.filter(call_sid=call_sid).exists()
    own = call_sid if call_sid and not taken else conversation_id
    return Call.register(call_sid=own or "", conversation_id=conversation_id)


def _success(message: str, call: Call) -> dict[str, Any]:
    return {
        "status": "success",
        "message": message,
        "conversation_id": call.conversation_id,
        "call_sid": call.call_sid,
        "call_status": call.status,
    }
