"""The clock of a call: when its second 0 was, and at which second something was said. It gives turns their names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

LONGEST_SECONDS = 10**7


def beginning_of_clock(told: Any, call_start_time: datetime | None) -> datetime | None:
    """As ElevenLabs `told` it (`start_time_unix_secs`), which is when the call was answered; else as we know."""
    if isinstance(told, int | float) and not isinstance(told, bool):
        try:
            return datetime.fromtimestamp(told, UTC)
        except (OverflowError, ValueError, OSError):
            pass
    return call_start_time


def second_told(seconds: Any) -> int | None:
    """What `time_in_call_secs` says, where that can be."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return int(seconds) if is_number and 0 <= seconds < LONGEST_SECONDS else None


def second_of(moment: datetime, start: datetime | None) -> int | None:
    """None where nobody knows when the call began, or the moment is no part of it."""
    return None if start is None else second_told((moment - start).total_seconds())
