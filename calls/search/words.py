"""The words by which `search` finds a call: what is between spaces and signs, in lower case, whatever the language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import models

# A tsvector holds a megabyte, and 2 KB a word: of a very long call the beginning is searched.
MAX_CHARACTERS = 200_000
_WORD = re.compile(r"[^\W_]{1,255}")
FIELDS = (
    *("call_sid", "conversation_id", "driver_id", "agent_id", "agent_name", "from_number", "to_number"),
    *("failure_reason", "transcript_summary"),
)
# a change of any of these changes the words
SOURCES = frozenset((*FIELDS, "final_transcript"))


def words(text: str) -> list[str]:
    """The words of a text, in its order."""
    return _WORD.findall(text[:MAX_CHARACTERS].lower())


def distinct_words(texts: Iterable[str]) -> list[str]:
    """Each word of the texts once."""
    spaced = " ".join(texts)[:MAX_CHARACTERS].lower().split()
    return sorted(set(_WORD.findall(" ".join(set(spaced)))))  # most words come often, and are taken apart once


def keeps_words(connection: Any) -> bool:
    """Whether the database has an index of words: PostgreSQL."""
    return bool(connection.vendor == "postgresql")


class WordsField(models.Field):  # type: ignore[type-arg]
    """Words for PostgreSQL's index: a tsvector, written from a list. Elsewhere it stays empty."""

    def db_type(self, connection: Any) -> str:
        return "tsvector" if keeps_words(connection) else "text"

    def get_db_prep_value(self, value: Sequence[str] | None, connection: Any, prepared: bool = False) -> Any:
        return list(value) if value is not None and keeps_words(connection) else None

    def get_placeholder_sql(self, value: Any, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return ("%s" if value is None else "array_to_tsvector(%s::text[])"), [value]
