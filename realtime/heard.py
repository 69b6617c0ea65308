"""What was heard of calls that nobody listened to: whether a state that was just read may be older than that."""

from __future__ import annotations

REMEMBERED_CALLS = 10_000


class Heard:
    """Counts what is heard of calls without a listener. A `moment` is a count."""

    def __init__(self) -> None:
        self._count = self._forgotten = 0  # of moments below `_forgotten` nothing is known any more
        self._last: dict[int, int] = {}  # by call

    def moment(self) -> int:
        return self._count

    def note(self, call_id: int) -> None:
        if len(self._last) >= REMEMBERED_CALLS:
            self._last.clear()
            self._forgotten = self._count + 1
        self._last[call_id] = self._count
        self._count += 1

    def nothing_since(self, moment: int, call_id: int) -> bool:
        """Whether nothing was heard of the call since then; where that is not known any more, False."""
        return moment >= self._forgotten and self._last.get(call_id, -1) < moment
