"""Link the first outcomes of several calls, and write them in one statement.

The results equal those of `calls.linking.link` for events that name a call by its `conversation_id`, and of
`Call.update_post_call_data`. Events that need a merge, a rename or a wait are left out.

It buys, together with the statement for the deliveries in `webhooks.batching.outcomes`: a post-call webhook of 20 KB
costs 0.6 ms of CPU in a batch of 32; with `save()` per call and `bulk_create()` in that batch it costs 1.6 ms
(`python -m lab.bench.batching`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec
from django.db import connection, transaction
from django.db.models.signals import post_save
from django.utils import timezone

from calls.linking import Reference, is_better, is_new, names_in
from calls.models import Call, CallAlias, effects
from calls.names import Known, Owner, look_up
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


def nothing_to_link(references: Iterable[Reference]) -> dict[str, set[str]]:
    """Return the names that each call has to learn as aliases, by `conversation_id`, without events that need more.

    The names stay locked until the transaction ends. An event is left out if another transaction holds one of its
    names.
    """
    references = list(references)
    held = _held({text for reference in references for text in reference.texts})
    known = look_up(held)
    result: dict[str, set[str]] = {}
    taken = set[str]()
    for reference in references:
        if reference.conversation_id is None or not held.issuperset(reference.texts):
            continue
        call = known.of_conversation(reference.conversation_id)
        if call is None or call.conversation_id != reference.conversation_id:
            continue
        new = _new_aliases(call, reference, known)
        if new is not None and taken.isdisjoint(new):
            result[reference.conversation_id] = new
            taken |= new
    return result


def learn_names(aliases: Mapping[Call, Iterable[str]]) -> None:
    """Store further names of calls as aliases."""
    CallAlias.objects.bulk_create(
        [CallAlias(call=call, name=name) for call, names in aliases.items() for name in sorted(names)]
    )


def _new_aliases(call: Owner, reference: Reference, known: Known) -> set[str] | None:
    """Return the names to store as aliases; None if the event needs more than that."""
    new = set[str]()
    for name in names_in(reference, call.conversation_id):
        owner = known.owner(name.text)
        if owner is None and not is_better(name, call):
            new.add(name.text)
        elif owner is None or owner.pk != call.pk or is_new(name, call, known):
            return None
    return new


def _held(names: set[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE pg_try_advisory_xact_lock(hashtextextended(name, 0))",
            [list(names)],
        )
        return {name for (name,) in cursor.fetchall()}
