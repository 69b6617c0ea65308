"""A memory of notices about calls without listeners: it tells whether a state that was just read may be out of date."""

from __future__ import annotations

REMEMBERED_CALLS = 10_000


class Heard:
    """Counts the notices about calls without a listener. A `moment` is a count."""

    def __init__(self) -> None:
        self._count = self._forgotten = 0  # nothing is known any more about moments below `_forgotten`
        self._last: dict[int, int] = {}  # the moment of the latest notice, by call id

    def moment(self) -> int:
        return self._count

    def note(self, call_id: int) -> None:
        if len(self._last) >= REMEMBERED_CALLS:
            self._last.clear()
            self._forgotten = self._count + 1
        self._last[call_id] = self._count
        self._count += 1

    def nothing_since(self, moment: int, call_id: int) -> bool:
        """Tell whether no notice of the call came since the moment; False where that is not known any more."""
        return moment >= self._forgotten and self._last.get(call_id, -1) < moment
