"""A one-word file by which a run and the web processes that it started tell each other something."""

from __future__ import annotations

from pathlib import Path


class Switch:
    """A file with one word; it is empty at first."""

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
