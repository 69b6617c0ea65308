"""The doorbell of the list of calls: which calls changed, many in one message, so that a turn costs a set's `add`."""

from __future__ import annotations

import threading
import time

from realtime import publisher

CALLS_GROUP = "calls"
GATHER_SECONDS = 0.05
FORGOTTEN_SECONDS = 1.0  # the loop that was to publish has ended meanwhile

_lock = threading.Lock()
_rung: set[int] = set()
_gathering_since = 0.0


def ring(call_id: int) -> None:
    """Tell the feeds of all processes, within GATHER_SECONDS, that a call changed. From any thread."""
    global _gathering_since
    now = time.monotonic()
    with _lock:
        first = not _rung or now > _gathering_since + FORGOTTEN_SECONDS
        if first:
            _gathering_since = now
        _rung.add(call_id)
    if first:
        publisher.later(GATHER_SECONDS, _publish)


def _publish() -> None:
    with _lock:
        call_ids = sorted(_rung)
        _rung.clear()
    if call_ids:
        publisher.publish(CALLS_GROUP, {"type": "changed", "call_ids": call_ids})
