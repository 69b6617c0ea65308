"""The body of a delivery for the staff: masked or as it came, indented if it is JSON, never with the audio."""

from __future__ import annotations

import json
import re
from typing import Any

from calls.redaction import redacted
from calls.secret_texts import parsed, size_of_audio
from webhooks.models import WebhookDelivery
from webhooks.why import visible

FULL_AUDIO = "full_audio"
_FULL_AUDIO = re.compile(r'("full_audio"\s*:\s*")([^"]*)')  # removed first: the audio may have 60 MB
READ_BYTES = 4 * 2**20  # without the audio; more would keep a page busy for seconds
_LONG = re.compile(r"[A-Za-z0-9+/_-]{2000,}={0,2}")
_LIKE_BASE64 = (re.compile("[A-Z]"), re.compile("[a-z]"), re.compile("[0-9]"))


def raw(delivery: WebhookDelivery) -> bytes:
    """Return the body with the secrets of tool calls. A body above READ_BYTES is not indented."""
    text = _text(bytes(delivery.body))
    return (_written(text) if len(text) <= READ_BYTES else _LONG.sub(_without_encoded, text)).encode()


def masked(delivery: WebhookDelivery) -> str | None:
    """Return the body with its secrets masked; None if it is too large to be searched for them."""
    text = _text(bytes(delivery.body))
    return visible(_written(redacted(text))) if len(text) <= READ_BYTES else None


def _text(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    return _FULL_AUDIO.sub(lambda found: found[1] + size_of_audio(found[2]), text)


def _written(text: str) -> str:
    if (value := parsed(text)) is not None:
        try:
            text = json.dumps(_without_audio(value), indent=2, ensure_ascii=False)
        except RecursionError:  # nested too deeply: the text stays as it is
            pass
        text = text.encode("utf-8", "backslashreplace").decode()  # an escape may stand for a lone surrogate
    return _LONG.sub(_without_encoded, text)


def _without_encoded(run: re.Match[str]) -> str:
    """Replace a long run of base64 by its size: such a run can only be audio, as no word and no secret is as long."""
    return size_of_audio(run[0]) if all(kind.search(run[0]) for kind in _LIKE_BASE64) else run[0]


def _without_audio(value: Any) -> Any:
    """Replace `full_audio` by its size at any depth, also under a key with escapes and in JSON inside a text."""
    if isinstance(value, dict):
        return {
            name: size_of_audio(item) if name == FULL_AUDIO and isinstance(item, str) else _without_audio(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_without_audio(item) for item in value]
    if isinstance(value, str) and FULL_AUDIO in value and (inner := parsed(value)) is not None:
        return json.dumps(_without_audio(inner), ensure_ascii=False)
    return value
