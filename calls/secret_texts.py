"""Mask secrets in texts that are not JSON: URLs, forms, `Bearer …`, and JSON that is cut off or inside a sentence."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

from calls.secret_names import SECRETS, Kind

MASK = "***"
NAME_MAX_LENGTH = 200
KindOf = Callable[..., Kind]  # (name, in_query=False)
_USERINFO = re.compile(r"""(?<=://)[^/\s?#"'<>]*@""")
_PARAMETER = re.compile(r"""(?<![\w.\[\]%$+-])([\w.\[\]%$+-]{1,200})=((?:[^&\s"'<>#\\]|\\/|\\u[0-9a-fA-F]{4})+)""")
# After "bearer" in a sentence comes a word, which has no digits and fewer letters than a token.
_BEARER = re.compile(r"(?i:\b(bearer)\s+)(?=[a-zA-Z.-]*(?:[0-9_~+/=]|\.[a-zA-Z0-9])|[a-zA-Z-]{20})[\w.~+/=-]{8,}")
_BASIC = re.compile(r"(?i:\b(basic)\s+)([A-Za-z0-9+/_-]{4,})=*")
_HEADER_LINE = re.compile(r"^([\w-]+\s*:\s*)?.+$", re.MULTILINE)
# The quotes may be escaped, and the text may end before the value does.
_QUOTED_NAME = re.compile(r"""(?<!\\)(\\{0,64}["'])([^"'\\]{1,200})\1\s{0,20}:\s{0,20}""")
_QUOTED_VALUE = re.compile(r"""(\\{0,64}["']).*?(?:(?<!\\)\1|\Z)|-?[0-9][0-9.eE+-]*""", re.DOTALL)
_SIZE = re.compile(r"\([0-9]+ characters of base64\)")
_BRACKET = re.compile(r"[\[\]{}]")


def is_notable(text: str) -> bool:
    """Tell whether a text may hold a secret. Most texts have none of these signs, and cost half a microsecond."""
    return '"' in text or "=" in text or "@" in text or "':" in text or _has_scheme(text)


def _has_scheme(text: str) -> bool:
    return "earer " in text or "asic " in text or "EARER " in text or "ASIC " in text


def parsed(text: str) -> Any:
    """Return the value of a JSON text; None if it is not JSON, or has a key twice, which would hide the first value."""
    text = text.strip("\ufeff \t\r\n")
    try:
        return json.loads(text, object_pairs_hook=_unique) if text.startswith(("{", "[", '"')) else None
    except (ValueError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is given twice")
    return value


def written(value: Any, like: str) -> str:
    """Return the JSON text of a value, with or without spaces as in the text that the value came from."""
    separators = None if '": ' in like else (",", ":")
    text = json.dumps(value, ensure_ascii=False, separators=separators)
    # lone surrogates need an escape, because an answer in UTF-8 cannot hold them
    return text if text.isprintable() else json.dumps(value, separators=separators)


def without_userinfo(text: str) -> str:
    return _USERINFO.sub(f"{MASK}@", text) if "@" in text else text


def without_parameters(text: str, kind_of: KindOf, redacted: Callable[[str], str]) -> str:
    """Mask secrets in `name=value` of queries and forms. `redacted` looks into a value that is itself a URL or JSON."""

    def shown(found: re.Match[str]) -> str:
        name, value = found.groups()
        in_query = text[found.start() - 1 : found.start()] in ("?", "&")
        if kind_of(unquote_plus(name), in_query) in SECRETS:
            return f"{name}={MASK}"
        if "%" in value and (decoded := unquote(value)) != (inside := redacted(decoded)):
            return f"{name}={quote(inside, safe='*', errors='replace')}"
        return found[0]

    return _PARAMETER.sub(shown, text) if "=" in text else text


def without_credentials(text: str) -> str:
    """Mask the credentials in `Bearer …` and `Basic …`, but not the words of a sentence about bearers or basics."""
    if not _has_scheme(text):
        return text
    text = _BEARER.sub(rf"\1 {MASK}", text)
    return _BASIC.sub(lambda found: f"{found[1]} {MASK}" if _is_login(found[2]) else found[0], text)


def _is_login(encoded: str) -> bool:
    try:
        login = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_").decode()
    except (binascii.Error, ValueError):
        return False
    return ":" in login and login.isprintable()


def without_header_values(lines: str) -> str:
    return _HEADER_LINE.sub(lambda line: f"{line[1] or ''}{MASK}", lines)


def size_of_audio(encoded: str) -> str:
    """Return the text in place of a recording: its size. A text that is such a size already stays."""
    return encoded if _SIZE.fullmatch(encoded) else f"({len(encoded)} characters of base64)"


def without_quoted(text: str, kind_of: KindOf) -> str:
    """Mask the secrets in `"name": "value"`, whatever stands around them."""
    parts, kept_to, place = [], 0, 0
    while found := _QUOTED_NAME.search(text, place):
        place = found.end()
        kind = kind_of(found[2])
        if kind in SECRETS or kind in (Kind.HEADERS, Kind.AUDIO):
            end = _end_of_value(text, place)
            if end > place:
                quotes = found[1] if text[place] in "\\\"'" else ""
                shown = size_of_audio(text[place:end].strip(quotes)) if kind is Kind.AUDIO else MASK
                parts += [text[kept_to:place], quotes, shown, quotes]
                kept_to = place = end
    return "".join([*parts, text[kept_to:]]) if parts else text


def _end_of_value(text: str, place: int) -> int:
    """Return the end of the text, number, object or list that begins at `place`; `place` if none begins there."""
    if not text.startswith(("{", "["), place):
        value = _QUOTED_VALUE.match(text, place)
        return value.end() if value else place
    depth = 0
    for bracket in _BRACKET.finditer(text, place):
        depth += 1 if bracket[0] in "[{" else -1
        if depth == 0:
            return bracket.end()
    return len(text)
