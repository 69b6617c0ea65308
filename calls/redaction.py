"""Mask the secrets of tool calls: everything from ElevenLabs leaves callsite through the one function `redacted`.

Stored data stays as it came. docs/operations.md says what is masked, and where.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core import checks

from calls import secret_names, secret_texts
from calls.secret_names import SECRETS, Kind
from calls.secret_texts import MASK, NAME_MAX_LENGTH

MAX_DEPTH = 200
KINDS_KEPT = 4096
OWN_SECRETS = ("ELEVENLABS_WEBHOOK_SECRET", "ELEVENLABS_TOOL_SECRET", "ELEVENLABS_API_KEY", "SECRET_KEY")
OWN_SECRET_MIN_LENGTH = 8
_WITH_TEXT = frozenset({str, dict, list})
# the fields that hold the name in {"name": "Authorization", "value": …} and the like
_NAME_FIELDS = (
    *("name", "variable_name", "variableName", "key", "header", "header_name", "headerName", "parameter", "param"),
    *("field", "identifier", "data_collection_id", "dynamic_variable"),
)
_NAME = re.compile(r"[\w .-]*[^\W_][\w .-]*")


@checks.register(checks.Tags.security)
def check_names(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """calls.W001: REDACTED_NAMES has an item that is no name."""
    return [
        checks.Warning(
            f"REDACTED_NAMES has {item!r}, which no header, parameter or variable is called: it masks nothing.",
            hint="An item is a whole name, as in X-Tenant-Key, and stands for no others. A comma separates two items.",
            id="calls.W001",
        )
        for item in settings.REDACTED_NAMES
        if not _NAME.fullmatch(item)
    ]


def redacted[Value](value: Value) -> Value:
    """Return the same JSON value with `"***"` for each secret. It never fails, and shares the parts without secrets."""
    own = tuple(getattr(settings, name, "") for name in OWN_SECRETS)
    try:
        shown: Value = _redaction(tuple(settings.REDACTED_NAMES), own).value(value, 0)
    except RecursionError:
        return MASK  # type: ignore[return-value]
    return shown


@lru_cache(maxsize=1)
def _redaction(names: tuple[str, ...], own_secrets: tuple[str, ...]) -> _Redaction:
    own = {text.strip() for setting in own_secrets for text in setting.split(",")}
    return _Redaction(
        frozenset(map(secret_names.folded, names)) - {""},
        sorted((text for text in own if len(text) >= OWN_SECRET_MIN_LENGTH), key=len, reverse=True),
    )


class _Redaction:
    """Masks the secrets in values. `listed`: names of secrets. `own`: callsite's own secrets, masked everywhere."""

    def __init__(self, listed: frozenset[str], own: list[str]) -> None:
        self.listed, self.own = listed, own
        self.kinds: dict[str, Kind] = {}  # a cache by name, because the same names come again and again

    def kind_of(self, name: str, in_query: bool = False) -> Kind:
        if not in_query and (known := self.kinds.get(name)):
            return known
        name = name[:NAME_MAX_LENGTH]
        kind = secret_names.kind_of(name, self.listed, in_query)
        if not in_query:
            if len(self.kinds) >= KINDS_KEPT:
                self.kinds.clear()
            self.kinds[name] = kind
        return kind

    def value(self, value: Any, depth: int) -> Any:
        if type(value) is str:
            return self.text(value, depth)
        if type(value) is dict:
            return self.mapping(value, depth) if depth <= MAX_DEPTH else MASK
        if type(value) is list:
            return self.sequence(value, depth) if depth <= MAX_DEPTH else MASK
        return value

    def mapping(self, value: dict[str, Any], depth: int, in_query: bool = False) -> dict[str, Any]:
        changed: dict[str, Any] = {}
        values, kinds, plain = [], {} if in_query else self.kinds, Kind.PLAIN
        for name, item in value.items():
            kind = kinds.get(name) or self.kind_of(name, in_query)
            if kind is plain:
                if not item or type(item) not in _WITH_TEXT:
                    continue
                new = self.value(item, depth + 1)
            else:
                new = self.named(kind, item, depth + 1)
                if kind is Kind.VALUE:
                    values.append(name)
            if new is not item:
                changed[name] = new
        if values and (kind := self.kind_of_pair(value)) in SECRETS:
            changed |= {name: _masked(value[name], kind, depth) for name in values}
        shown = {**value, **changed} if changed else value
        return self.without_path_secrets(shown, value["path_params"]) if "path_params" in value else shown

    def named(self, kind: Kind, value: Any, depth: int) -> Any:
        if kind in SECRETS:
            return _masked(value, kind, depth)
        if kind is Kind.HEADERS:
            return self.headers(value, depth)
        if kind is Kind.QUERY and isinstance(value, dict) and depth <= MAX_DEPTH:
            return self.mapping(value, depth, in_query=True)
        if kind is Kind.AUDIO and isinstance(value, str):
            return secret_texts.size_of_audio(value)
        return self.value(value, depth)

    def kind_of_pair(self, value: dict[str, Any]) -> Kind:
        names = [value[field] for field in _NAME_FIELDS if field in value]
        kinds = [self.kind_of(name) for name in names if isinstance(name, str)]
        return next((kind for kind in kinds if kind in SECRETS), Kind.PLAIN)

    def sequence(self, value: list[Any], depth: int) -> list[Any]:
        if len(value) == 2 and type(value[0]) is str and type(value[1]) is str:
            kind = self.kind_of(value[0])
            if kind in SECRETS:
                # the name may itself be a text with a secret in it
                return [self.text(value[0], depth + 1), _masked(value[1], kind, depth)]
        changed = {n: new for n, item in enumerate(value) if (new := self.value(item, depth + 1)) is not item}
        return [changed.get(n, item) for n, item in enumerate(value)] if changed else value

    def headers(self, value: Any, depth: int) -> Any:
        """Mask the values of headers and keep their names.

        Headers may be an object, a list of pairs, a list of objects with the name in one field, or lines of text.
        """
        if isinstance(value, list):
            return [_header(item, depth + 1) for item in value]
        if not isinstance(value, str):
            return _masked(value, Kind.LISTED, depth)
        parsed = secret_texts.parsed(value)
        if isinstance(parsed, dict | list):
            return secret_texts.written(self.headers(parsed, depth + 1), value)
        return secret_texts.without_header_values(value)

    def without_path_secrets(self, details: dict[str, Any], parameters: Any) -> dict[str, Any]:
        """Mask the values of secret path parameters in the URL of a tool."""
        url = details.get("url")
        if not isinstance(url, str) or not isinstance(parameters, dict):
            return details
        shown = url
        for name, value in parameters.items():
            if isinstance(value, str) and len(value) > 3 and self.kind_of(name) in SECRETS:
                shown = shown.replace(value, MASK).replace(quote(value, safe="", errors="replace"), MASK)
        return details if shown == url else {**details, "url": shown}

    def text(self, text: str, depth: int) -> str:
        shown = text
        if secret_texts.is_notable(text):
            parsed = secret_texts.parsed(text) if depth <= MAX_DEPTH else None
            if parsed is not None:
                inside = self.value(parsed, depth + 1)
                return text if inside is parsed else secret_texts.written(inside, text)
            shown = secret_texts.without_userinfo(shown)
            shown = secret_texts.without_parameters(shown, self.kind_of, lambda inside: self.text(inside, depth + 1))
            shown = secret_texts.without_credentials(shown)
            shown = secret_texts.without_quoted(shown, self.kind_of)
        for secret in self.own:
            if secret in shown:
                shown = shown.replace(secret, MASK)
        return text if shown == text else shown


def _header(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return secret_texts.without_header_values(value)
    masked = _masked(value, Kind.LISTED, depth)
    if isinstance(value, list) and len(value) == 2 and _is_header_name(value[0]):
        return [value[0], masked[1]]
    if isinstance(value, dict):
        return masked | {field: value[field] for field in _NAME_FIELDS if _is_header_name(value.get(field))}
    return masked


def _is_header_name(value: Any) -> bool:
    return isinstance(value, str) and value.replace("-", "_").isidentifier()


def _masked(value: Any, kind: Kind, depth: int) -> Any:
    """Mask whatever in a secret tells something.

    Inner names, null and "" stay. true and false stay unless the name is LISTED; numbers stay if it is COUNTED.
    """
    if depth > MAX_DEPTH:
        return MASK
    if isinstance(value, dict):
        return {name: _masked(item, kind, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, kind, depth + 1) for item in value]
    if value is None or value == "":
        return value
    if isinstance(value, bool):
        return MASK if kind is Kind.LISTED else value
    return value if kind is Kind.COUNTED and isinstance(value, int | float) else MASK
