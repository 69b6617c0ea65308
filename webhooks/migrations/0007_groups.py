"""What the groups of `calls.0010` may do with deliveries."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from calls.groups import AUDITORS, SUPERVISORS, grant


def give_to_groups(apps: Any, schema_editor: Any) -> None:
    deliveries = {
        "view_webhookdelivery": ("Can view webhook delivery", (SUPERVISORS, AUDITORS)),
        "apply_again_webhookdelivery": ("Can apply webhook deliveries again", (SUPERVISORS,)),
    }
    grant(apps, "webhooks", "webhookdelivery", deliveries)


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0006_permissions"), ("calls", "0012_groups")]

    operations = [migrations.RunPython(give_to_groups, migrations.RunPython.noop)]
