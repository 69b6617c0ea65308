"""Search: find the calls that have all words of a text in their names, agent, numbers, failure, summary or transcript.

The words are the same on every database, during a call and after its end (`calls.search.words`). PostgreSQL looks them
up in an index, so the cost does not grow with the table; SQLite reads the words of each call. Turns that came after the
words of a call were last written are compared here (`calls.search.unwritten`).
"""

from __future__ import annotations

from collections import defaultdict

from django.db import connection
from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL

from calls.models import Call
from calls.search.terms import All, AnyOf, Term, Word, asked, without
from calls.search.unwritten import unwritten_words
from calls.search.words import keeps_words

# For common words, scanning the newest calls first fills a page quickly. For others, force the index look-up: with
# LIMIT the planner misjudges rare words and scans the table.
FREQUENT, OF_NEWEST = 10, 1000
NEWEST_THAT_MATCH = """
    SELECT count(*) FROM (SELECT search_words FROM calls_call ORDER BY id DESC LIMIT %s) AS newest
    WHERE search_words @@ %s::tsquery
"""
MATCHES = "calls_call.search_words @@ %s::tsquery"
MATCHES_BY_INDEX = "calls_call.id = ANY (ARRAY(SELECT id FROM calls_call WHERE search_words @@ %s::tsquery))"
NAMES = ("call_sid", "conversation_id", "driver_id", "agent_id")


def matching(calls: QuerySet[Call], text: str) -> QuerySet[Call]:
    """Return the calls that match the text."""
    text = text.replace("\x00", "")
    wanted = asked(text)
    if not wanted.terms:  # a name may consist of signs alone, which are no words
        return calls.filter(Q(*((name, text.strip()) for name in NAMES), _connector=Q.OR)) if text else calls.none()
    return calls.filter(_written(wanted, by_index=not _is_frequent(wanted)) | Q(pk__in=_with_unwritten(wanted)))


def _with_unwritten(wanted: All) -> list[int]:
    """Return the calls that have some of the words only in turns that came after their words were written."""
    missing: defaultdict[Term | None, list[int]] = defaultdict(list)
    for call, words in unwritten_words().items():
        if (left := without(wanted, words)) != wanted:
            missing[left].append(call)
    found = missing.pop(None, [])
    for left, calls in missing.items():
        if left is not None:
            found += Call.objects.filter(_written(left), pk__in=calls).order_by().values_list("pk", flat=True)
    return found


def _written(wanted: Term, *, by_index: bool = False) -> Q:
    """Return the condition for the words that are stored."""
    if keeps_words(connection):
        sql, parameters = (MATCHES_BY_INDEX if by_index else MATCHES), [_tsquery(wanted)]
    else:
        sql, parameters = _plain(wanted)
    return Q(RawSQL(sql, parameters, output_field=BooleanField()))  # noqa: S611  (the texts are parameters)


def _is_frequent(wanted: All) -> bool:
    if not keeps_words(connection):
        return False
    with connection.cursor() as cursor:
        cursor.execute(NEWEST_THAT_MATCH, [OF_NEWEST, _tsquery(wanted)])
        matches: int = cursor.fetchone()[0]
        return matches >= FREQUENT


def _tsquery(term: Term) -> str:
    """Return a term as a tsquery. No word has a quote or a backslash, so nothing is escaped."""
    match term:
        case Word(text, is_beginning):
            return f"'{text}'" + ":*" * is_beginning
        case All(terms):
            return f"({' & '.join(map(_tsquery, terms))})"
        case AnyOf(terms):
            return f"({' | '.join(map(_tsquery, terms))})"


def _plain(term: Term) -> tuple[str, list[str]]:
    """Return a term as an SQL condition, with its parameters, on a text that has a space around each word."""
    match term:
        case Word(text, is_beginning):
            return "instr(calls_call.search_words, %s) > 0", [f" {text}" + " " * (not is_beginning)]
        case All(terms) | AnyOf(terms):
            parts = [_plain(part) for part in terms]
            sql = (" AND " if isinstance(term, All) else " OR ").join(part for part, _ in parts)
            return f"({sql})", [parameter for _, parameters in parts for parameter in parameters]
