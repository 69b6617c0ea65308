"""Notices: what keeps calls from being shown, and what to do about it. The live page shows them.

A room registers a function that tells what it knows, in words fit for the user who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Notice:
    """`text` says what is the matter, `fix` what to do. `url` leads staff who may see it to the rows behind it."""

    text: str
    fix: str = ""
    url: str = ""


Teller = Callable[[HttpRequest], list[Notice]]
tellers: list[Teller] = []


def notices_for(request: HttpRequest) -> list[Notice]:
    """All notices for the user of this request, in the order in which the rooms registered."""
    return [notice for tell in tellers for notice in tell(request)]
