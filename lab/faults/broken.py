"""callsite with one mechanism switched off: `FAULTS_BROKEN=sweep uvicorn lab.faults.broken:application`.

A check that cannot fail shows nothing. Each mechanism here carries a promise; without it the promise's row has to turn
BROKEN (`python -m lab.faults --only mutants`, or by hand `python -m lab.faults --break sweep --only lossy`).
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable
from typing import Any

from lab.faults.failpoint import VARIABLE


def no_sweep() -> None:
    """Make hubs trust the channel layer: they never compare themselves with the database."""
    from realtime.hub import Hub

    async def nothing(_hub: Hub) -> None: ...

    _replace(Hub, "_compare", nothing)


def no_gap_fill() -> None:
    """Make a hub serve a turn above a gap as if it were the next turn."""
    from realtime.subscriptions import Topic

    advance = Topic.advance

    def careless(topic: Topic, number: int, text: str) -> Any:
        topic.head = max(topic.head, number - 1)
        return advance(topic, number, text)

    _replace(Topic, "advance", careless)


def no_dedupe() -> None:
    """Make callsite store a turn again that is sent again."""
    from webhooks import tool_payloads

    parse = tool_payloads.parse_turn
    _replace(tool_payloads, "parse_turn", lambda body: dataclasses.replace(parse(body), turn_id=None))


def no_row_lock() -> None:
    """Read the next number without locking the call's row."""
    from calls.models import CallQuerySet
    from calls.postgres import turns

    _replace(turns, "RECORD_TURNS", turns.RECORD_TURNS.replace("FOR NO KEY UPDATE SKIP LOCKED", ""))
    _replace(CallQuerySet, "select_for_update", lambda calls, **_: calls)


def wait_in_batch() -> None:
    """Make a batch of turns wait for a call whose row is locked."""
    from calls.postgres import turns

    _replace(turns, "RECORD_TURNS", turns.RECORD_TURNS.replace("SKIP LOCKED", ""))


def answer_first() -> None:
    """Answer a post-call webhook as soon as it is read, and store it a moment later."""
    from webhooks import inbox
    from webhooks.batching import outcomes
    from webhooks.models import WebhookDelivery
    from webhooks.replies import Reply

    async def hasty(body: bytes) -> Reply:
        threading.Timer(0.2, inbox.receive, (WebhookDelivery.Route.POST_CALL, body)).start()
        return Reply(200, {"status": "success"})

    _replace(outcomes, "take", hasty)


def no_bound() -> None:
    """Keep everything that waits for a socket, without a bound."""
    from realtime import doorkeeper, send_queue

    _replace(send_queue, "LIMIT_BYTES", 2**40)
    _replace(doorkeeper, "STALLED_SECONDS", 3600.0)


def no_watch() -> None:
    """Never check a connected user again."""
    from realtime.consumers import TranscriptionConsumer
    from realtime.doorkeeper import Doorkeeper

    async def nothing(_doorkeeper: Doorkeeper, _listeners: Any) -> None: ...

    def stay(_consumer: TranscriptionConsumer, _identity: Any) -> None: ...

    _replace(Doorkeeper, "check", nothing)
    _replace(TranscriptionConsumer, "_stay_until_expiry", stay)


MECHANISMS: dict[str, Callable[[], None]] = {
    "sweep": no_sweep,
    "gap-fill": no_gap_fill,
    "dedupe": no_dedupe,
    "row-lock": no_row_lock,
    "skip-locked": wait_in_batch,
    "store-first": answer_first,
    "bounded-send_queue": no_bound,
    "watch-of-listeners": no_watch,
}


def _replace(owner: Any, name: str, value: Any) -> None:
    """Replace `owner.name`. Raises AttributeError if a mechanism moved, so that none only seems to be switched off."""
    if not hasattr(owner, name):
        raise AttributeError(f"{owner} has no {name}: switch it off where it is now")
    setattr(owner, name, value)


if os.environ.get("FAULTS_BROKEN"):
    from callsite.asgi import application as application

    MECHANISMS[os.environ["FAULTS_BROKEN"]]()
    if VARIABLE in os.environ:
        import lab.faults.crash  # noqa: F401  (sets the fail point)
