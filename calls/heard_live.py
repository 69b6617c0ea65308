"""How exactly a call was heard while it ran, measured by the transcript that ElevenLabs sends at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from typing import Any, TypedDict

from calls.models import Call, CallTranscription
from calls.sentences import Sentence, aligned

_SPEAKERS = {"agent": CallTranscription.SpeakerType.AGENT, "user": CallTranscription.SpeakerType.DRIVER}


class HeardLive(TypedDict):
    """`sentences` of the final transcript: `heard` live as they stand there, `reworded`, `missed`.

    A sentence that an interruption cut counts as heard. Delays in seconds, from `created_at_unix_ms` of the final
    transcript until the turn came, of those that were heard; null where ElevenLabs gives no such times.
    """

    sentences: int
    heard: int
    reworded: int
    missed: int
    delay_median: float | None
    delay_max: float | None


def heard_live(call: Call) -> HeardLive | None:
    """None while there is no final transcript."""
    if call.final_transcript is None:
        return None
    turns = call.transcriptions.order_by("sequence_number").only("speaker_type", "message_text", "created_at")
    if call.final_sequence_number is not None:
        turns = turns.filter(sequence_number__lte=call.final_sequence_number)
    live = list(turns)
    final = [entry for entry in call.final_transcript if _is_spoken(entry)]
    told = [Sentence(row.speaker_type, row.message_text) for row in live]
    said = [Sentence(_SPEAKERS[entry["role"]], entry["message"]) for entry in final]
    pairs = aligned(told, said)
    delays = [delay for i, j in pairs if (delay := _delay(live[i].created_at, final[j])) is not None]
    reworded = _reworded(told, said, pairs)
    return {
        "sentences": len(said),
        "heard": len(pairs),
        "reworded": reworded,
        "missed": len(said) - len(pairs) - reworded,
        "delay_median": round(median(delays), 1) if delays else None,
        "delay_max": round(max(delays), 1) if delays else None,
    }


def _is_spoken(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    role, message = entry.get("role"), entry.get("message")
    return isinstance(role, str) and role in _SPEAKERS and isinstance(message, str) and bool(message.strip())


def _reworded(told: Sequence[Sentence], said: Sequence[Sentence], pairs: Sequence[tuple[int, int]]) -> int:
    """Between two sentences that were heard, what the same speaker is said to have said otherwise."""
    between = 0
    for (i, j), (next_i, next_j) in pairwise([(-1, -1), *pairs, (len(told), len(said))]):
        live = Counter(sentence.speaker_type for sentence in told[i + 1 : next_i])
        between += (live & Counter(sentence.speaker_type for sentence in said[j + 1 : next_j])).total()
    return between


def _delay(came: datetime, entry: dict[str, Any]) -> float | None:
    """In seconds, never below 0: the clocks are two."""
    spoken = entry.get("created_at_unix_ms")
    if not isinstance(spoken, int | float) or isinstance(spoken, bool):
        return None
    try:
        return max(0.0, (came - datetime.fromtimestamp(spoken / 1000, UTC)).total_seconds())
    except (OverflowError, ValueError, OSError):
        return None
