"""The two indexes of the filter by review."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q

from calls.postgres.online_index import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("calls", "0015_review")]

    operations = [
        AddIndexOnline(
            "call", models.Index(fields=["-id"], name="call_reviewed", condition=Q(reviewed_at__isnull=False))
        ),
        AddIndexOnline(
            "call", models.Index(fields=["-id"], name="call_not_reviewed", condition=Q(reviewed_at__isnull=True))
        ),
    ]
