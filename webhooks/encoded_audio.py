"""Decode a recording inside JSON: up to 64 MB of base64, without a copy of the whole text.

It is decoded in pieces that hold the interpreter lock for 2 ms each, so that the event loop goes on meanwhile.
"""

from __future__ import annotations

import binascii
import io
from typing import Any

import msgspec

from webhooks.models import LARGE_BYTES
from webhooks.strict_json import decode

PIECE = 2**20
_STANDARD = bytes.maketrans(b"-_", b"+/")  # base64 for URLs differs in these two characters
_SPACE = b" \t\r\n\v\f"


def decoded(encoded: str | memoryview) -> bytes:
    """Decode base64 of either alphabet, with spaces or line breaks, with or without padding. Raises ValueError."""
    content, rest = io.BytesIO(), b""
    for at in range(0, len(encoded), PIECE):
        rest += _as_bytes(encoded[at : at + PIECE]).translate(_STANDARD, _SPACE)
        whole = max(len(rest) - 1, 0) // 4 * 4
        if b"=" in rest[:whole]:
            raise ValueError("padding before the end")
        content.write(binascii.a2b_base64(rest[:whole], strict_mode=True))
        rest = rest[whole:]
    content.write(binascii.a2b_base64(rest + b"=" * (-len(rest) % 4), strict_mode=True))
    return content.getvalue()


def _as_bytes(piece: str | memoryview) -> bytes:
    return piece.encode("ascii") if isinstance(piece, str) else piece.tobytes()


def decode_recording(raw: bytes) -> dict[str, Any] | None:
    """Decode a large body, but leave `data.full_audio` encoded, as a view into the body. Raises InvalidPayload.

    Returns None if the body is small, has no recording or has a JSON escape: then `strict_json.decode` takes it.
    """
    if len(raw) <= LARGE_BYTES or b"\\" in raw:
        return None
    try:
        body = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        data = msgspec.json.decode(body["data"], type=dict[str, msgspec.Raw])
        audio = memoryview(data["full_audio"])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError):
        return None
    if audio[0] != ord('"'):
        return None
    data["full_audio"] = msgspec.Raw(b'""')
    body["data"] = msgspec.Raw(msgspec.json.encode(data))
    value = decode(msgspec.json.encode(body))
    value["data"]["full_audio"] = audio[1:-1]
    return value
