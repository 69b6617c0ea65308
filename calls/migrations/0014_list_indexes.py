"""The indexes of the list of calls and of the access log: one for each filter that had none."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Left

from calls.postgres.online_index import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("calls", "0013_dial_state")]

    operations = [
        AddIndexOnline(
            "call",
            models.Index(
                Left("failure_reason", 100),
                F("id").desc(),
                name="call_failure_reason",
                condition=Q(("failure_reason", ""), _negated=True),
            ),
        ),
        AddIndexOnline(
            "call",
            models.Index(
                fields=["-id"],
                name="call_heard_nothing",
                condition=Q(("final_sequence_number", 0), ("final_sequence_number__isnull", True), _connector="OR"),
            ),
        ),
        AddIndexOnline("accesslogentry", models.Index(fields=["kind", "-id"], name="access_kind")),
        AddIndexOnline("accesslogentry", models.Index(fields=["at"], name="access_at")),
    ]
