"""One call, several names: how good a call_sid is, and the names that a call had besides."""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

# The telephone provider's name of a call, where ElevenLabs told it.
PROVIDER_POSTGRESQL = """coalesce(
    metadata_json #>> '{phone_call,call_sid}', metadata_json #>> '{body,CallSid}', metadata_json #>> '{body,call_sid}'
)"""
PROVIDER_SQLITE = """coalesce(
    json_extract(metadata_json, '$.phone_call.call_sid'), json_extract(metadata_json, '$.body.CallSid'),
    json_extract(metadata_json, '$.body.call_sid')
)"""
ALIASES = """
    INSERT INTO calls_callalias (call_id, name)
    SELECT min(id), name FROM (SELECT id, {provider} AS name FROM calls_call WHERE metadata_json IS NOT NULL) AS told
    WHERE name <> '' AND length(name) <= 255
        AND NOT EXISTS (SELECT 1 FROM calls_call AS other WHERE other.call_sid = told.name)
    GROUP BY name
"""
STAND_IN, PROVIDER, INITIATION = 0, 1, 3
RANKS = """
    UPDATE calls_call SET name_rank = CASE
        WHEN call_sid = conversation_id THEN {stand_in} WHEN direction = 'inbound' THEN {initiation} ELSE {provider} END
    WHERE call_sid = conversation_id OR (driver_id = '' AND metadata_json IS NOT NULL AND call_sid = {name})
"""


def fill(apps: Any, schema_editor: Any) -> None:
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    if is_postgresql:
        schema_editor.execute("SET LOCAL statement_timeout = 0")
    provider = PROVIDER_POSTGRESQL if is_postgresql else PROVIDER_SQLITE
    ranks = {"stand_in": STAND_IN, "initiation": INITIATION, "provider": PROVIDER}
    schema_editor.execute(ALIASES.format(provider=provider))
    schema_editor.execute(RANKS.format(name=provider, **ranks))


class Migration(migrations.Migration):
    dependencies = [("calls", "0005_lz4")]

    operations = [
        migrations.AddField(
            "call",
            "name_rank",
            models.PositiveSmallIntegerField(
                choices=[
                    (0, "The conversation ID, in place of a better one"),
                    (1, "The telephone provider's"),
                    (2, "Told by the agent, in a variable or a live turn"),
                    (3, "Of conversation-init"),
                    (4, "Registered or dialled"),
                ],
                default=4,
                editable=False,
            ),
        ),
        migrations.AddField(
            "call",
            "answered_by",
            models.CharField(
                blank=True,
                choices=[("human", "Human"), ("machine", "Machine"), ("fax", "Fax"), ("unknown", "Unknown")],
                max_length=16,
                default="",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            "call",
            "party_sources",
            models.JSONField(default=dict, editable=False, help_text="By field, the Source that told it."),
        ),
        migrations.AddField(
            "call",
            "numbering",
            models.PositiveIntegerField(
                default=0, editable=False, help_text="How often a merge of two rows has numbered the turns anew."
            ),
        ),
        migrations.AddField(
            "call",
            "has_history",
            models.BooleanField(default=False, editable=False, help_text="Some of its turns came in histories."),
        ),
        migrations.AddField(
            "calltranscription",
            "history_position",
            models.PositiveIntegerField(
                blank=True, editable=False, help_text="Its place in the histories that the agent sends.", null=True
            ),
        ),
        migrations.AddField(
            "calltranscription",
            "told_singly",
            models.BooleanField(default=True, editable=False, help_text="It came by itself too."),
        ),
        migrations.AlterField(
            "calltranscription",
            "created_at",
            models.DateTimeField(default=django.utils.timezone.now, editable=False, help_text="When it came."),
        ),
        migrations.CreateModel(
            "CallAlias",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=255, unique=True)),
                (
                    "call",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="aliases", to="calls.call"
                    ),
                ),
            ],
            {"verbose_name": "former name"},
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
