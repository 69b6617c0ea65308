"""The indexes of the inbox's filters by time and by route."""

from __future__ import annotations

from django.db import migrations, models

from calls.postgres.online_index import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("webhooks", "0008_refused_for_size")]

    operations = [
        AddIndexOnline("webhookdelivery", models.Index(fields=["received_at"], name="delivery_received")),
        AddIndexOnline("webhookdelivery", models.Index(fields=["route", "-id"], name="delivery_route")),
    ]
