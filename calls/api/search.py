"""Search: the calls that have all the words of a text, in identifiers, agent, numbers, summary or transcript.

On PostgreSQL words are looked up in an index (`calls/migrations/0004_search_words.py`), so it costs the same however
many calls there are; the last word may be the beginning of one. The index has a call's final transcript. What is said
in calls in progress is compared as plain text, in the newest of them. Elsewhere everything is compared as plain text.
"""

from __future__ import annotations

import json

from django.db import connection
from django.db.models import BooleanField, Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from calls.models import Call, CallTranscription

IN_PROGRESS_SEARCHED = 200
PLAIN_FIELDS = (
    *("call_sid", "conversation_id", "driver_id", "agent_id", "agent_name", "from_number", "to_number"),
    *("failure_reason", "transcript_summary"),
)
# Words are told apart by what tells them apart in the index. The text of the query is a constant to the planner: from
# the words' frequency it knows whether to walk the index of words, or the newest calls until the page is full.
WORDS = """
    SELECT lexeme FROM unnest(to_tsvector('simple', translate(%s, '-_./:@+<>&', '          ')))
    ORDER BY positions[array_upper(positions, 1)]
"""


def matching(calls: QuerySet[Call], text: str) -> QuerySet[Call]:
    """Those of the calls that match."""
    text = text.replace("\x00", "")
    if connection.vendor != "postgresql":
        return calls.filter(_plain(text))
    query = _words_query(text)
    if not query:
        return calls.none()
    found = Q(RawSQL("calls_call.search_words @@ %s::tsquery", [query], output_field=BooleanField()))
    if spoken := _spoken_just_now(text):
        found |= Q(pk__in=spoken)
    return calls.filter(found)


def _words_query(text: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(WORDS, [text])
        words = ["'" + word.replace("\\", "\\\\").replace("'", "''") + "'" for (word,) in cursor.fetchall()]
    return " & ".join(words) + ":*" if words else ""


def _spoken_just_now(text: str) -> list[int]:
    newest = Call.objects.filter(status=Call.Status.IN_PROGRESS).order_by("-pk").values("pk")[:IN_PROGRESS_SEARCHED]
    turns = CallTranscription.objects.filter(call__in=newest, message_text__icontains=text)
    return list(turns.order_by().values_list("call", flat=True).distinct())


def _plain(text: str) -> Q:
    escaped = json.dumps(text)[1:-1]  # as it stands in the JSON
    turns = CallTranscription.objects.filter(call=OuterRef("pk"), message_text__icontains=text)
    found = Q(Exists(turns)) | Q(final_transcript__icontains=escaped)
    for field in PLAIN_FIELDS:
        found |= Q(**{f"{field}__icontains": text})
    return found
