"""Merge two rows that turned out to be one call."""

from __future__ import annotations

from django.dispatch import Signal

from calls.merging_turns import merge_turns
from calls.models import Call, CallAlias, CallRecording, effects
from calls.outcome import Parties
from calls.review.merging import merge_reviews

# Sent with `stays` and `goes`, two calls, inside the transaction while both rows exist: receivers move their own rows.
calls_merged = Signal()

_FILLED = ("driver_id", "answered_by", "dial_state")
_OUTCOME = (
    *("transcription_time", "call_end_time", "call_duration_seconds", "cost", "cost_usd", "call_successful"),
    *("transcript_summary", "failure_reason", "analysis_data", "metadata_json", "final_transcript"),
)


def merge(stays: Call, goes: Call) -> Call:
    """Fill what `stays` lacks from `goes`, delete `goes`, and return `stays`. The caller has locked both rows."""
    calls_merged.send(Call, stays=stays, goes=goes)
    merge_turns(stays, goes)
    _merge_recordings(stays, goes)
    merge_reviews(stays, goes)
    for name in _FILLED:
        if not getattr(stays, name):
            setattr(stays, name, getattr(goes, name))
    for name in Parties.__slots__:
        if getattr(goes, name) and effects.source_of(goes, name) > effects.source_of(stays, name):
            setattr(stays, name, getattr(goes, name))
            stays.party_sources = {**stays.party_sources, name: effects.source_of(goes, name)}
    if goes.call_start_time and not stays.call_start_time:
        stays.call_start_time = goes.call_start_time
    _merge_outcomes(stays, goes)
    conversation_id = stays.conversation_id or goes.conversation_id
    names = {goes.call_sid, *CallAlias.objects.filter(call=goes).values_list("name", flat=True)} - {stays.call_sid}
    goes.delete()
    stays.conversation_id = conversation_id
    stays.created_at = min(stays.created_at, goes.created_at)
    known = set(stays.aliases.values_list("name", flat=True))
    CallAlias.objects.bulk_create([CallAlias(call=stays, name=name) for name in sorted(names - known)])
    stays.save()
    return stays


def _merge_recordings(stays: Call, goes: Call) -> None:
    """Keep the newest recording of both calls."""
    recordings = CallRecording.objects.filter(call__in=(stays, goes)).order_by("event_time", "pk")
    rows = list(recordings)
    for older in rows[:-1]:
        older.delete()
    for newest in rows[-1:]:
        newest.call = stays
        newest.save(update_fields=["call"])


def _merge_outcomes(stays: Call, goes: Call) -> None:
    """Keep the newest event's outcome. A transcription outranks a failure, and a completed call stays completed."""
    if not goes.ended:
        return
    completed = Call.Status.COMPLETED in (stays.status, goes.status)
    if not stays.ended or _outcome_of(goes) > _outcome_of(stays):
        for name in _OUTCOME:
            setattr(stays, name, getattr(goes, name))
        stays.status = goes.status
    if completed:
        stays.status = Call.Status.COMPLETED
    stays.final_sequence_number = stays.last_sequence_number


def _outcome_of(call: Call) -> tuple[bool, float]:
    time = call.transcription_time or call.call_end_time
    return call.transcription_time is not None, time.timestamp() if time else 0.0
