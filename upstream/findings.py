"""The findings of an examination: each is a sentence, and says how to mend the problem."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    FINE = "ok"
    WARNING = "warning"
    BROKEN = "broken"


class Finding(NamedTuple):
    level: Level
    text: str
    mend: str = ""


def fine(text: str) -> Finding:
    return Finding(Level.FINE, text)


def warning(text: str, mend: str) -> Finding:
    return Finding(Level.WARNING, text, mend)


def broken(text: str, mend: str) -> Finding:
    return Finding(Level.BROKEN, text, mend)


def or_fine(found: Iterator[Finding], text: str) -> Iterator[Finding]:
    """Yield the findings; if none is broken, also yield a fine one with this text."""
    is_broken = False
    for finding in found:
        is_broken |= finding.level == Level.BROKEN
        yield finding
    if not is_broken:
        yield fine(text)
