"""A call's turns from the histories that an agent sends: each tells the conversation so far.

It stores what is new and changes nothing else: a repeat, an older history that comes late, or two at once leave no gap.
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
from calls.sentences import Sentence, aligned, beyond
from calls.turns import announce, as_recorded, linked

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHistory:
    """What was said so far, in order; `arrived_at`: when it came, if that was before now."""

    call: Reference
    sentences: tuple[Sentence, ...]
    arrived_at: datetime | None = None


def record_history(history: NewHistory, *, create: bool = False) -> tuple[Call, int] | None:
    """Store the sentences that are not stored yet. Returns the call and how many there were; None: no such call."""
    with transaction.atomic():
        call = linked(history.call, create=create)
        if call is None:
            return None
        rows = list(call.transcriptions.order_by("sequence_number"))
        told = sorted((row for row in rows if row.history_position is not None), key=_position)
        new = beyond([_sentence(row) for row in told], history.sentences)
        if new is None:
            logger.warning("A history has nothing in common with what is stored of call %s", call.pk)
            return call, 0
        last_single = max((row.sequence_number for row in told if row.told_singly), default=0)
        singles = [row for row in rows if row.history_position is None and row.sequence_number > last_single]
        stored = _store(call, new, singles, len(told), history.arrived_at or timezone.now())
        return call, stored


def _store(
    call: Call, new: Sequence[Sentence], singles: Sequence[CallTranscription], known: int, arrived_at: datetime
) -> int:
    """A turn that came alone stands for the sentence that is the same; all others are new turns."""
    stands_for = {place: singles[n] for place, n in aligned(new, [_sentence(row) for row in singles])}
    created: list[CallTranscription] = []
    for place, sentence in enumerate(new):
        if row := stands_for.get(place):
            row.history_position = known + place
            continue
        call.last_sequence_number += 1
        created.append(
            CallTranscription(
                call=call,
                sequence_number=call.last_sequence_number,
                speaker_type=sentence.speaker_type,
                message_text=sentence.text,
                timestamp=arrived_at,
                created_at=arrived_at,
                history_position=known + place,
                told_singly=False,
            )
        )
    CallTranscription.objects.bulk_update(stands_for.values(), ["history_position"])
    CallTranscription.objects.bulk_create(created)
    if new:
        numbers = {"last_sequence_number": call.last_sequence_number, "words_behind": True, "has_history": True}
        Call.objects.filter(pk=call.pk).update(**numbers, updated_at=timezone.now())
    transaction.on_commit(lambda: announce([(as_recorded(row, call), True) for row in created]), robust=True)
    return len(created)


def _sentence(row: CallTranscription) -> Sentence:
    return Sentence(row.speaker_type, row.message_text)


def _position(row: CallTranscription) -> int:
    return row.history_position or 0
