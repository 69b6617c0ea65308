"""Write the outcomes of several calls in one statement.

The results equal those of `Call.update_post_call_data` for the first transcription of each call. It buys, together with
the statement in `webhooks.batching.deliveries`: a post-call webhook of 20 KB costs 0.6 ms of CPU in a batch of 32; with
`save()` per call and `bulk_create()` in that batch it costs 1.6 ms (`python -m lab.bench.batching`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec
from django.db import connection, transaction
from django.db.models.signals import post_save
from django.utils import timezone

from calls.models import Call, effects
from calls.outcome import PostCallData
from calls.postgres.server_side import execute
from calls.search.gathering import WRITTEN, gather_words

# The columns that an outcome may change. These are sent in one JSON text, together with the words, which are a list
# there and a tsvector in the table.
PLAIN_COLUMNS = {
    "agent_id": "text",
    "agent_name": "text",
    "party_sources": "jsonb",
    "status": "text",
    "direction": "text",
    "from_number": "text",
    "to_number": "text",
    "call_start_time": "timestamptz",
    "call_end_time": "timestamptz",
    "call_duration_seconds": "numeric",
    "cost": "numeric",
    "cost_usd": "numeric",
    "call_successful": "boolean",
    "transcript_summary": "text",
    "failure_reason": "text",
    "final_sequence_number": "integer",
    "transcription_time": "timestamptz",
    "updated_at": "timestamptz",
    "words_version": "smallint",
    "words_upto": "integer",
    "words_behind": "boolean",
}
# These are sent beside that text, in one array per column: inside the text PostgreSQL would parse them twice.
JSON_COLUMNS = ("analysis_data", "metadata_json", "final_transcript")
UPDATE = f"""
    UPDATE calls_call SET
        {", ".join(f"{column} = given.{column}" for column in PLAIN_COLUMNS)},
        search_words = array_to_tsvector(given.search_words),
        {", ".join(f"{column} = given.{column}::jsonb" for column in JSON_COLUMNS)}
    FROM ROWS FROM (
        json_to_recordset(%s) AS (
            id bigint, {", ".join(f"{column} {kind}" for column, kind in PLAIN_COLUMNS.items())}, search_words text[]
        ),
        {", ".join("unnest(%b::text[])" for _ in JSON_COLUMNS)}
    ) AS given (id, {", ".join(PLAIN_COLUMNS)}, search_words, {", ".join(JSON_COLUMNS)})
    WHERE calls_call.id = given.id
"""  # noqa: S608  (the inserted texts are constants)


def update_post_call_data(outcomes: Mapping[str, PostCallData]) -> dict[str, Call]:
    """Complete (or fail) calls by their first transcriptions, given by `conversation_id`; return the written calls.

    Left out are conversations without a call, calls that already have a transcription, and calls that another
    transaction is changing, because nobody waits here. Either all of the others are written or none. Raises
    django.db.Error.
    """
    with transaction.atomic(savepoint=False):
        free = Call.objects.select_for_update(no_key=True, skip_locked=True).order_by("pk")
        calls = list(free.filter(conversation_id__in=outcomes, transcription_time=None))
        changed = {call: effects.take_post_call_data(call, outcomes[str(call.conversation_id)]) for call in calls}
        gather_words(calls)
        _update({call: [*names, *WRITTEN, "updated_at"] for call, names in changed.items()})
    return {str(call.conversation_id): call for call in calls}


def _update(changed: Mapping[Call, Collection[str]]) -> None:
    """Write the calls; then send `post_save` for each, with the fields that changed, as `save()` does."""
    if not changed:
        return
    now = timezone.now()
    for call in changed:
        call.updated_at = now
    texts = [[_json(getattr(call, column)) for call in changed] for column in JSON_COLUMNS]
    execute(UPDATE, [_plain(changed), *texts])
    for call, names in changed.items():
        sent = {"created": False, "update_fields": frozenset(names), "raw": False, "using": connection.alias}
        post_save.send(Call, instance=call, **sent)


def _plain(calls: Iterable[Call]) -> str:
    """Return the JSON text of the plain columns. msgspec writes a Decimal as a string, and a time as ISO 8601."""
    columns = ("id", *PLAIN_COLUMNS, "search_words")
    return msgspec.json.encode([{column: getattr(call, column) for column in columns} for call in calls]).decode()


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
