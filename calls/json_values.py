"""Write a call's values in JSON, the same way in the API and in messages."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import overload


@overload
def iso(moment: datetime) -> str: ...
@overload
def iso(moment: datetime | None) -> str | None: ...
def iso(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC, with `Z`."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def json_number(value: Decimal | None) -> int | float | None:
    """Return a decimal as a JSON number; a whole number has no fraction."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)
