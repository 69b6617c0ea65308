"""The groups that callsite ships. Migrations create them; afterwards they belong to the site's administrators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

DISPATCHERS, SUPERVISORS, AUDITORS = "Dispatchers", "Supervisors", "Auditors"


def grant(apps: Any, app_label: str, model: str, permissions: Mapping[str, tuple[str, Iterable[str]]]) -> None:
    """Give permissions of one model to groups: codename → (name, groups). Missing groups are created.

    For migrations: Django creates permissions after all migrations have run, so a fresh database has none yet.
    """
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=app_label, model=model
    )
    for codename, (name, groups) in permissions.items():
        permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": name}
        )
        for group_name in groups:
            group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=group_name)
            group.permissions.add(permission)
