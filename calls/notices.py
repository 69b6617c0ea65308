"""Notices: what keeps calls from being shown, and how to fix it. The live page shows them.

Each room registers a function that returns its notices, in words fit for the user who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice. `text` says what is wrong, `fix` what to do. `url` leads permitted staff to the rows behind it."""

    text: str
    fix: str = ""
    url: str = ""


Teller = Callable[[HttpRequest], list[Notice]]
tellers: list[Teller] = []


def notices_for(request: HttpRequest) -> list[Notice]:
    """Return all notices for the user of this request, in the order in which the rooms registered."""
    return [notice for tell in tellers for notice in tell(request)]
