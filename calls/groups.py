"""The groups that callsite ships. Migrations make them; from then on they belong to the site's administrators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

DISPATCHERS, SUPERVISORS, AUDITORS = "Dispatchers", "Supervisors", "Auditors"


def grant(apps: Any, app_label: str, model: str, permissions: Mapping[str, tuple[str, Iterable[str]]]) -> None:
    """Give permissions of one model to groups: codename → (name, groups). Groups that are missing are made.

    For migrations. Django makes permissions when all migrations have run, so in a fresh database there are none yet.
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
