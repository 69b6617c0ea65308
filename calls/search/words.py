"""The words by which search finds a call: runs of letters and digits of any language, in lower case."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import models

# A tsvector holds a megabyte, and 2 KB per word. So only the beginning of a very long call is searched.
MAX_CHARACTERS = 200_000
_WORD = re.compile(r"[^\W_]{1,255}")
FIELDS = (
    *("call_sid", "conversation_id", "driver_id", "agent_id", "agent_name", "from_number", "to_number"),
    *("failure_reason", "transcript_summary"),
)
# a change of one of these changes the words
SOURCES = frozenset((*FIELDS, "final_transcript"))


def words(text: str) -> list[str]:
    """Return the words of a text, in order."""
    return _WORD.findall(text[:MAX_CHARACTERS].lower())


def distinct_words(texts: Iterable[str]) -> list[str]:
    """Return each word of the texts once, sorted."""
    spaced = " ".join(texts)[:MAX_CHARACTERS].lower().split()
    return sorted(set(_WORD.findall(" ".join(set(spaced)))))  # a word that occurs often is split once


def keeps_words(connection: Any) -> bool:
    """Whether this database stores and indexes words: PostgreSQL does, SQLite does not."""
    return bool(connection.vendor == "postgresql")


class WordsField(models.Field):  # type: ignore[type-arg]
    """A list of words. PostgreSQL stores it as a tsvector, which it can index; on SQLite the column stays empty."""

    def db_type(self, connection: Any) -> str:
        return "tsvector" if keeps_words(connection) else "text"

    def get_db_prep_value(self, value: Sequence[str] | None, connection: Any, prepared: bool = False) -> Any:
        return list(value) if value is not None and keeps_words(connection) else None

    def get_placeholder_sql(self, value: Any, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return ("%s" if value is None else "array_to_tsvector(%s::text[])"), [value]
