"""An unmatched delivery waits under every name that its body tells, in place of two."""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

FILL = """
    INSERT INTO webhooks_waitingname (delivery_id, name)
    SELECT id, {column} FROM webhooks_webhookdelivery WHERE outcome = 'unmatched' AND {column} <> ''
"""


def fill(apps: Any, schema_editor: Any) -> None:
    for column in ("conversation_id", "call_sid"):
        schema_editor.execute(FILL.format(column=column))


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0003_lz4")]

    operations = [
        migrations.CreateModel(
            "WaitingName",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(db_index=True, max_length=255)),
                (
                    "delivery",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="waiting_names",
                        to="webhooks.webhookdelivery",
                    ),
                ),
            ],
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RemoveIndex("webhookdelivery", "delivery_waiting_sid"),
        migrations.RemoveIndex("webhookdelivery", "delivery_waiting"),
    ]
