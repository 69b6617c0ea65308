"""The time zone of days, filters and exports, and of times where a page has no script: CALLS_TIME_ZONE."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import checks


def zone() -> ZoneInfo:
    """UTC in place of a zone that there is not: a page is better than none, and the system check says so."""
    return _zone(settings.CALLS_TIME_ZONE) or ZoneInfo("UTC")


@lru_cache(maxsize=4)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # of an odd key, of a folder, of no such zone
        return None


@checks.register(checks.Tags.compatibility)
def check_zone(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """calls.E001: there is no such time zone."""
    if _zone(settings.CALLS_TIME_ZONE):
        return []
    return [
        checks.Error(
            f"CALLS_TIME_ZONE is {settings.CALLS_TIME_ZONE!r}, and there is no such time zone: UTC is used.",
            hint="Write a name of the IANA time zone database, as in Europe/Berlin or America/New_York.",
            id="calls.E001",
        )
    ]
