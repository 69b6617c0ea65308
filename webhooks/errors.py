"""The errors of a webhook. Each carries the HTTP status of its reply.

The status decides what ElevenLabs does: after 5xx, 429 and 408 it sends the webhook again (where retries are on), after
other 4xx never.
"""

from __future__ import annotations

from django.db import InterfaceError, OperationalError


class WebhookError(Exception):
    """An error that becomes a webhook's reply.

    `message` names the fault in one line; `details` says what to fix. Neither quotes secrets or another call's data.
    """

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
    """The sender may not deliver. `fault` names the reason in one word, for the counter and the log."""

    status = 401

    def __init__(self, fault: str, details: str) -> None:
        super().__init__("Webhook not authenticated", details)
        self.fault = fault


class CallNotFound(WebhookError):
    """No call has this identifier yet. The delivery is kept, and applied when such a call is saved."""

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
    """Tell whether the database is unreachable or shutting down, rather than refusing one statement.

    An error of an unreachable database has no SQLSTATE, or one of class 08 or 57. A read-only session, as after a
    failover, gives 25006, which Django raises as InternalError.
    """
    state = getattr(error.__cause__, "sqlstate", None)
    if state == "25006":
        return True
    return isinstance(error, (OperationalError, InterfaceError)) and (state is None or state[:2] in ("08", "57"))


def printable(text: str) -> str:
    """Return at most 300 characters of `text` on one line, control characters escaped, for a message or the log."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:300])
