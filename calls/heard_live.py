"""Measure how exactly a call was heard live, against the transcript that ElevenLabs sends at its end."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from statistics import median
from typing import Any, TypedDict

from calls.conversation import Heard, record_of
from calls.models import Call, CallTranscription
from calls.sentences import Sentence

_SPEAKERS = {"agent": CallTranscription.SpeakerType.AGENT, "user": CallTranscription.SpeakerType.DRIVER}


class HeardLive(TypedDict):
    """How many `sentences` of the final transcript were `heard` live in the same words, `reworded`, or `missed`.

    A sentence that an interruption cut counts as heard. Delays are in seconds, of heard sentences, from
    `created_at_unix_ms` of the final transcript until the turn came; null where ElevenLabs gives no such times.
    """

    sentences: int
    heard: int
    reworded: int
    missed: int
    delay_median: float | None
    delay_max: float | None


def heard_live(call: Call) -> HeardLive | None:
    """Return the measurement of a call; None while the call has no final transcript."""
    if call.final_transcript is None:
        return None
    turns = call.transcriptions.order_by("sequence_number").only("speaker_type", "message_text", "created_at")
    if call.final_sequence_number is not None:
        turns = turns.filter(sequence_number__lte=call.final_sequence_number)
    live = list(turns)
    entries = call.final_transcript if isinstance(call.final_transcript, list) else []
    said = [sentence_of(entry) for entry in entries]
    rows = record_of([Sentence(row.speaker_type, row.message_text) for row in live], said)
    heard = Counter(row.heard for row in rows if row.final is not None and said[row.final] is not None)
    delays = [
        delay
        for row in rows
        if row.heard is Heard.SAME and row.live is not None and row.final is not None
        if (delay := _delay(live[row.live].created_at, entries[row.final])) is not None
    ]
    return {
        "sentences": heard.total(),
        "heard": heard[Heard.SAME],
        "reworded": heard[Heard.REWORDED],
        "missed": heard[Heard.AFTERWARDS],
        "delay_median": round(median(delays), 1) if delays else None,
        "delay_max": round(max(delays), 1) if delays else None,
    }


def sentence_of(entry: Any) -> Sentence | None:
    """Return the sentence in an entry of a final transcript; None if nobody speaks in the entry."""
    if not isinstance(entry, dict):
        return None
    role, message = entry.get("role"), entry.get("message")
    if isinstance(role, str) and role in _SPEAKERS and isinstance(message, str) and message.strip():
        return Sentence(_SPEAKERS[role], message)
    return None


def _delay(came: datetime, entry: dict[str, Any]) -> float | None:
    """Return the delay in seconds, never below 0, because two clocks may disagree; None without a valid time."""
    spoken = entry.get("created_at_unix_ms")
    if not isinstance(spoken, int | float) or isinstance(spoken, bool):
        return None
    try:
        return max(0.0, (came - datetime.fromtimestamp(spoken / 1000, UTC)).total_seconds())
    except (OverflowError, ValueError, OSError):
        return None
