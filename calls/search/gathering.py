"""Gather the words of a call from everything that search looks in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from django.db import connection

from calls.redaction import redacted
from calls.search.words import FIELDS, MAX_CHARACTERS, VERSION, distinct_words
from calls.secret_texts import is_notable

if TYPE_CHECKING:
    from calls.models import Call

_NAMES_AND_TURNS = """
    SELECT call_id, 0, name FROM calls_callalias WHERE call_id IN ({calls})
    UNION ALL
    SELECT call_id, sequence_number, message_text FROM calls_calltranscription WHERE call_id IN ({calls})
"""
# the fields that `gather_words` sets
WRITTEN = ("search_words", "words_version", "words_upto", "words_behind")


def gather_words(calls: Sequence[Call]) -> None:
    """Set the words of calls, including the live turns. The caller holds the rows' locks, and saves the calls.

    Secrets are masked first, so that no search can guess them.
    """
    told = _names_and_turns([call.pk for call in calls if not call._state.adding])
    for call in calls:
        rows = sorted(told[call.pk])
        call.words_upto = rows[-1][0] if rows else 0
        call.words_version, call.words_behind = VERSION, not call.ended
        call.search_words = distinct_words(_without_secrets(_beginning([*_texts(call), *(text for _, text in rows)])))


def _texts(call: Call) -> list[str]:
    transcript = call.final_transcript if isinstance(call.final_transcript, list) else []
    said = [
        text for item in transcript if isinstance(item, dict) and isinstance(text := item.get("message"), str) and text
    ]
    return [getattr(call, name) or "" for name in FIELDS] + said


def _without_secrets(texts: list[str]) -> list[str]:
    """Mask the secrets in the texts. Most calls have no sign of a secret, which one look at the joined texts shows."""
    whole = "\n".join(texts)
    return redacted(texts) if is_notable(whole) else [redacted(whole)]


def _beginning(texts: list[str]) -> list[str]:
    """Return as many of the texts as words are taken from, so that the rest of a call of 60 MB is not masked."""
    if sum(map(len, texts)) <= MAX_CHARACTERS:
        return texts
    ends = accumulate(map(len, texts))
    return [text for text, end in zip(texts, ends, strict=True) if end - len(text) < MAX_CHARACTERS]


def _names_and_turns(calls: Sequence[int]) -> defaultdict[int, list[tuple[int, str]]]:
    """Return former names (as number 0) and turns with their numbers, by call. The ORM would take half of the time."""
    found: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    if calls:
        with connection.cursor() as cursor:
            cursor.execute(_NAMES_AND_TURNS.format(calls=", ".join(["%s"] * len(calls))), [*calls, *calls])
            for call, number, text in cursor.fetchall():
                found[call].append((number, text))
    return found
