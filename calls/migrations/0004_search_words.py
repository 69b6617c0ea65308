"""What `search` looks in: the words of a call, and on PostgreSQL their index."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from calls.words import WordsField, words_of


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
