"""The errors of requests to ElevenLabs' API. They say whether the request may have been carried out."""

from __future__ import annotations

import json
from typing import Any

MESSAGE_MAX_LENGTH = 500


class UpstreamError(Exception):
    """A request to ElevenLabs failed. The text is for people: it says what is wrong, and never contains the API key."""


class NotConfigured(UpstreamError):
    """A setting is missing or unusable. Nothing was sent."""


class Unreachable(UpstreamError):
    """No connection could be made. Nothing was sent."""


class NoAnswer(UpstreamError):
    """The request was sent, and no whole answer came: it is unknown whether ElevenLabs has carried it out."""


class TimedOut(NoAnswer):
    """The answer did not come within the time limit."""


class TooLarge(NoAnswer):
    """The answer has more bytes than callsite accepts. A retry would get as many."""


class Refused(UpstreamError):
    """ElevenLabs answered with an error, or with a redirect, which is not followed: it could send the key elsewhere.

    `code` is ElevenLabs' code of the error, or its older word where there is no code; it may be empty.
    """

    def __init__(self, status: int, code: str, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.retry_after_seconds = status, code, retry_after_seconds

    @property
    def is_busy(self) -> bool:
        """True if the same request may succeed a moment later: rate limits, too many calls at once, a busy system."""
        return self.status == 429 or self.code in ("rate_limit_exceeded", "concurrent_limit_exceeded", "system_busy")


def read_error(body: bytes) -> tuple[str, str]:
    """Return the code and the message of an error's body; "" for a part that it does not have.

    It reads today's shape, the older one, and the one of validation errors: `detail` may be an object, a list or a
    string. https://elevenlabs.io/docs/eleven-api/resources/errors.
    """
    try:
        detail = json.loads(body)["detail"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return "", ""
    if isinstance(detail, dict):
        code = next((word for name in ("code", "status") if isinstance(word := detail.get(name), str) and word), "")
        return code, _printable(detail.get("message"))
    if isinstance(detail, list):
        return "validation_error", "; ".join(_fault_of_field(item) for item in detail[:5] if isinstance(item, dict))
    return "", _printable(detail)


def _fault_of_field(item: dict[str, Any]) -> str:
    place = item.get("loc")
    names = [str(part) for part in place if part != "body"] if isinstance(place, list) else []
    return ": ".join(part for part in (".".join(names), _printable(item.get("msg"))) if part)


def _printable(value: Any) -> str:
    """Return a text on one line, cut to MESSAGE_MAX_LENGTH; "" for any other type."""
    text = value if isinstance(value, str) else ""
    return "".join(character if character.isprintable() else " " for character in text)[:MESSAGE_MAX_LENGTH]
