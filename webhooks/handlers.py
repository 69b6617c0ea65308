"""Handle an event: find its call and run one verb of `calls` per event type, inside the inbox's transaction."""

from __future__ import annotations

from typing import Any, NamedTuple, assert_never

from django.conf import settings

from calls import recordings
from calls.linking import Name, NameRank, Reference, link
from calls.models import Call
from calls.outcome import Parties
from calls.record_history import NewHistory, record_history
from calls.turn import NewTurn, RecordedTurn
from calls.turns import record_turns, reference_of
from webhooks import journal
from webhooks.errors import CallNotFound
from webhooks.machine_detection import MachineDetection
from webhooks.payloads import Audio, InitiationFailure, Transcription
from webhooks.replies import Reply, history_reply, success, transcription_reply
from webhooks.tool_payloads import Initiation


class Handled(NamedTuple):
    """The result of an event: its call, the reply, and a note for the staff if something is odd."""

    call: Call
    reply: Reply
    note: str = ""


TWO_CALLS = "The names in it belong to two calls that both have a conversation of their own; nothing was linked."


def handle(event: Transcription | InitiationFailure | Audio | MachineDetection | NewHistory | Initiation) -> Handled:
    """Run the handler of the event's type. Raises CallNotFound."""
    match event:
        case Transcription():
            return handle_transcription(event)
        case InitiationFailure():
            return handle_initiation_failure(event)
        case Audio():
            return handle_audio(event)
        case MachineDetection():
            return handle_machine_detection(event)
        case NewHistory():
            return handle_history(event)
        case Initiation():
            return handle_initiation(event)
    assert_never(event)


def handle_transcription(event: Transcription) -> Handled:
    call, note = find_call(event.call)
    call = call.update_post_call_data(event.data)
    return Handled(call, transcription_reply(call), note)


def handle_initiation_failure(event: InitiationFailure) -> Handled:
    call, note = find_call(event.call)
    call = call.record_failed(event.failure)
    return Handled(call, success("Call failure data processed successfully", call), note)


def handle_machine_detection(event: MachineDetection) -> Handled:
    """Note on the call who answered. This never creates a call and never changes a status."""
    call, note = find_call(event.call, create=False)
    call = call.learn_agent(event.call.agent_id).learn_who_answered(event.answered_by)
    return Handled(call, success("Answering machine detection stored successfully", call), note)


def handle_audio(event: Audio) -> Handled:
    call, note = find_call(event.call)
    call = recordings.keep(call.learn_agent(event.call.agent_id), event.content, event.event_time)
    return Handled(call, success("Call recording stored successfully", call), note)


def handle_turn(turn: NewTurn) -> tuple[RecordedTurn, bool]:
    """Store one live turn; return it, and whether it is new. Raises CallNotFound."""
    journal.current().step = "look up"
    (recorded,) = record_turns([turn], create=settings.ELEVENLABS_CREATE_UNKNOWN_CALLS)
    if recorded is None:
        raise _not_found(reference_of(turn))
    journal.current().step = "apply"
    return recorded


def handle_history(history: NewHistory) -> Handled:
    """Store the sentences of a history of the conversation that are not stored yet."""
    journal.current().step = "look up"
    recorded = record_history(history, create=settings.ELEVENLABS_CREATE_UNKNOWN_CALLS)
    if recorded is None:
        raise _not_found(history.call)
    call, stored = recorded
    journal.current().found(call)
    return Handled(call, history_reply(call, stored, call.last_sequence_number))


def handle_initiation(initiation: Initiation) -> Handled:
    """Register the call, or add its agent and numbers to a known call."""
    call, note = find_call(reference_of_initiation(initiation), create=True)
    parties = Parties(
        agent_id=initiation.agent_id,
        direction=Call.Direction.INBOUND,
        from_number=initiation.from_number,
        to_number=initiation.to_number,
    )
    call = call.learn_parties(parties, Call.Source.INITIATION)
    return Handled(call, Reply(200, client_data(call.call_sid)), note)


def reference_of_initiation(initiation: Initiation) -> Reference:
    return Reference(
        conversation_id=initiation.conversation_id,
        names=(Name(initiation.call_sid, NameRank.INITIATION),) if initiation.call_sid else (),
        agent_id=initiation.agent_id,
        follows_conversation=False,
    )


def client_data(call_sid: str) -> dict[str, Any]:
    """Return the body of the reply to conversation-init: the variables that the agent is started with.

    A call fails if its agent defines a variable and does not get it, so `call_sid` is always there.
    """
    variables = {**settings.ELEVENLABS_DYNAMIC_VARIABLES, "call_sid": call_sid}
    return {"type": "conversation_initiation_client_data", "dynamic_variables": variables}


def find_call(reference: Reference, *, create: bool | None = None) -> tuple[Call, str]:
    """Return the call of an event, and a note if a name belongs to another call. Raises CallNotFound.

    `create`: create the call if there is none; None: as ELEVENLABS_CREATE_UNKNOWN_CALLS says.
    """
    journal.current().step = "look up"
    found = link(reference, create=settings.ELEVENLABS_CREATE_UNKNOWN_CALLS if create is None else create)
    if found.call is None:
        raise _not_found(reference)
    journal.current().found(found.call)
    return found.call, TWO_CALLS if found.conflict else ""


def _not_found(reference: Reference) -> CallNotFound:
    """Return the error. It names the `conversation_id` where the event follows it, else the first `call_sid`."""
    if reference.names and not (reference.conversation_id and reference.follows_conversation):
        return CallNotFound("call_sid", reference.names[0].text)
    return CallNotFound("conversation_id", reference.conversation_id or "")
