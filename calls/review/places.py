"""The place of a note in the conversation.

A note on a live turn has the turn's key, which stays when turns are numbered anew and when two calls are merged. A turn
that is only in the final transcript has no key: its speaker and its words identify it. If a live turn is gone, because
it was a duplicate or the transcript came again in other words, the turn is searched by its words. If no turn is found,
the note keeps its second and its words, and stays with the call.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from zlib import crc32

from calls.call_clock import LONGEST_SECONDS
from calls.call_page.turns import Shown
from calls.models import ReviewNote
from calls.models.review import WORDS_MAX_LENGTH
from calls.sentences import letters

_CLOCK = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,5}):)?(\d{1,7})", re.ASCII)


def key_of(row: Shown) -> str:
    """Return the key by which a form names a row. A page that was rendered a while ago has the same key for the row."""
    if row.turn_key is not None:
        return str(row.turn_key)
    return f"x{crc32(f'{row.seconds} {row.speaker} {row.text}'.encode('utf-8', 'backslashreplace')):x}"


def place_of(row: Shown | None) -> dict[str, Any]:
    """Return the fields that place a note on this row; none for a note on the whole call (None)."""
    if row is None:
        return {}
    words = row.text.replace("\x00", "")[:WORDS_MAX_LENGTH]
    return {"turn_key": row.turn_key, "second": row.seconds, "speaker": row.speaker, "words": words}


def row_named(rows: Sequence[Shown], key: str) -> Shown | None:
    return next((row for row in rows if key_of(row) == key), None)


def row_at(rows: Sequence[Shown], second: int) -> Shown | None:
    """Return the row that is said at this second of the recording: of the last second up to it, the first row."""
    found: Shown | None = None
    for row in rows:
        if row.seconds is not None and row.seconds <= second and (found is None or row.seconds > (found.seconds or 0)):
            found = row
    return found


def second_in(clock: str) -> int | None:
    """Return a time such as `1:02:09`, `0:48` or `48` in seconds; None for any other text."""
    if not (found := _CLOCK.fullmatch(clock.strip())):
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total = hours * 3600 + minutes * 60 + seconds
    return total if total < LONGEST_SECONDS else None


class Places:
    """An index of a conversation's rows, to find the row of a note."""

    def __init__(self, rows: Sequence[Shown]) -> None:
        self._rows = rows
        self._by_turn = {row.turn_key: row for row in rows if row.turn_key is not None}

    def row_of(self, note: ReviewNote) -> Shown | None:
        """Return the row that a note is on; None for a note on the whole call, and if no row matches."""
        if note.turn_key in self._by_turn:
            return self._by_turn[note.turn_key]
        if not note.is_of_turn:
            return None
        alike = [row for row in self._rows if row.speaker == note.speaker and _is_said(row.text, note.words)]
        if not note.words.strip():  # a tool call or a pressed key has no words
            alike = [row for row in alike if row.seconds == note.second]
        return min(alike, key=lambda row: abs((row.seconds or 0) - (note.second or 0)), default=None)


def _is_said(text: str, words: str) -> bool:
    told, begin = letters(text), letters(words)
    if not (told and begin):
        return text.strip() == words.strip()
    return told.startswith(begin) if len(words) == WORDS_MAX_LENGTH else told == begin
