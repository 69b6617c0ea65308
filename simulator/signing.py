"""Signs webhooks as ElevenLabs does: https://elevenlabs.io/docs/eleven-api/resources/webhooks."""

from __future__ import annotations

import hashlib
import hmac
import time


def signature(secret: str, body: bytes, at: float | None = None) -> str:
    """Return the header `ElevenLabs-Signature` for a body that is sent at `at` (unix seconds; None: now)."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v0={digest}"
