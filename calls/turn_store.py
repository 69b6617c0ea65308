"""How turns are stored: on PostgreSQL by one statement for a whole batch, elsewhere by the ORM.

The calls' rows are locked, always in the order of their keys: so the order of numbers is the order of commits, and two
batches never wait for each other crosswise. It costs the same however long a call is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.db.models import Q
from django.utils import timezone

from calls.models import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTurn:
    """One utterance that is to be stored. At least one of the two identifiers is given; `call_sid` counts first."""

    call_sid: str | None = None
    conversation_id: str | None = None
    speaker_type: str
    message_text: str
    timestamp: datetime | None = None
    turn_id: str | None = None


@dataclass(slots=True)
class LockedCall:
    """What has to be known of a call to give it turns; its row is locked until the transaction ends."""

    pk: int
    call_sid: str
    conversation_id: str | None
    status: str

    @property
    def ended(self) -> bool:
        return self.status != Call.Status.IN_PROGRESS


@dataclass(slots=True)
class RecordedTurn:
    """A turn as it is stored."""

    pk: int
    call: LockedCall
    sequence_number: int
    speaker_type: str
    message_text: str
    timestamp: datetime


# The stored turn, and whether this made it: False where its `turn_id` was known. None: there is no such call.
Recorded = tuple[RecordedTurn, bool] | None

# A row for each turn whose call there is. `locked` waits for the calls' rows and has their newest state; what a
# `turn_id` made is looked for as of the statement's beginning, and the unique constraint holds where that is too early.
RECORD_TURNS = """
    WITH given AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%(turns)s) AS turn (
            place int, call_sid text, conversation_id text,
            speaker_type text, message_text text, "timestamp" timestamptz, turn_id text
        )
    ), locked AS MATERIALIZED (
        SELECT id, call_sid, conversation_id, status, last_sequence_number FROM calls_call
        WHERE call_sid = ANY (ARRAY(SELECT call_sid FROM given))
           OR conversation_id = ANY (ARRAY(SELECT conversation_id FROM given))
        ORDER BY id FOR NO KEY UPDATE
    ), met AS MATERIALIZED (
        SELECT given.*, coalesce(by_sid.id, by_conversation.id) AS call_id FROM given
        LEFT JOIN locked AS by_sid ON by_sid.call_sid = given.call_sid
        LEFT JOIN locked AS by_conversation ON by_conversation.conversation_id = given.conversation_id
    ), called AS MATERIALIZED (
        SELECT *, CASE WHEN turn_id IS NULL THEN place ELSE min(place) OVER (PARTITION BY call_id, turn_id) END
            AS first_place
        FROM met
    ), known AS MATERIALIZED (
        SELECT called.place, turn.* FROM called JOIN calls_calltranscription AS turn USING (call_id, turn_id)
    ), fresh AS MATERIALIZED (
        SELECT called.*, last_sequence_number + row_number() OVER (PARTITION BY call_id ORDER BY place) AS number
        FROM called JOIN locked ON locked.id = call_id
        WHERE place = first_place AND place NOT IN (SELECT place FROM known)
    ), moved AS (
        UPDATE calls_call SET last_sequence_number = newest.number, updated_at = %(now)s
        FROM (SELECT DISTINCT ON (call_id) call_id, number FROM fresh ORDER BY call_id, number DESC) AS newest
        WHERE calls_call.id = newest.call_id
    ), stored AS (
        INSERT INTO calls_calltranscription
            (call_id, sequence_number, speaker_type, message_text, "timestamp", turn_id, created_at)
        SELECT call_id, number, speaker_type, message_text, "timestamp", turn_id, %(now)s FROM fresh
        RETURNING id, call_id, sequence_number, "timestamp"
    )
    SELECT called.place, called.first_place, locked.id, locked.call_sid, locked.conversation_id, status,
        known.id IS NULL AND called.place = called.first_place AS created,
        coalesce(known.id, stored.id), coalesce(known.sequence_number, stored.sequence_number),
        coalesce(known."timestamp", stored."timestamp"), known.speaker_type, known.message_text
    FROM called JOIN locked ON locked.id = called.call_id
    LEFT JOIN known ON known.place = called.place
    LEFT JOIN fresh ON fresh.place = called.first_place
    LEFT JOIN stored ON stored.call_id = fresh.call_id AND stored.sequence_number = fresh.number
"""


def parameters(new: Sequence[NewTurn]) -> dict[str, Any]:
    """Those of RECORD_TURNS. The batch goes as one JSON text: an array a column costs its client four times as much."""
    now = timezone.now()
    turns = [
        {
            "place": place,
            "call_sid": turn.call_sid,
            "conversation_id": turn.conversation_id,
            "speaker_type": turn.speaker_type,
            "message_text": turn.message_text,
            "timestamp": (turn.timestamp or now).astimezone(UTC),
            "turn_id": turn.turn_id,
        }
        for place, turn in enumerate(new)
    ]
    return {"turns": msgspec.json.encode(turns).decode(), "now": now}


def recorded(new: Sequence[NewTurn], rows: Iterable[tuple[Any, ...]]) -> list[Recorded]:
    """What the rows of RECORD_TURNS say of each turn."""
    result: list[Recorded] = [None] * len(new)
    for place, first_place, call_id, call_sid, conversation_id, status, created, pk, number, timestamp, *known in rows:
        first = new[first_place]
        speaker_type, message_text = known if known[0] is not None else (first.speaker_type, first.message_text)
        call = LockedCall(call_id, call_sid, conversation_id, status)
        result[place] = RecordedTurn(pk, call, number, speaker_type, message_text, timestamp), created
    return result


def record_through_orm(new: NewTurn) -> Recorded:
    """The same for one turn, where a transaction that writes is alone, so that nothing has to be locked."""
    call = _call_of(new)
    if call is None:
        return None
    known = call.transcriptions.filter(turn_id=new.turn_id).first() if new.turn_id is not None else None
    number = call.last_sequence_number + 1
    turn = known or call.transcriptions.create(
        sequence_number=number,
        speaker_type=new.speaker_type,
        message_text=new.message_text,
        timestamp=new.timestamp or timezone.now(),
        turn_id=new.turn_id,
    )
    if known is None:
        Call.objects.filter(pk=call.pk).update(last_sequence_number=number, updated_at=timezone.now())
    of = LockedCall(call.pk, call.call_sid, call.conversation_id, call.status)
    stored = RecordedTurn(turn.pk, of, turn.sequence_number, turn.speaker_type, turn.message_text, turn.timestamp)
    return stored, known is None


def _call_of(new: NewTurn) -> Call | None:
    """A `call_sid` wins over another call's equal `conversation_id`."""
    named = Q(call_sid=new.call_sid)
    if new.conversation_id is not None:
        named |= Q(conversation_id=new.conversation_id)
    found = Call.objects.filter(named).only("call_sid", "conversation_id", "status", "last_sequence_number")
    return min(found, key=lambda call: call.call_sid != new.call_sid, default=None)
