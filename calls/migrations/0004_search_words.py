"""What `search` looks in: the words of a call, and on PostgreSQL their index."""

from __future__ import annotations

import re
from typing import Any

from django.db import migrations

from calls.search.words import WordsField

# As they were when this migration was written: a migration does not follow what the code becomes.
FIELDS = (
    *("call_sid", "conversation_id", "driver_id", "agent_id", "agent_name", "from_number", "to_number"),
    *("failure_reason", "transcript_summary"),
)
MAX_CHARACTERS = 200_000
WORD = re.compile(r"[^\W_]{1,255}")


def words_of(call: Any) -> list[str]:
    transcript = call.final_transcript if isinstance(call.final_transcript, list) else []
    said = [item.get("message") for item in transcript if isinstance(item, dict)]
    texts = [*(getattr(call, name) or "" for name in FIELDS), *(text for text in said if isinstance(text, str))]
    return sorted(set(WORD.findall(" ".join(texts)[:MAX_CHARACTERS].lower())))


def fill(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        calls = apps.get_model("calls", "Call").objects
        for call in calls.iterator(chunk_size=500):
            calls.filter(pk=call.pk).update(search_words=words_of(call))


def add_index(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("SET LOCAL statement_timeout = 0")
        schema_editor.execute("CREATE INDEX call_search ON calls_call USING gin (search_words)")


class Migration(migrations.Migration):
    dependencies = [("calls", "0003_indexes")]

    operations = [
        migrations.AddField("call", "search_words", WordsField(editable=False, null=True)),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunPython(add_index, migrations.RunPython.noop),
    ]
