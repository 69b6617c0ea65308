"""Strict JSON: refuse or replace values that Python's decoder accepts, and PostgreSQL or a browser cannot take.

The decoder refuses encodings other than UTF-8, NaN, Infinity, numbers beyond a float or of thousands of digits, and
nesting deeper than 200. It replaces NUL characters and lone surrogates by U+FFFD, and skips a byte order mark. If an
object has a key twice, the last one counts.
"""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from typing import Any, NoReturn

from webhooks.errors import InvalidPayload

MAX_DEPTH = 200
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# A body can hold such characters as escapes only: UTF-8 has no surrogates, and JSON has no bare control characters.
_ESCAPED_UNSTORABLE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def decode(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in `raw`. Raises InvalidPayload, which says what is wrong."""
    try:
        text = raw.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise InvalidPayload(f"The body is not UTF-8 (byte {error.start}).") from None
    try:
        value = _decoder.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidPayload(f"The body is not JSON: {error.msg} (character {error.pos}).") from None
    except RecursionError:
        raise InvalidPayload(f"The body is nested deeper than {MAX_DEPTH} levels.") from None
    except ValueError:  # int() of thousands of digits
        raise InvalidPayload("The body has a number with too many digits.") from None
    if not isinstance(value, dict):
        raise InvalidPayload("The body must be a JSON object.")
    _check_depth(value)
    mended: dict[str, Any] = _mended(value) if _ESCAPED_UNSTORABLE.search(raw) else value
    return mended


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidPayload(f"The body has the number {name}, which is not JSON.")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise InvalidPayload("The body has a number that is too large.")
    return value


_decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def _check_depth(value: dict[str, Any]) -> None:
    """Raise InvalidPayload for nesting beyond MAX_DEPTH. Each pass collects the containers of one level."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            item
            for container in level
            for item in (container.values() if type(container) is dict else container)
            if type(item) is dict or type(item) is list
        ]
        if not level:
            return
    raise InvalidPayload(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_mended(item) for item in value]
    return value
