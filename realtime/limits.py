"""The rate limit of one client (a token bucket)."""

from __future__ import annotations

import time


class Rate:
    """Allows at most `per_second` messages per second; one second's worth may come at once. 0: no limit."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._left = float(per_second)
        self._at = time.monotonic()

    def allows(self) -> bool:
        """Count one message; return whether it is within the rate."""
        if not self._per_second:
            return True
        now = time.monotonic()
        self._left = min(self._per_second, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
