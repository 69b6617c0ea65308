"""The body of a delivery as staff get it: masked and indented, or as it came; never with the audio."""

from __future__ import annotations

import json
import re

from calls.redaction import redacted
from calls.secret_texts import parsed, size_of_audio
from webhooks.models import WebhookDelivery
from webhooks.why import visible

READ_BYTES = 4 * 2**20  # masking more would keep a page busy for seconds
_FULL_AUDIO = re.compile(rb'("full_audio"\s*:\s*")([^"]*)')  # taken out first: it may be 60 MB


def raw(delivery: WebhookDelivery) -> bytes:
    """As it came, but with the size of a recording in its place."""
    return _FULL_AUDIO.sub(
        lambda found: found[1] + size_of_audio(found[2].decode("ascii", "replace")).encode(), bytes(delivery.body)
    )


def masked(delivery: WebhookDelivery) -> str | None:
    """Without secrets, and indented where it is JSON. None: it is too large to be searched for secrets."""
    body = raw(delivery)
    if len(body) > READ_BYTES:
        return None
    shown = redacted(body.decode("utf-8", "replace"))
    if (value := parsed(shown)) is not None:
        shown = json.dumps(value, indent=2, ensure_ascii=False)
    return visible(shown)
