"""Dispatchers, Supervisors and Auditors. `webhooks.0007` gives them what they may do with deliveries."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from calls.groups import AUDITORS, DISPATCHERS, SUPERVISORS, grant

READERS = (SUPERVISORS, AUDITORS)


def make_groups(apps: Any, schema_editor: Any) -> None:
    calls = {
        "view_call": ("Can view call", (DISPATCHERS, *READERS)),
        "end_call": ("Can end calls", (SUPERVISORS,)),
        "export_call": ("Can export calls", (SUPERVISORS,)),
        "review_call": ("Can review calls", (SUPERVISORS,)),
    }
    grant(apps, "calls", "call", calls)
    grant(apps, "calls", "calltranscription", {"view_calltranscription": ("Can view turn", READERS)})
    grant(apps, "calls", "callrecording", {"view_callrecording": ("Can view recording", READERS)})
    grant(apps, "calls", "accesslogentry", {"view_accesslogentry": ("Can view access log entry", (AUDITORS,))})
    grant(apps, "calls", "agentaccess", {"view_agentaccess": ("Can view agent access", (AUDITORS,))})
    grant(apps, "auth", "user", {"view_user": ("Can view user", (AUDITORS,))})
    grant(apps, "auth", "group", {"view_group": ("Can view group", (AUDITORS,))})


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("calls", "0011_append_only_access_log"),
    ]

    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
