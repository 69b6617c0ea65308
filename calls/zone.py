"""The time zone CALLS_TIME_ZONE: of days, filters and exports, and of times on pages without a script."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import checks


def zone() -> ZoneInfo:
    """Return the time zone; UTC if the setting names none, as a page must be shown. The system check reports that."""
    return _zone(settings.CALLS_TIME_ZONE) or ZoneInfo("UTC")


@lru_cache(maxsize=4)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # the key is malformed, is a folder, names no zone
        return None


@checks.register(checks.Tags.compatibility)
def check_zone(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """Report calls.E001 if the setting names no time zone."""
    if _zone(settings.CALLS_TIME_ZONE):
        return []
    return [
        checks.Error(
            f"CALLS_TIME_ZONE is {settings.CALLS_TIME_ZONE!r}, and there is no such time zone: UTC is used.",
            hint="Write a name of the IANA time zone database, as in Europe/Berlin or America/New_York.",
            id="calls.E001",
        )
    ]
