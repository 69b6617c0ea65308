"""Read one field of a decoded body.

A required field that is missing or malformed raises InvalidPayload; an optional field of the wrong type counts as
absent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from webhooks.errors import InvalidPayload

IDENTIFIER_MAX_LENGTH = 255
_MILLISECONDS_FROM = 100_000_000_000  # as seconds this is the year 5138
_NUMBER_LIMIT = 10**15


def required(holder: dict[str, Any], name: str, path: str = "") -> Any:
    """Return the value of a required field. Raises InvalidPayload if it is missing or null."""
    if holder.get(name) is None:
        raise InvalidPayload(f"Missing required field: {path}{name}")
    return holder[name]


def identifier(value: Any, name: str) -> str:
    """Return a required identifier: a string that is not blank, of at most IDENTIFIER_MAX_LENGTH characters."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidPayload(f"Field {name} must be a string that is not empty.")
    if len(value) > IDENTIFIER_MAX_LENGTH:
        raise InvalidPayload(f"Field {name} must have at most {IDENTIFIER_MAX_LENGTH} characters.")
    return value


def optional_identifier(value: Any) -> str | None:
    """Return an optional identifier; None if it is blank, too long or no string."""
    return value if isinstance(value, str) and value.strip() and len(value) <= IDENTIFIER_MAX_LENGTH else None


def moment(value: Any) -> datetime | None:
    """Return a time as aware UTC, or None. Takes unix seconds or milliseconds (number or string) and ISO 8601."""
    if isinstance(value, str):
        if value[4:5] == "-":  # almost every time is ISO 8601; trying a number first would cost three times as much
            return _iso_moment(value.strip())
        try:
            value = float(value) if value.isascii() else None
        except ValueError:
            return _iso_moment(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    try:
        return datetime.fromtimestamp(value / 1000 if value >= _MILLISECONDS_FROM else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _iso_moment(value: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def number(value: Any) -> Decimal | None:
    """Return a JSON number below _NUMBER_LIMIT, exactly as sent; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= _NUMBER_LIMIT:
        return None
    return Decimal(repr(value))


def text(value: Any, limit: int | None = None) -> str:
    """Return a string, cut at `limit` characters; any other type becomes an empty string."""
    return value[:limit] if isinstance(value, str) else ""


def whole[Kind](value: Any, kind: type[Kind]) -> Kind | None:
    """Return an object or a list as it came; any other type becomes None."""
    return value if isinstance(value, kind) else None


def mapping(value: Any) -> dict[str, Any]:
    """Return an object; any other type becomes an empty one."""
    return value if isinstance(value, dict) else {}
