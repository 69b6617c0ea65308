"""Decide whether a sender may deliver: by ElevenLabs' signature over the raw body, or by a server tool's secret.

The scheme is `ElevenLabs-Signature: t=<unix seconds>,v0=<hex HMAC-SHA256 of "<t>.<body>">`,
https://elevenlabs.io/docs/eleven-api/resources/webhooks. Two rules differ from the official SDK's: callsite refuses a
time in the future, and accepts a header if any of several `v0` values matches. On valid headers both agree, which a
test checks.
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
VERSION = re.compile(r"v\d+", re.ASCII | re.IGNORECASE)
_TIMESTAMP = re.compile(rb"[0-9]{1,12}")

REFUSED = Counter("callsite_webhooks_refused", "Webhooks refused with 401, by reason", ["reason"])


@lru_cache(maxsize=8)
def secrets_of(setting: str) -> tuple[bytes, ...]:
    """Return the secrets of a comma-separated setting. Each of them is valid, so that staff can rotate a secret.

    A version that some services write in front, as in `v1,whsec_…`, is left out: anybody could sign with it.
    """
    return tuple(secret.encode() for secret in items_of(setting) if not VERSION.fullmatch(secret))


def items_of(setting: str) -> list[str]:
    return [item for part in setting.split(",") if (item := part.strip())]


class Signature:
    """A signature header that is well formed and fresh. `confirm` checks it against the body."""

    def __init__(self, stamp: bytes, given: Sequence[bytes], secrets: Sequence[bytes]) -> None:
        self._given = given
        self._digests = [hmac.new(secret, stamp + b".", "sha256") for secret in secrets]

    def confirm(self, body: bytes) -> None:
        """Raise NotAuthenticated unless one of the secrets signed the body. Call it once."""
        for digest in self._digests:
            digest.update(body)
        wanted = [digest.hexdigest().encode() for digest in self._digests]
        matches = [hmac.compare_digest(one, other) for one in wanted for other in self._given]
        if not any(matches):
            raise _refused("wrong")


def expect_signature(header: str | None) -> Signature | None:
    """Check the header before the body is read: it must be present, well formed and fresh. Raises NotAuthenticated.

    Returns a Signature, whose `confirm` the caller has to call with the body; None where there is nothing to confirm,
    as DEBUG is on and no secret is set.
    """
    secrets = secrets_of(settings.ELEVENLABS_WEBHOOK_SECRET)
    if not secrets:
        _allow_only_while_developing("ELEVENLABS_WEBHOOK_SECRET")
        return None
    if not header:
        raise _refused("missing")
    return read_header(header.encode("latin-1", "replace"), secrets, time.time())


def expect_tool_secret(authorization: str | None, signature: str | None) -> Signature | None:
    """Check a server tool's headers: `Authorization: Bearer <ELEVENLABS_TOOL_SECRET>`, or a signature.

    Returns a Signature that the body has to confirm; None if the tool secret matches, or if DEBUG is on and no secret
    is set. Raises NotAuthenticated.
    """
    tool_secrets = secrets_of(settings.ELEVENLABS_TOOL_SECRET)
    webhook_secrets = secrets_of(settings.ELEVENLABS_WEBHOOK_SECRET)
    if authorization is not None and tool_secrets:
        scheme, _, given = authorization.encode("latin-1", "replace").partition(b" ")
        matches = [hmac.compare_digest(given.strip(), secret) for secret in tool_secrets]
        if scheme.lower() == b"bearer" and any(matches):
            return None
    if signature is not None and webhook_secrets:
        return expect_signature(signature)
    if tool_secrets or webhook_secrets:
        raise _refused("tool_secret")
    _allow_only_while_developing("ELEVENLABS_TOOL_SECRET")
    return None


def read_header(header: bytes, secrets: Sequence[bytes], now: float) -> Signature:
    """Parse a signature header. `now` is in unix seconds. Raises NotAuthenticated: it is malformed, stale or ahead."""
    parts = [part.partition(b"=") for part in header.split(b",")]
    stamps = [value for name, _, value in parts if name == b"t"]
    given = [value for name, _, value in parts if name == b"v0"]
    if len(stamps) != 1 or not given or not _TIMESTAMP.fullmatch(stamps[0]):
        raise _refused("malformed")
    age = now - int(stamps[0])
    if int(age) > MAX_AGE_SECONDS:
        raise _refused("stale")
    if age < -MAX_AHEAD_SECONDS:
        raise _refused("ahead")
    return Signature(stamps[0], given, secrets)


_FIXES = {
    "missing": "Send the header ElevenLabs-Signature; ElevenLabs does once the webhook has a secret.",
    "malformed": "ElevenLabs-Signature must read t=<unix seconds>,v0=<lower-case hex>.",
    "stale": "The signature is more than 30 minutes old: check the clock, or send it again.",
    "ahead": "The signature is more than 5 minutes ahead: check the clocks.",
    "wrong": "No secret in ELEVENLABS_WEBHOOK_SECRET made this signature over this body.",
    "tool_secret": "Send Authorization: Bearer with the value of ELEVENLABS_TOOL_SECRET.",
}


def _refused(reason: str, fix: str = "") -> NotAuthenticated:
    """Count a refusal and return the error to raise. `reason` is a key of _FIXES, or the caller gives a fix."""
    REFUSED.labels(reason).inc()
    return NotAuthenticated(reason, fix or _FIXES[reason])


def _allow_only_while_developing(setting: str) -> None:
    if not settings.DEBUG:
        raise _refused("no_secret", f"This server has no secret: set {setting}.")
    logger.warning("Took an unsigned webhook, as %s is empty and DEBUG is on", setting)
