from __future__ import annotations

from typing import Any

from django.db import migrations, models


def fill(apps: Any, schema_editor: Any) -> None:
    """Turns that only histories told. Of those that came both ways nobody knows any more which was first."""
    turns = apps.get_model("calls", "CallTranscription").objects
    turns.filter(history_position__isnull=False, told_singly=False).update(from_history=True)


class Migration(migrations.Migration):
    dependencies = [("calls", "0006_names")]

    operations = [
        migrations.AddField(
            "calltranscription",
            "from_history",
            models.BooleanField(default=False, db_default=False, editable=False, help_text="A history told it first."),
        ),
        migrations.AlterField(
            "call",
            "numbering",
            models.PositiveIntegerField(
                default=0,
                editable=False,
                help_text="How often the turns were numbered anew: by a merge, or by a history.",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
