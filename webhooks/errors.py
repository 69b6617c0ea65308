"""The errors of a webhook. Each carries the HTTP status of its reply.

The status decides what ElevenLabs does: it sends 5xx, 429 and 408 again (where retries are on), and other 4xx never.
"""

from __future__ import annotations

from django.db import InterfaceError, OperationalError


class WebhookError(Exception):
    """`message` names the fault in a line, `details` says what to fix; neither quotes secrets or other calls' data."""

    status = 500

    def __init__(self, message: str, details: str) -> None:
        super().__init__(message)
        self.message, self.details = message, details

    def body(self) -> dict[str, str]:
        return {"status": "error", "message": self.message, "details": self.details}


class InvalidPayload(WebhookError):
    """The body is malformed. Sending it again would not help."""

    status = 400

    def __init__(self, details: str) -> None:
        super().__init__("Invalid webhook payload", details)


class NotAuthenticated(WebhookError):
    """`fault` names the reason in one word, for the counter and the log."""

    status = 401

    def __init__(self, fault: str, details: str) -> None:
        super().__init__("Webhook not authenticated", details)
        self.fault = fault


class CallNotFound(WebhookError):
    """There is no such call yet. The delivery is kept, and applied when the call is saved."""

    status = 404

    def __init__(self, key: str, identifier: str) -> None:
        super().__init__(
            f"Call not found for {key}: {printable(identifier)}",
            "The webhook is kept and will be applied as soon as a call with this identifier is registered.",
        )


class MethodNotAllowed(WebhookError):
    status = 405


class NotRead(WebhookError):
    """The body did not arrive in full, or there was no room for it."""

    def __init__(self, status: int, message: str, details: str) -> None:
        super().__init__(message, details)
        self.status = status


class TooLarge(WebhookError):
    status = 413

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"Body larger than {limit_bytes} bytes", f"Send at most {limit_bytes} bytes.")


class DatabaseUnavailable(WebhookError):
    """The database stored nothing, or callsite cannot know whether it did; the sender should try again."""

    def __init__(self, cause: Exception | None = None) -> None:
        super().__init__("Database error while processing webhook", "Database temporarily unavailable")
        self.__cause__ = cause


class InternalError(WebhookError):
    """callsite has a bug. The delivery keeps the traceback for the staff."""

    def __init__(self) -> None:
        super().__init__("Internal server error", "The webhook could not be processed; it can be sent again.")


def is_away(error: Exception) -> bool:
    """Whether the database is unreachable or shutting down, rather than refusing one statement.

    Then the error has no SQLSTATE, or one of class 08 or 57. 25006 comes from a read-only session, as after a failover;
    Django calls it an InternalError.
    """
    state = getattr(error.__cause__, "sqlstate", None)
    if state == "25006":
        return True
    return isinstance(error, (OperationalError, InterfaceError)) and (state is None or state[:2] in ("08", "57"))


def printable(text: str) -> str:
    """Return `text` on one line with control characters escaped, for a message or the log."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:300])
