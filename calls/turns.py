"""Recording turns: many at once, in one transaction, each under the next number of its call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.dispatch import Signal
from django.utils import timezone

from calls.turn_store import LockedCall, RecordedTurn, lock_calls, store_turns, turns_by_turn_id

# Sent with `turns`, a list of new RecordedTurn, inside the transaction that stores them. It stands for one post_save a
# row: statements that write many rows send none.
turns_recorded = Signal()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTurn:
    """One utterance that is to be stored. At least one of the two identifiers is given; `call_sid` counts first."""

    call_sid: str | None = None
    conversation_id: str | None = None
    speaker_type: str
    message_text: str
    timestamp: datetime | None = None
    turn_id: str | None = None


# The stored turn, and whether this made it: False where its `turn_id` was known. None: there is no such call.
Recorded = tuple[RecordedTurn, bool] | None


def record_turns(new: Sequence[NewTurn]) -> list[Recorded]:
    """Store turns, in the order given.

    The calls' rows are locked, always in the order of their keys: so the order of numbers is the order of commits, and
    two batches never wait for each other crosswise. It costs the same however long a call is.
    """
    with transaction.atomic():
        calls = _calls_of(new)
        known = _known_turns(new, calls)
        recorded: list[Recorded] = []
        for turn, call in zip(new, calls, strict=True):
            if call is None:
                recorded.append(None)
            elif turn.turn_id is not None and (earlier := known.get((call.pk, turn.turn_id))):
                recorded.append((earlier, False))
            else:
                stored = _next_turn(call, turn)
                if turn.turn_id is not None:
                    known[call.pk, turn.turn_id] = stored
                recorded.append((stored, True))
        if created := [item[0] for item in recorded if item is not None and item[1]]:
            store_turns(connection, created)
            turns_recorded.send(RecordedTurn, turns=created)
    return recorded


def _calls_of(new: Sequence[NewTurn]) -> list[LockedCall | None]:
    """Each turn's call, locked; a `call_sid` wins over another call's equal `conversation_id`."""
    call_sids = {turn.call_sid for turn in new if turn.call_sid is not None}
    conversation_ids = {turn.conversation_id for turn in new if turn.conversation_id is not None}
    calls = lock_calls(connection, list(call_sids), list(conversation_ids))
    by_sid = {call.call_sid: call for call in calls}
    by_conversation = {call.conversation_id: call for call in calls if call.conversation_id is not None}
    return [by_sid.get(turn.call_sid or "") or by_conversation.get(turn.conversation_id or "") for turn in new]


def _known_turns(new: Sequence[NewTurn], calls: Sequence[LockedCall | None]) -> dict[tuple[int, str], RecordedTurn]:
    """The turns that these `turn_id`s made before, by call and `turn_id`."""
    wanted = {
        (call.pk, turn.turn_id): call
        for turn, call in zip(new, calls, strict=True)
        if call is not None and turn.turn_id is not None
    }
    return turns_by_turn_id(wanted) if wanted else {}


def _next_turn(call: LockedCall, turn: NewTurn) -> RecordedTurn:
    call.last_sequence_number += 1
    return RecordedTurn(
        call=call,
        sequence_number=call.last_sequence_number,
        speaker_type=turn.speaker_type,
        message_text=turn.message_text,
        timestamp=turn.timestamp or timezone.now(),
        turn_id=turn.turn_id,
    )
