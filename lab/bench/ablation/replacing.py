"""Put other code in the place of some."""

from __future__ import annotations

from typing import Any


def replace(owner: Any, name: str, value: Any) -> None:
    """A piece that went elsewhere is an error here, so that none seems to be switched off and is not."""
    if not hasattr(owner, name):
        raise AttributeError(f"{owner} has no {name}: switch it off where it is now")
    setattr(owner, name, value)
