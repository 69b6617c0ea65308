"""A lock that allows one round of reconciling at a time, in all processes: an advisory lock of PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import Error, connection, connections

LOCK = 4_201_990_118  # any number that no other part of callsite uses


class Taken(Exception):
    """Another process holds the lock: it reconciles now."""


@contextmanager
def alone() -> Iterator[Callable[[], None]]:
    """Hold the lock during the block. Raises Taken if another process holds it.

    The block gets a function to call between its steps, which raises django.db.Error after the lock was lost. The lock
    belongs to a transaction on a connection of its own, so it ends when the process is killed, and works behind a
    pooler; the function's calls keep this transaction from being idle for too long. On SQLite there is no lock: two
    rounds at once cost requests, and end in the same state.
    """
    if connection.vendor != "postgresql":
        yield lambda: None
        return
    own = connections.create_connection("default")
    try:
        own.set_autocommit(False)
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
            if cursor.fetchone() != (True,):
                raise Taken("Another process is reconciling.")

        def keep() -> None:
            with own.cursor() as cursor:
                cursor.execute("SELECT 1")

        yield keep
    finally:
        try:
            own.rollback()
        except Error:
            pass  # the connection is gone, and the lock with it
        own.close()
