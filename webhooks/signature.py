"""Who may deliver: ElevenLabs' signature over the raw body, or the shared secret of a server tool.

The scheme is `ElevenLabs-Signature: t=<unix seconds>,v0=<hex HMAC-SHA256 of "<t>.<body>">`,
https://elevenlabs.io/docs/eleven-api/resources/webhooks. Where the official SDK is laxer (times in the future) or
counts only one of several `v0`, the rule here is stricter or fairer; on valid headers both agree (a test shows it).
"""

from __future__ import annotations

import hmac
import logging
import re
import time
from collections.abc import Sequence
from functools import lru_cache

from django.conf import settings
from prometheus_client import Counter

from webhooks.errors import NotAuthenticated

logger = logging.getLogger(__name__)
MAX_AGE_SECONDS = 30 * 60
MAX_AHEAD_SECONDS = 5 * 60
_TIMESTAMP = re.compile(rb"[0-9]{1,12}")

REFUSED = Counter("callsite_webhooks_refused", "Webhooks refused with 401, by reason", ["reason"])


@lru_cache(maxsize=8)
def secrets_of(setting: str) -> tuple[bytes, ...]:
    """The secrets of a comma separated setting; several are valid at once, so that one can be rotated."""
    return tuple(secret.encode() for part in setting.split(",") if (secret := part.strip()))


def check_signature(body: bytes, header: str | None) -> None:
    """Return if `header` signs `body` with one of ELEVENLABS_WEBHOOK_SECRET, else raise NotAuthenticated."""
    secrets = secrets_of(settings.ELEVENLABS_WEBHOOK_SECRET)
    if not secrets:
        _allow_only_while_developing("ELEVENLABS_WEBHOOK_SECRET")
        return
    if not header:
        raise _refused(
            "missing", "Send the header ElevenLabs-Signature; ElevenLabs does once the webhook has a secret."
        )
    reason = signature_fault(body, header.encode("latin-1", "replace"), secrets, time.time())
    if reason:
        raise _refused(reason, _FIXES[reason])


def check_tool_secret(body: bytes, authorization: str | None, signature: str | None) -> None:
    """Server tools are not signed: they carry `Authorization: Bearer <ELEVENLABS_TOOL_SECRET>`, or a signature."""
    tool_secrets = secrets_of(settings.ELEVENLABS_TOOL_SECRET)
    webhook_secrets = secrets_of(settings.ELEVENLABS_WEBHOOK_SECRET)
    if authorization is not None and tool_secrets:
        scheme, _, given = authorization.encode("latin-1", "replace").partition(b" ")
        matches = [hmac.compare_digest(given.strip(), secret) for secret in tool_secrets]
        if scheme.lower() == b"bearer" and any(matches):
            return
    if signature is not None and webhook_secrets:
        check_signature(body, signature)
    elif tool_secrets or webhook_secrets:
        raise _refused("tool_secret", "Send Authorization: Bearer with the value of ELEVENLABS_TOOL_SECRET.")
    else:
        _allow_only_while_developing("ELEVENLABS_TOOL_SECRET")


_FIXES = {
    "malformed": "ElevenLabs-Signature must read t=<unix seconds>,v0=<lower-case hex>.",
    "stale": "The signature is more than 30 minutes old: check the clock, or send it again.",
    "ahead": "The signature is more than 5 minutes ahead: check the clocks.",
    "wrong": "No secret in ELEVENLABS_WEBHOOK_SECRET made this signature over this body.",
}


def signature_fault(body: bytes, header: bytes, secrets: Sequence[bytes], now: float) -> str | None:
    """What is wrong with a header: a key of the table above, or None when it is good. `now` in unix seconds."""
    parts = [part.partition(b"=") for part in header.split(b",")]
    stamps = [value for name, _, value in parts if name == b"t"]
    given = [value for name, _, value in parts if name == b"v0"]
    if len(stamps) != 1 or not given or not _TIMESTAMP.fullmatch(stamps[0]):
        return "malformed"
    age = now - int(stamps[0])
    if int(age) > MAX_AGE_SECONDS:
        return "stale"
    if age < -MAX_AHEAD_SECONDS:
        return "ahead"
    signed = stamps[0] + b"." + body
    wanted = [hmac.digest(secret, signed, "sha256").hex().encode() for secret in secrets]
    matches = [hmac.compare_digest(one, other) for one in wanted for other in given]
    return None if any(matches) else "wrong"


def _allow_only_while_developing(setting: str) -> None:
    if not settings.DEBUG:
        raise _refused("no_secret", f"This server has no secret: set {setting}.")
    logger.warning("Took an unsigned webhook, as %s is empty and DEBUG is on", setting)


def _refused(reason: str, fix: str) -> NotAuthenticated:
    REFUSED.labels(reason).inc()
    return NotAuthenticated(reason, fix)
