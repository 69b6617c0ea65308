"""Store a call's turns from the histories that an agent sends; each history repeats the conversation so far.

Only new sentences are stored, and none is removed: a repeat, an older history that comes late, or two at once leave no
gap.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from calls.linking import Reference
from calls.models import Call, CallTranscription
from calls.sentences import Sentence
from calls.transcript import Transcript
from calls.turns import announce, as_recorded, linked, turns_renumbered

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHistory:
    """The sentences of the conversation so far, in order. `arrived_at`: the time of arrival, if that was before now."""

    call: Reference
    sentences: tuple[Sentence, ...]
    arrived_at: datetime | None = None


def record_history(history: NewHistory, *, create: bool = False) -> tuple[Call, int] | None:
    """Store the sentences that are not stored yet. Return the call and the number of new turns; None without a call."""
    recorded = record_histories([history], create=create)
    return recorded and (recorded[0], recorded[1][0])


def record_histories(histories: Sequence[NewHistory], *, create: bool = False) -> tuple[Call, list[int]] | None:
    """Store several histories in the order in which they came; return the call and the number of new turns of each.

    All histories name the call in the same way, and the turns are read once. Returns None if there is no such call.
    """
    with transaction.atomic():
        call = linked(histories[0].call, create=create)
        if call is None:
            return None
        transcript = Transcript(call.transcriptions.order_by("sequence_number"))
        counts = [_take(transcript, call, history) for history in histories]
        if transcript.save(call):
            names = ("last_sequence_number", "final_sequence_number", "has_history", "numbering")
            changed: dict[str, object] = {name: getattr(call, name) for name in names}
            changed |= {"words_behind": True, "updated_at": timezone.now()}
            if transcript.renumbered:
                changed["words_upto"] = 0  # the old number stands for other turns now
            Call.objects.filter(pk=call.pk).update(**changed)
            transaction.on_commit(lambda: _tell(transcript, call), robust=True)
        return call, counts


def _take(transcript: Transcript, call: Call, history: NewHistory) -> int:
    arrived_at = history.arrived_at or timezone.now()

    def make(sentence: Sentence) -> CallTranscription:
        return CallTranscription(
            call=call,
            speaker_type=sentence.speaker_type,
            message_text=sentence.text,
            timestamp=arrived_at,
            created_at=arrived_at,
            from_history=True,
            told_singly=False,
        )

    made = transcript.take_history(history.sentences, make, at_end=call.ended)
    if made is None:
        logger.warning("A history has nothing in common with what is stored of call %s", call.pk)
    return made or 0


def _tell(transcript: Transcript, call: Call) -> None:
    if transcript.renumbered:
        turns_renumbered.send_robust(Call, call=call)
    else:
        announce([(as_recorded(turn, call), True) for turn in transcript.new])
