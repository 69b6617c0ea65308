"""Foresee what applying a delivery again would do: parse it and look up its call, without a lock or a write."""

from __future__ import annotations

import logging
from typing import NamedTuple

from django.conf import settings

from calls.linking import Reference, look_for
from calls.models import Call, CallRecording
from calls.record_history import NewHistory
from calls.turn import NewTurn
from calls.turns import reference_of
from webhooks import journal
from webhooks.errors import WebhookError
from webhooks.handlers import TWO_CALLS, reference_of_initiation
from webhooks.inbox import as_it_came
from webhooks.journal import Entry
from webhooks.machine_detection import MachineDetection
from webhooks.models import LARGE_BYTES, WebhookDelivery
from webhooks.payloads import Audio, Ignored, InitiationFailure, Transcription
from webhooks.reading import read
from webhooks.tool_payloads import Initiation
from webhooks.why import line

logger = logging.getLogger(__name__)
Outcome = WebhookDelivery.Outcome
_About = Transcription | InitiationFailure | Audio | MachineDetection | NewTurn | NewHistory | Initiation


class Foreseen(NamedTuple):
    """The expected result of applying a delivery: its outcome, a sentence about the effect, and the call, if any."""

    outcome: Outcome
    text: str
    call: Call | None = None


def foresee(delivery: WebhookDelivery) -> Foreseen:
    """Return what applying the delivery again would do.

    The real result may differ: another event may come first, and some bugs of callsite show only when it is applied.
    """
    if delivery.size_bytes > LARGE_BYTES and delivery.event_type != "post_call_audio":
        return Foreseen(Outcome(delivery.outcome), "It is too large to be looked into here; apply it to see.")
    copy = WebhookDelivery(pk=delivery.pk, route=delivery.route, body=delivery.body, received_at=delivery.received_at)
    try:
        return journal.under(Entry(delivery.route), _foresee, copy)
    except Exception as error:
        logger.exception("What would happen to delivery %d cannot be foreseen", delivery.pk)
        return Foreseen(Outcome.FAILED, f"A fault of callsite's: {type(error).__name__}. The log has the place.")


def _foresee(delivery: WebhookDelivery) -> Foreseen:
    try:
        event = read(delivery)
    except WebhookError as error:
        return Foreseen(Outcome.REJECTED, line(error.details))
    if isinstance(event, Ignored):
        return Foreseen(Outcome.IGNORED, f"callsite does nothing with {line(event.type)}.")
    if isinstance(event, NewTurn):
        event = as_it_came(delivery, event)
    found, conflict = look_for(_reference_of(event))
    rows = Call.objects.only("call_sid", "status", "transcription_time", "call_end_time")
    call = rows.filter(pk__in=[owner.pk for owner in found]).order_by("pk").first()
    if call is None:
        return _of_an_unknown_call(event, delivery)
    text = _what(event, call)
    if len(found) > 1:
        text = f"{len(found)} rows turn out to be one call and become one. {text}"
    return Foreseen(Outcome.APPLIED, f"{text} {TWO_CALLS}" if conflict else text, call)


def _reference_of(event: _About) -> Reference:
    if isinstance(event, NewTurn):
        return reference_of(event)
    return reference_of_initiation(event) if isinstance(event, Initiation) else event.call


def _of_an_unknown_call(event: _About, delivery: WebhookDelivery) -> Foreseen:
    creates = isinstance(event, Initiation) or settings.ELEVENLABS_CREATE_UNKNOWN_CALLS
    if creates and not isinstance(event, MachineDetection):
        return Foreseen(Outcome.APPLIED, "Makes a call, as there is none with its names.")
    return Foreseen(Outcome.UNMATCHED, f"Goes on waiting for a call named {line(' or '.join(delivery.names))}.")


def _what(event: _About, call: Call) -> str:
    match event:
        case Transcription(data=data):
            if call.transcription_time is not None and data.event_time <= call.transcription_time:
                return "Changes nothing: this transcription, or a newer one, was applied."
            if call.transcription_time is not None:
                return "Refreshes the data of the call."
            return "The call becomes failed." if data.failed and call.status != "completed" else "Completes the call."
        case InitiationFailure(failure=failure):
            newest = call.call_end_time is None or failure.event_time > call.call_end_time
            if call.transcription_time is None and newest and call.status != "completed":
                return "The call becomes failed."
            return "Adds who took part, at most: the call has a newer outcome."
        case Audio():
            newer = CallRecording.objects.filter(call=call, event_time__gte=event.event_time).exists()
            return "Changes nothing: this recording, or a newer one, is kept." if newer else "Keeps the recording."
        case MachineDetection():
            return f"Notes who answered: {event.answered_by or 'it does not say'}."
        case NewTurn():
            if event.turn_id and call.transcriptions.filter(turn_id=event.turn_id).exists():
                return "Changes nothing: this turn is stored."
            return "Stores the turn."
        case NewHistory():
            return f"Stores what of its {len(event.sentences)} sentences is not stored yet."
    return "The call learns its numbers and its agent, where they are not known better."
