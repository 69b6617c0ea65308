"""Recording turns: many at once, in one transaction, each under the next number of its call."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from django.db import connection, transaction
from django.dispatch import Signal

from calls import turn_store
from calls.turn_store import NewTurn, Recorded, RecordedTurn

# Sent with `turns`, a list of new RecordedTurn, right behind the commit that stored them. It stands for one post_save a
# row: statements that write many rows send none. Receivers may be called in an event loop: they read no database.
turns_recorded = Signal()


def record_turns(new: Sequence[NewTurn]) -> list[Recorded]:
    """Store turns, in the order given; all of them, or none and an error.

    A `turn_id` that another process stores at the same moment is an IntegrityError: tried again it is found.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(turn_store.RECORD_TURNS, turn_store.parameters(new))
                recorded = turn_store.recorded(new, cursor.fetchall())
        else:
            recorded = [turn_store.record_through_orm(turn) for turn in new]
        transaction.on_commit(lambda: _announce(recorded), robust=True)
    return recorded


async def record_turns_through(own: psycopg.AsyncConnection, new: Sequence[NewTurn]) -> list[Recorded]:
    """The same in an event loop, through a connection to PostgreSQL in autocommit: no thread has to wake up.

    Raises psycopg.Error. Where the connection is lost nobody knows whether the turns are stored.
    """
    async with own.cursor() as cursor:
        await cursor.execute(turn_store.RECORD_TURNS, turn_store.parameters(new))
        recorded = turn_store.recorded(new, await cursor.fetchall())
    _announce(recorded)
    return recorded


def _announce(recorded: list[Recorded]) -> None:
    """Tell of new turns that are committed. A listener that fails is logged, and fails no turn."""
    if turns := [item[0] for item in recorded if item is not None and item[1]]:
        turns_recorded.send_robust(RecordedTurn, turns=turns)
