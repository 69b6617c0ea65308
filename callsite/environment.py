"""Read settings from the environment and from `.env`, as people write them.

A value may stand between blanks, or between quotes: `docker run --env-file` keeps both. A value that is set but empty
counts as absent: compose sets such a value for `X: ${X}`. A value of the wrong type raises ImproperlyConfigured, which
names the setting and says what it takes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environs import Env

FLAGS = dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True)
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
        try:
            return json.loads(self.text(name, default))
        except ValueError:
            raise ImproperlyConfigured(f"{name} must be JSON, as in {default}.") from None


def unquoted(text: str) -> str:
    """Remove blanks around `text`, then quotes around it, unless it has such quotes inside."""
    text = text.strip()
    mark = text[:1]
    if len(text) >= 2 and mark in ("'", '"') and text.endswith(mark) and mark not in text[1:-1]:
        return text[1:-1].strip()
    return text
