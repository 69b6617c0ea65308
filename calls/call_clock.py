"""The clock of a call: when second 0 was, and in which second something was said. Links to turns use these seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

LONGEST_SECONDS = 10**7


def beginning_of_clock(told: Any, call_start_time: datetime | None) -> datetime | None:
    """Return the time of second 0: when the call was answered, as ElevenLabs `told` it; else `call_start_time`.

    ElevenLabs tells it as `start_time_unix_secs`.
    """
    if isinstance(told, int | float) and not isinstance(told, bool):
        try:
            return datetime.fromtimestamp(told, UTC)
        except (OverflowError, ValueError, OSError):
            pass
    return call_start_time


def second_told(seconds: Any) -> int | None:
    """Return `time_in_call_secs` in whole seconds; None if missing or impossible (below 0, LONGEST_SECONDS or more)."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return int(seconds) if is_number and 0 <= seconds < LONGEST_SECONDS else None


def second_of(moment: datetime, start: datetime | None) -> int | None:
    """Return the call's second at a moment; None if the call's start is unknown or the moment is not in the call."""
    return None if start is None else second_told((moment - start).total_seconds())
