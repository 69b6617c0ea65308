"""Where in the conversation a note stands.

A live turn is known by its key, which it keeps when turns are numbered anew and when two calls become one. What was
told only afterwards has no key: it is known by its speaker and words. A turn that is gone, as it was told twice or the
transcript came again in other words, is looked for by the words. What is not found keeps its second and its words, and
the note stays with the call.
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
    """What a form calls a row: it names the same one when the page was made a while ago."""
    if row.turn_key is not None:
        return str(row.turn_key)
    return f"x{crc32(f'{row.seconds} {row.speaker} {row.text}'.encode('utf-8', 'backslashreplace')):x}"


def place_of(row: Shown | None) -> dict[str, Any]:
    """The fields of a note on this row; of one on the whole call for None."""
    if row is None:
        return {}
    words = row.text.replace("\x00", "")[:WORDS_MAX_LENGTH]
    return {"turn_key": row.turn_key, "second": row.seconds, "speaker": row.speaker, "words": words}


def row_named(rows: Sequence[Shown], key: str) -> Shown | None:
    return next((row for row in rows if key_of(row) == key), None)


def row_at(rows: Sequence[Shown], second: int) -> Shown | None:
    """The first of those that were said last at this second, as the player has it."""
    found: Shown | None = None
    for row in rows:
        if row.seconds is not None and row.seconds <= second and (found is None or row.seconds > (found.seconds or 0)):
            found = row
    return found


def second_in(clock: str) -> int | None:
    """`1:02:09`, `0:48` and `48` in seconds; None for anything else."""
    if not (found := _CLOCK.fullmatch(clock.strip())):
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total = hours * 3600 + minutes * 60 + seconds
    return total if total < LONGEST_SECONDS else None


class Places:
    """The rows of a conversation, to find those that notes are on."""

    def __init__(self, rows: Sequence[Shown]) -> None:
        self._rows = rows
        self._by_turn = {row.turn_key: row for row in rows if row.turn_key is not None}

    def row_of(self, note: ReviewNote) -> Shown | None:
        """The row that a note is on; None for the whole call, and where nothing says it for sure."""
        if note.turn_key in self._by_turn:
            return self._by_turn[note.turn_key]
        if not note.is_of_turn:
            return None
        alike = [row for row in self._rows if row.speaker == note.speaker and _is_said(row.text, note.words)]
        if not note.words.strip():  # a call of a tool, a key that was pressed
            alike = [row for row in alike if row.seconds == note.second]
        return min(alike, key=lambda row: abs((row.seconds or 0) - (note.second or 0)), default=None)


def _is_said(text: str, words: str) -> bool:
    told, begin = letters(text), letters(words)
    if not (told and begin):
        return text.strip() == words.strip()
    return told.startswith(begin) if len(words) == WORDS_MAX_LENGTH else told == begin
