"""The statements behind `calls.turns`: few a batch, whatever the number of turns, and no model instance a row.

On PostgreSQL arrays carry a whole batch, and the statements are the same text every time. Elsewhere the ORM does it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from calls.models import Call, CallTranscription


@dataclass(slots=True)
class LockedCall:
    """What has to be known of a call to give it turns; its row is locked until the transaction ends."""

    pk: int
    call_sid: str
    conversation_id: str | None
    status: str
    last_sequence_number: int

    @property
    def ended(self) -> bool:
        return self.status != Call.Status.IN_PROGRESS


@dataclass(slots=True, kw_only=True)
class RecordedTurn:
    """A turn as it is stored."""

    pk: int = 0
    call: LockedCall
    sequence_number: int
    speaker_type: str
    message_text: str
    timestamp: datetime
    turn_id: str | None


LOCK_CALLS = """
    SELECT id, call_sid, conversation_id, status, last_sequence_number FROM calls_call
    WHERE call_sid = ANY(%s) OR conversation_id = ANY(%s)
    ORDER BY id FOR NO KEY UPDATE
"""

STORE_TURNS = """
    WITH moved AS (
        UPDATE calls_call SET last_sequence_number = newest.number, updated_at = %s
        FROM unnest(%s::bigint[], %s::int[]) AS newest (call_id, number) WHERE calls_call.id = newest.call_id
    )
    INSERT INTO calls_calltranscription
        (call_id, sequence_number, speaker_type, message_text, "timestamp", turn_id, created_at)
    SELECT *, %s FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])
    RETURNING id, call_id, sequence_number
"""


def lock_calls(connection: Any, call_sids: list[str], conversation_ids: list[str]) -> list[LockedCall]:
    """The calls with any of these identifiers, locked in the order of their keys."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(LOCK_CALLS, [call_sids, conversation_ids])
            return [LockedCall(*row) for row in cursor.fetchall()]
    found = Call.objects.filter(Q(call_sid__in=call_sids) | Q(conversation_id__in=conversation_ids))
    fields = ("pk", "call_sid", "conversation_id", "status", "last_sequence_number")
    return [LockedCall(*row) for row in found.order_by("pk").values_list(*fields)]


def turns_by_turn_id(wanted: dict[tuple[int, str], LockedCall]) -> dict[tuple[int, str], RecordedTurn]:
    """The stored turns with these (call, `turn_id`)."""
    fields = ("pk", "call_id", "sequence_number", "speaker_type", "message_text", "timestamp", "turn_id")
    stored = CallTranscription.objects.filter(
        call__in={call_id for call_id, _ in wanted}, turn_id__in={turn_id for _, turn_id in wanted}
    ).values(*fields)
    turns = {}
    for row in stored.order_by():
        key = (row.pop("call_id"), str(row["turn_id"]))
        if key in wanted:
            turns[key] = RecordedTurn(call=wanted[key], **row)
    return turns


def store_turns(connection: Any, turns: list[RecordedTurn]) -> None:
    """Insert turns, and move their calls to the newest number. Fills in the turns' keys."""
    now = timezone.now()
    newest = {turn.call.pk: turn.sequence_number for turn in turns}
    if connection.vendor == "postgresql":
        columns = [now, list(newest), list(newest.values()), now, *_columns(turns)]
        with connection.cursor() as cursor:
            cursor.execute(STORE_TURNS, columns)
            keys = {(call_id, number): key for key, call_id, number in cursor.fetchall()}
        for turn in turns:
            turn.pk = keys[turn.call.pk, turn.sequence_number]
        return
    rows = CallTranscription.objects.bulk_create(
        CallTranscription(
            call_id=turn.call.pk,
            sequence_number=turn.sequence_number,
            speaker_type=turn.speaker_type,
            message_text=turn.message_text,
            timestamp=turn.timestamp,
            turn_id=turn.turn_id,
        )
        for turn in turns
    )
    for turn, row in zip(turns, rows, strict=True):
        turn.pk = row.pk
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE calls_call SET last_sequence_number = %s, updated_at = %s WHERE id = %s",
            [(number, now, call_id) for call_id, number in newest.items()],
        )


def _columns(turns: Iterable[RecordedTurn]) -> list[list[Any]]:
    rows = ((t.call.pk, t.sequence_number, t.speaker_type, t.message_text, t.timestamp, t.turn_id) for t in turns)
    return [list(column) for column in zip(*rows, strict=True)]
