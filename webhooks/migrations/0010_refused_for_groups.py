"""Who may view deliveries may view the counts of refused requests, too. A group that was renamed stays as it is."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from calls.groups import AUDITORS, SUPERVISORS, grant


def give_to_groups(apps: Any, schema_editor: Any) -> None:
    groups = apps.get_model("auth", "Group").objects.filter(name__in=(SUPERVISORS, AUDITORS))
    names = tuple(groups.values_list("name", flat=True))
    grant(apps, "webhooks", "refusedrequests", {"view_refusedrequests": ("Can view refused requests", names)})


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0009_list_indexes")]

    operations = [migrations.RunPython(give_to_groups, migrations.RunPython.noop)]
