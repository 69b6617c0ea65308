"""Webhooks without one of the pieces that make them fast."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lab.bench.ablation.replacing import replace


def no_door() -> None:
    """Let webhooks go through Django's request handling, as pages do."""
    from callsite import webhook_door

    loaded = webhook_door.webhook_view

    def none(path: str) -> None:
        loaded("/")  # the server calls this once to load the URLconf

    replace(webhook_door, "webhook_view", none)


def no_batch_of_turns() -> None:
    """Store each turn by a statement of its own, over the same connection."""
    from webhooks.batching import turns

    replace(turns, "BATCH", 1)


def no_turn_writer() -> None:
    """Let the inbox take each turn: a thread, the ORM, a transaction."""
    from webhooks.batching.turns import TurnWriter

    replace(TurnWriter, "begin", lambda writer: None)


def turns_in_a_thread() -> None:
    """Run the same statement in a thread, over a connection of Django's pool."""
    import psycopg
    from django.db import connection

    from calls.postgres import turns as statement
    from calls.threads import Threads
    from calls.turn import NewTurn, Recorded
    from calls.turns import announce
    from webhooks.batching.turns import TurnWriter

    threads = Threads("turns", 1)

    def store(turns: Sequence[NewTurn]) -> list[Recorded]:
        connection.ensure_connection()
        with psycopg.Cursor(connection.connection) as cursor:
            cursor.execute(statement.RECORD_TURNS, statement._parameters(turns), prepare=True)
            recorded = statement._results(turns, cursor.fetchall())
        announce(recorded)
        return recorded

    async def record(writer: TurnWriter, turns: list[NewTurn]) -> list[Recorded]:
        return await threads.run(lambda: store(turns))

    replace(TurnWriter, "_record", record)


def turns_by_orm() -> None:
    """Store a batch by `calls.turns.record_turns`, in a thread."""
    from calls.threads import Threads
    from calls.turn import NewTurn, Recorded
    from calls.turns import record_turns
    from webhooks.batching.turns import TurnWriter

    threads = Threads("turns", 1)

    async def record(writer: TurnWriter, turns: list[NewTurn]) -> list[Recorded]:
        return await threads.run(lambda: list(record_turns(turns)))

    replace(TurnWriter, "_record", record)


def no_preparation() -> None:
    """Let PostgreSQL plan the statement of turns anew for each batch."""
    from calls.bounds import BoundedAsyncConnection
    from webhooks.batching import turns

    class Unprepared(BoundedAsyncConnection):
        @classmethod
        async def connect(cls, *args: Any, **kwargs: Any) -> Any:
            return await super().connect(*args, **kwargs | {"prepare_threshold": None})

    replace(turns, "BoundedAsyncConnection", Unprepared)


def no_batch_of_notices() -> None:
    """Send one message per turn to the channel layer."""
    from realtime import publisher

    replace(publisher, "BATCH", 1)


def no_batch_of_outcomes() -> None:
    """Let the inbox take each outcome."""
    from webhooks.batching import outcomes

    async def none(body: bytes) -> None: ...

    replace(outcomes, "take", none)


def outcomes_by_orm() -> None:
    """Store outcomes with one `save()` per call."""
    from calls.models import Call
    from calls.outcome import PostCallData
    from webhooks.batching import outcomes

    def update(given: Mapping[str, PostCallData]) -> dict[str, Call]:
        free = Call.objects.select_for_update(no_key=True, skip_locked=True).order_by("pk")
        calls = list(free.filter(conversation_id__in=given, transcription_time=None))
        return {str(one.conversation_id): one.update_post_call_data(given[str(one.conversation_id)]) for one in calls}

    replace(outcomes, "update_post_call_data", update)


def deliveries_by_orm() -> None:
    """Store a batch's deliveries with `bulk_create()`."""
    from webhooks.batching import outcomes
    from webhooks.models import WebhookDelivery

    replace(outcomes, "insert_deliveries", WebhookDelivery.objects.bulk_create)


def no_distinct_words() -> None:
    """Split all words of a call, however often each occurs."""
    from calls.search import gathering, words
    from calls.search.numbers import numbers_in

    def plain(texts: Iterable[str]) -> list[str]:
        text = words.folded("\n".join(texts)[: words.MAX_CHARACTERS])
        found = dict.fromkeys((*words._words(text), *numbers_in(text)))
        return sorted(words._fitting(found))

    replace(gathering, "distinct_words", plain)


def no_freeze() -> None:
    """Let the garbage collector walk through all loaded code."""
    replace(gc, "freeze", lambda: None)
