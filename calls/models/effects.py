"""Apply an event to a call's row in memory.

Each function works on a row that its caller has locked, and returns the names of the fields that changed.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from calls.outcome import CallFailure, Parties, PostCallData

if TYPE_CHECKING:
    from calls.models.call import Call


def take_post_call_data(call: Call, data: PostCallData) -> list[str]:
    completed = not data.failed or call.status == call.Status.COMPLETED
    changed = _end(call, call.Status.COMPLETED if completed else call.Status.FAILED)
    if call.transcription_time is None or data.event_time > call.transcription_time:
        changed += take_parties(call, data.parties, call.Source.TRANSCRIPTION)
        changed += set_fields(
            call,
            transcription_time=data.event_time,
            call_end_time=data.event_time,
            call_start_time=call.call_start_time or data.start_time,
            call_duration_seconds=data.duration_seconds,
            cost=data.cost,
            cost_usd=data.cost_usd,
            call_successful=data.call_successful,
            transcript_summary=data.transcript_summary,
            failure_reason=data.failure_reason,
            analysis_data=data.analysis,
            metadata_json=data.metadata,
            final_transcript=data.final_transcript,
        )
    return changed


def take_failure(call: Call, failure: CallFailure) -> list[str]:
    changed = take_parties(call, failure.parties, call.Source.FAILURE)
    newest = call.call_end_time is None or failure.event_time > call.call_end_time
    if call.transcription_time is None and newest and call.status != call.Status.COMPLETED:
        changed += _end(call, call.Status.FAILED)
        changed += set_fields(
            call,
            call_end_time=failure.event_time,
            failure_reason=failure.failure_reason,
            metadata_json=failure.metadata,
        )
    return changed


def take_end(call: Call, time: datetime, reason: str) -> list[str]:
    """End a call in progress as failed, though no event tells its end."""
    return _end(call, call.Status.FAILED) + set_fields(call, call_end_time=time, failure_reason=reason)


def _end(call: Call, status: str) -> list[str]:
    """Set a terminal status; the first time, also set the number of the last turn that subscribers hear."""
    if call.status == status:
        return []
    if not call.ended:
        call.final_sequence_number = call.last_sequence_number
    call.former_status, call.status = call.status, status
    return ["status", "final_sequence_number"]


def take_parties(call: Call, parties: Parties, source: int) -> list[str]:
    """Set the agent, direction and numbers from one source; a better source's values stay, whichever came first."""
    said = {name: getattr(parties, name) for name in parties.__slots__ if getattr(parties, name)}
    said = {
        name: value
        for name, value in said.items()
        if (known := source_of(call, name)) < source or (known == source and value != getattr(call, name))
    }
    if not said:
        return []
    return set_fields(call, **said, party_sources={**call.party_sources, **dict.fromkeys(said, int(source))})


def source_of(call: Call, name: str) -> int:
    """Return the source of a field; 0 if the field is empty. Without a noted source the field counts as registered."""
    source: int = call.party_sources.get(name, call.Source.REGISTERED) if getattr(call, name) else 0
    return source


def set_fields(call: Call, **values: Any) -> list[str]:
    for name, value in values.items():
        setattr(call, name, value)
    return list(values)
