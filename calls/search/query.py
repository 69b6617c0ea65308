"""Search: find the calls that have all words of a text in identifiers, agent, numbers, failure, summary or transcript.

PostgreSQL looks the words up in an index (`calls.search.words`), so the cost does not grow with the table; the last
word may be the beginning of a word. The index covers final transcripts. Turns of calls in progress are compared as
plain text, in the newest of these calls. SQLite compares all texts as plain text, call by call.
"""

from __future__ import annotations

import json

from django.db import connection
from django.db.models import BooleanField, Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from calls.models import Call, CallTranscription
from calls.search.words import FIELDS, keeps_words, words

IN_PROGRESS_SEARCHED = 200
# For common words, scanning the newest calls first fills a page quickly. For others, force the index look-up: with
# LIMIT the planner misjudges rare words and scans the table.
FREQUENT, OF_NEWEST = 10, 1000
NEWEST_THAT_MATCH = """
    SELECT count(*) FROM (SELECT search_words FROM calls_call ORDER BY id DESC LIMIT %s) AS newest
    WHERE search_words @@ %s::tsquery
"""
MATCHES = "calls_call.search_words @@ %s::tsquery"
MATCHES_BY_INDEX = "calls_call.id = ANY (ARRAY(SELECT id FROM calls_call WHERE search_words @@ %s::tsquery))"


def matching(calls: QuerySet[Call], text: str) -> QuerySet[Call]:
    """Return the calls that match the text."""
    text = text.replace("\x00", "")
    if not keeps_words(connection):
        return calls.filter(_plain(text))
    query = _words_query(text)
    if not query:
        return calls.none()
    condition = MATCHES if _is_frequent(query) else MATCHES_BY_INDEX
    found = Q(RawSQL(condition, [query], output_field=BooleanField()))  # noqa: S611  (the text is a parameter)
    if spoken := _spoken_just_now(text):
        found |= Q(pk__in=spoken)
    return calls.filter(found)


def _words_query(text: str) -> str:
    """Return a tsquery for all words, the last one as a prefix. Words are letters and digits: none needs escaping."""
    found = words(text)
    return " & ".join(f"'{word}'" for word in found) + ":*" if found else ""


def _is_frequent(query: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(NEWEST_THAT_MATCH, [OF_NEWEST, query])
        matches: int = cursor.fetchone()[0]
        return matches >= FREQUENT


def _spoken_just_now(text: str) -> list[int]:
    newest = Call.objects.filter(status=Call.Status.IN_PROGRESS).order_by("-pk").values("pk")[:IN_PROGRESS_SEARCHED]
    turns = CallTranscription.objects.filter(call__in=newest, message_text__icontains=text)
    return list(turns.order_by().values_list("call", flat=True).distinct())


def _plain(text: str) -> Q:
    """Search without an index. The database also looks into tool calls, so Python checks the shown texts again."""
    escaped = json.dumps(text)[1:-1]  # as the JSON holds it
    anywhere = Q(final_transcript__icontains=escaped)
    for field in FIELDS:
        anywhere |= Q(**{f"{field}__icontains": text})
    candidates = Call.objects.filter(anywhere).only(*FIELDS, "final_transcript").iterator(100)
    found = [call.pk for call in candidates if any(text.lower() in shown.lower() for shown in call.searched_texts())]
    turns = CallTranscription.objects.filter(call=OuterRef("pk"), message_text__icontains=text)
    return Q(Exists(turns)) | Q(pk__in=found)
