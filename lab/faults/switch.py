"""How a run tells something to the web processes it started, and is told: one word in a file."""

from __future__ import annotations

from pathlib import Path


class Switch:
    """A file with one word; empty to begin with."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def new(cls, path: Path) -> Switch:
        path.parent.mkdir(parents=True, exist_ok=True)
        switch = cls(path)
        switch.set("")
        return switch

    def set(self, word: str) -> None:
        self.path.write_text(word)

    def get(self) -> str:
        return self.path.read_text()
