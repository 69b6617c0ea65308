"""How a call's values are written in JSON, by the API and in messages alike."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import overload


@overload
def iso(moment: datetime) -> str: ...
@overload
def iso(moment: datetime | None) -> str | None: ...
def iso(moment: datetime | None) -> str | None:
    """ISO 8601, UTC, with `Z`."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def json_number(value: Decimal | None) -> int | float | None:
    """A JSON number: whole ones without a fraction."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)
