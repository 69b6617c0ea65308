"""What `search` looks in: on PostgreSQL a column of words, which the database keeps itself, and its index.

The column is not the model's: no query of Django's carries it along. Words are what is between spaces and signs, in
lower case and in no particular language. A tsvector holds a megabyte, so of a very long call the beginning is searched.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

SEARCH_WORDS = r"""
SET LOCAL statement_timeout = 0;
CREATE FUNCTION calls_call_words(call_text text, transcript jsonb) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT strip(to_tsvector('simple', left(translate(
        call_text || coalesce((
            SELECT string_agg(item ->> 'message', ' ')
            FROM jsonb_array_elements(CASE jsonb_typeof(transcript) WHEN 'array' THEN transcript ELSE '[]' END) AS item
            WHERE jsonb_typeof(item) = 'object'
        ), ''), '-_./:@+<>&', '          '), 200000)))
$$;
ALTER TABLE calls_call ADD COLUMN search_words tsvector GENERATED ALWAYS AS (calls_call_words(
    call_sid || ' ' || coalesce(conversation_id, '') || ' ' || driver_id || ' ' || agent_id || ' ' || agent_name || ' '
    || from_number || ' ' || to_number || ' ' || failure_reason || ' ' || transcript_summary || ' ', final_transcript
)) STORED;
CREATE INDEX call_search ON calls_call USING gin (search_words);
"""


def add_search_words(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(SEARCH_WORDS)


def drop_search_words(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE calls_call DROP COLUMN search_words; DROP FUNCTION calls_call_words;")


class Migration(migrations.Migration):
    dependencies = [("calls", "0003_indexes")]

    operations = [migrations.RunPython(add_search_words, drop_search_words)]
