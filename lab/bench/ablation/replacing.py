"""Replaces code of callsite with other code."""

from __future__ import annotations

from typing import Any


def replace(owner: Any, name: str, value: Any) -> None:
    """Replace `owner.name`. Raises AttributeError if a piece moved, so that none only seems to be switched off."""
    if not hasattr(owner, name):
        raise AttributeError(f"{owner} has no {name}: switch it off where it is now")
    setattr(owner, name, value)
