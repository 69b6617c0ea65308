"""The types of command line options of the simulator's commands: they check the values, with clear errors."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable

PACE_MAX_SECONDS = 3600.0


def whole_number(smallest: int, largest: int) -> Callable[[str], int]:
    """Return an option type that reads a whole number within these bounds, and else raises ArgumentTypeError."""

    def read(text: str) -> int:
        if text.isascii() and text.isdigit() and smallest <= int(text) <= largest:
            return int(text)
        raise ArgumentTypeError(f"{text!r} is not a whole number from {smallest} to {largest}")

    return read


def pace(text: str) -> float:
    """Read a number of seconds, which may have a fraction; 0 is as fast as the server answers.

    Raises ArgumentTypeError.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= PACE_MAX_SECONDS:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to {PACE_MAX_SECONDS:.0f}")
    return value
