"""Turns that came after the words of their call were last written: find their words, and write them.

A live turn writes no words, because that would cost more than the turn. It only marks its call as behind
(`words_behind`, which a call in progress is from its beginning). The end of a call writes its words, turns included.
Until then a search reads the turns that are behind. If there are many, the search writes some of them, so that the next
search reads fewer.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Set
from datetime import timedelta

from django.db import Error, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from calls.models import Call, CallTranscription
from calls.postgres.cursors import kept_cursor
from calls.redaction import redacted
from calls.search.gathering import WRITTEN, gather_words
from calls.search.words import distinct_words

logger = logging.getLogger(__name__)
MANY = 500  # with more silent calls and unwritten turns than this, a search writes some of them
CALLS_WRITTEN = 50  # per search, because the user waits for it
SILENCE = timedelta(hours=1)
MAX_CALLS, MAX_CHARACTERS = 5_000, 5_000_000  # one search reads no more, and begins with the newest calls


def unwritten_words() -> dict[int, Set[str]]:
    """Return the words that are not written yet, by call."""
    columns = ("pk", "words_upto", "last_sequence_number", "updated_at")
    rows = list(Call.objects.filter(words_behind=True).order_by("-pk").values_list(*columns)[:MAX_CALLS])
    behind = [call for call, written, last, _ in rows if written < last]
    said = _said(behind)
    # writing a silent call's words takes it out of this query until its next turn
    silent = [call for call, written, last, spoken in rows if written == last and spoken < timezone.now() - SILENCE]
    if len(silent) + sum(map(len, said.values())) > MANY:
        longest = sorted(said, key=lambda call: -len(said[call]))
        _write(Call.objects.filter(pk__in=[*silent, *longest][:CALLS_WRITTEN]))
    return {call: frozenset(distinct_words(redacted(["", "", *texts]))) for call, texts in said.items()}


def _said(calls: Iterable[int]) -> dict[int, list[str]]:
    turns = CallTranscription.objects.filter(call__in=calls, sequence_number__gt=F("call__words_upto"))
    said: defaultdict[int, list[str]] = defaultdict(list)
    characters = 0
    with kept_cursor():
        for call, text in turns.order_by().values_list("call_id", "message_text").iterator():
            said[call].append(text)
            characters += len(text)
            if characters > MAX_CHARACTERS:
                break
    return said


def _write(calls: QuerySet[Call]) -> None:
    try:
        write_words(calls)
    except Error:
        logger.exception("A search could not write the words of what was said lately")


def write_words(calls: QuerySet[Call]) -> list[int]:
    """Write the words of calls anew; return their keys. Calls that another transaction is changing are left out."""
    with transaction.atomic():
        free = calls.select_for_update(no_key=True, skip_locked=True).order_by("pk")
        locked = list(free.values_list("pk", flat=True))
        for pk in locked:  # one by one: a transcript may be large
            call = Call.objects.get(pk=pk)
            gather_words([call])
            written = {name: getattr(call, name) for name in WRITTEN}
            Call.objects.filter(pk=pk).update(**written | {"words_behind": False})
    return locked
