"""Read settings from the environment and from `.env`, as people write them.

A value may stand between blanks, or between quotes: `docker run --env-file` keeps both. A value that is set but empty
counts as absent: compose sets such a value for `X: ${X}`. A value of the wrong type raises ImproperlyConfigured, which
names the setting and says what it takes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from environs import Env

FLAGS = dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True)
ENGINES = ("django.db.backends.postgresql", "django.db.backends.sqlite3")
FLAGS |= dict.fromkeys(("false", "f", "no", "n", "off", "0"), False)


class Environment:
    """The environment, and behind it a `.env` file if there is one."""

    def __init__(self, dotenv: Path) -> None:
        self._env = Env()
        try:
            self._env.read_env(dotenv, recurse=False)
        except UnicodeDecodeError:
            raise ImproperlyConfigured(f"{dotenv} is not UTF-8: save it as UTF-8 text.") from None

    def text(self, name: str, default: str = "") -> str:
        return unquoted(self._env.str(name, "")) or default

    def items(self, name: str) -> list[str]:
        """Return the items between commas, without empty ones."""
        return [item for part in self.text(name).split(",") if (item := unquoted(part))]

    def flag(self, name: str, default: bool) -> bool:
        word = self.text(name).lower()
        if word and word not in FLAGS:
            raise ImproperlyConfigured(f"{name} must be true or false.")
        return FLAGS.get(word, default)

    def limit(self, name: str, default: int) -> int:
        """Return a whole number from 0 up; 0 means no limit."""
        digits = self.text(name, str(default)).replace("_", "")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
            raise ImproperlyConfigured(f"{name} must be a whole number in digits, as in {default}; 0 means no limit.")
        return int(digits)

    def json(self, name: str, default: str) -> Any:
        """Return what can be sent as JSON again: NaN and half a surrogate pair cannot."""
        try:
            value = json.loads(self.text(name, default))
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
            return value
        except ValueError:
            raise ImproperlyConfigured(f"{name} must be JSON, as in {default}.") from None

    def database(self, name: str, default: str) -> dict[str, Any]:
        """Return an entry of Django's DATABASES, of PostgreSQL or SQLite."""
        try:
            found: dict[str, Any] = {**dj_database_url.parse(self.text(name, default))}
        except ValueError:  # it may hold a password, so it is not repeated
            found = {}
        is_named = found.get("NAME") or "service" in found.get("OPTIONS", {})
        if found.get("ENGINE") not in ENGINES or not is_named:
            raise ImproperlyConfigured(
                f"{name} must be postgres://USER:PASSWORD@HOST:PORT/NAME or sqlite:///FILE. Signs such as @ : / # in a "
                "name or password are written %40 %3A %2F %23."
            )
        return found


def unquoted(text: str) -> str:
    """Remove blanks around `text`, then quotes around it, unless it has such quotes inside."""
    text = text.strip()
    mark = text[:1]
    if len(text) >= 2 and mark in ("'", '"') and text.endswith(mark) and mark not in text[1:-1]:
        return text[1:-1].strip()
    return text
