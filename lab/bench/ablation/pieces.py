"""The pieces of callsite that exist for speed. The product has no switches: patches here switch them off.

A patch replaces a piece with the simplest code that works without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.bench.ablation import sockets_without, webhooks_without


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece. `of` names its units of work (`lab.bench.ablation.units`), `place` the file that holds it."""

    name: str
    place: str
    of: tuple[str, ...]
    switch_off: Callable[[], None]


TURN, OUTCOME, DELIVERY, SPREAD = "turn", "outcome", "delivery", "spread"
SOCKET, CROWD, PAGE = "socket", "crowd", "page"
PIECES = (
    Piece("the server's own door", "callsite/webhook_door.py", (TURN, OUTCOME), webhooks_without.no_door),
    Piece("turns past the inbox", "webhooks/batching/turns.py", (TURN,), webhooks_without.no_turn_writer),
    Piece("turns in batches", "webhooks/batching/group_commit.py", (TURN,), webhooks_without.no_batch_of_turns),
    Piece("turns by one statement", "calls/postgres/turns.py", (TURN,), webhooks_without.turns_by_orm),
    Piece(
        "turns over the loop's own connection",
        "webhooks/batching/turns.py",
        (TURN, SPREAD),
        webhooks_without.turns_in_a_thread,
    ),
    Piece(
        "the statement of turns is prepared",
        "webhooks/batching/turns.py",
        (TURN, SPREAD),
        webhooks_without.no_preparation,
    ),
    Piece("notices are sent together", "realtime/publisher.py", (TURN,), webhooks_without.no_batch_of_notices),
    Piece("outcomes in batches", "webhooks/batching/outcomes.py", (OUTCOME,), webhooks_without.no_batch_of_outcomes),
    Piece("outcomes by one statement", "calls/postgres/outcomes.py", (OUTCOME,), webhooks_without.outcomes_by_orm),
    Piece(
        "deliveries by one statement", "webhooks/batching/outcomes.py", (OUTCOME,), webhooks_without.deliveries_by_orm
    ),
    Piece("a word is taken apart once", "calls/search/words.py", (OUTCOME,), webhooks_without.no_distinct_words),
    Piece("gc.freeze", "callsite/asgi.py", (TURN, OUTCOME, DELIVERY), webhooks_without.no_freeze),
    Piece(
        "texts are written without a task", "realtime/send_queue.py", (DELIVERY, SPREAD), sockets_without.task_per_text
    ),
    Piece("a process rings its own doorbell", "realtime/doorbell.py", (SPREAD,), sockets_without.no_own_doorbell),
    Piece("reads that are made together", "realtime/together.py", (SOCKET,), sockets_without.each_alone),
    Piece("a subscription reads its call once", "realtime/hub.py", (SOCKET,), sockets_without.no_moment),
    Piece("a token is verified once", "realtime/auth.py", (SOCKET,), sockets_without.verify_always),
    Piece("no look for old connections", "realtime/authenticated.py", (SOCKET,), sockets_without.channels_dispatch),
    Piece("handshakes in handfuls", "callsite/websocket_protocol.py", (CROWD,), sockets_without.no_handfuls),
    Piece("rows are read directly", "calls/api/serializers.py", (PAGE,), sockets_without.drf_rows),
)
