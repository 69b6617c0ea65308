"""The errors of ElevenLabs' API, in its three shapes, and other faults that a client can meet.

https://elevenlabs.io/docs/eleven-api/resources/errors; `webhooks/tests/payloads/other` has the older shapes.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of the stub. `status` 0: there is no answer at all. `acts`: the request is carried out all the same."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    acts: bool = False


def current(kind: str, code: str, message: str, status: str = "") -> dict[str, Any]:
    """Return an error in today's shape; `status` is the older word for `code`."""
    detail = {"type": kind, "code": code, "message": message, "status": status or code}
    return {"detail": {**detail, "request_id": secrets.token_hex(16), "param": None}}


def legacy(status: str, message: str) -> dict[str, Any]:
    return {"detail": {"status": status, "message": message}}


def validation(*fields: str) -> dict[str, Any]:
    missing = [{"type": "missing", "loc": ["body", name], "msg": "Field required", "input": None} for name in fields]
    return {"detail": missing}


BAD_KEY = Fault(401, legacy("invalid_api_key", "Invalid API key"))
# The faults, by their names in `manage.py elevenlabs_stub --fault`.
FAULTS = {
    "401": BAD_KEY,
    "402": Fault(402, current("payment_required", "insufficient_credits", "You have no credits left.")),
    "403": Fault(403, current("authorization_error", "missing_permissions", "The API key lacks a permission.")),
    "404": Fault(404, legacy("document_not_found", "The document was not found.")),
    "422": Fault(422, validation("agent_phone_number_id")),
    "429": Fault(
        429,
        current(
            "rate_limit_error", "concurrent_limit_exceeded", "Too many calls at once.", "too_many_concurrent_requests"
        ),
        {"Retry-After": "1"},
    ),
    "busy": Fault(429, legacy("system_busy", "The system is busy, please try again later.")),
    "500": Fault(500, {"detail": "Internal server error"}),
    "504": Fault(504, b"<html>the gateway did not wait</html>", acts=True),
    "success-false": Fault(
        200, {"success": False, "message": "Failed to initiate call", "conversation_id": None, "callSid": None}
    ),
    "garbage": Fault(200, b"<html>not what you asked for</html>", acts=True),
    "redirect": Fault(302, b"", {"Location": "http://127.0.0.1:9/stolen"}),
    "hang": Fault(0, acts=True),
    "drop": Fault(0),
}
