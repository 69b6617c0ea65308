"""What can be wrong with a webhook. Each error carries the status that it is answered with.

The status decides what ElevenLabs does: 5xx, 429 and 408 are tried again (where retries are on), other 4xx never.
"""

from __future__ import annotations

from django.db import InterfaceError, OperationalError


class WebhookError(Exception):
    """`message` says in a line what is wrong, `details` what to fix; neither quotes secrets or other calls' data."""

    status = 500

    def __init__(self, message: str, details: str) -> None:
        super().__init__(message)
        self.message, self.details = message, details

    def body(self) -> dict[str, str]:
        return {"status": "error", "message": self.message, "details": self.details}


class InvalidPayload(WebhookError):
    """The body does not say what it has to. It would not the next time either."""

    status = 400

    def __init__(self, details: str) -> None:
        super().__init__("Invalid webhook payload", details)


class NotAuthenticated(WebhookError):
    """`fault` names what is wrong in one word, for counting."""

    status = 401

    def __init__(self, fault: str, details: str) -> None:
        super().__init__("Webhook not authenticated", details)
        self.fault = fault


class CallNotFound(WebhookError):
    """No call yet: the delivery is kept, and applied by itself when the call appears."""

    status = 404

    def __init__(self, key: str, identifier: str) -> None:
        super().__init__(
            f"Call not found for {key}: {printable(identifier)}",
            "The webhook is kept and will be applied as soon as a call with this identifier is registered.",
        )


class MethodNotAllowed(WebhookError):
    status = 405


class NotRead(WebhookError):
    """The body did not come, or there was no room for it."""

    def __init__(self, status: int, message: str, details: str) -> None:
        super().__init__(message, details)
        self.status = status


class TooLarge(WebhookError):
    status = 413

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"Body larger than {limit_bytes} bytes", f"Send at most {limit_bytes} bytes.")


class DatabaseUnavailable(WebhookError):
    """Nothing was stored, or nobody knows whether it is; the sender should try again."""

    def __init__(self, cause: Exception | None = None) -> None:
        super().__init__("Database error while processing webhook", "Database temporarily unavailable")
        self.__cause__ = cause


class InternalError(WebhookError):
    """A fault of ours. The delivery is kept with the traceback for the staff."""

    def __init__(self) -> None:
        super().__init__("Internal server error", "The webhook could not be processed; it can be sent again.")


def is_away(error: Exception) -> bool:
    """The database, not what was asked of it: there is no SQLSTATE of a statement, or it is one of shutting down.

    25006 is the answer of a session that can only read, as after a failover; Django calls it an InternalError.
    """
    state = getattr(error.__cause__, "sqlstate", None)
    if state == "25006":
        return True
    return isinstance(error, (OperationalError, InterfaceError)) and (state is None or state[:2] in ("08", "57"))


def printable(text: str) -> str:
    """`text` on one line, control characters escaped, for a message or a log."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:300])
