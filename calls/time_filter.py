"""The admin's filter by time, which takes a time without a zone too."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import DateFieldListFilter
from django.core.exceptions import ValidationError
from django.db.models import DateTimeField
from django.utils import timezone

from calls.zone import zone


class TimeFilter(DateFieldListFilter):
    """Django's filter by time. It takes a time without a zone, typed into the URL, as one of CALLS_TIME_ZONE."""

    field_path: str

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        given: dict[str, Any] = self.used_parameters
        self.used_parameters = {name: [_with_zone(value) for value in values] for name, values in given.items()}

    def expected_parameters(self) -> list[str | None]:
        return [*super().expected_parameters(), self.field_path, f"{self.field_path}__exact"]


def _with_zone(value: Any) -> Any:
    """Return the time that a text tells, with a zone; any other value as it is: Django warns of a time without one."""
    if not isinstance(value, str):
        return value
    try:
        told = DateTimeField().to_python(value)
    except ValidationError:
        return value
    return timezone.make_aware(told, zone()) if told is not None and timezone.is_naive(told) else value
