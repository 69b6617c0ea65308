"""Bounds for the waits of a PostgreSQL session: set when the session begins, or by the role.

A start-up parameter would be simpler, but PgBouncer refuses it or drops it. A SET is no use behind a pooler in
transaction mode: it would change any one of the server's sessions, for the client that gets that session next. So
callsite sets the bounds only in a session of its own; behind a pooler the role has to bring them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cache
from typing import Any

import psycopg

logger = logging.getLogger(__name__)
BOUNDS = {"lock_timeout": "5s", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "60s"}

# A bound that the role or DATABASE_URL has set stays. Behind a pooler the process IDs differ, so nothing is set there.
BEGIN = """
    SELECT name, CASE
        WHEN current_setting(name) = '0' AND pg_backend_pid() = %(pid)s THEN set_config(name, bound, false)
        ELSE current_setting(name)
    END
    FROM unnest(%(names)s::text[], %(bounds)s::text[]) AS wanted (name, bound)
"""
# A prepared statement's plan lives as long as its session, so it must not be made for tables that are still empty.
PLAN_BY_INDEX = "SELECT set_config('enable_seqscan', 'off', false) WHERE pg_backend_pid() = %s"


def begin(connection: psycopg.Connection[Any]) -> None:
    """Bound the waits of a new session in autocommit; log a warning for each bound that is missing."""
    report(connection.execute(BEGIN, _parameters(connection)).fetchall())


async def begin_with_one_plan(connection: psycopg.AsyncConnection) -> None:
    """Bound the waits of a new session that prepares each statement, and make its plans use indexes."""
    cursor = await connection.execute(BEGIN, _parameters(connection), prepare=False)
    report(await cursor.fetchall())
    await connection.execute(PLAN_BY_INDEX, [connection.info.backend_pid], prepare=False)
    await connection.execute("SET TIME ZONE 'UTC'", prepare=False)  # PgBouncer keeps this per client


def report(settings: Iterable[tuple[str, str]]) -> None:
    if unbounded := tuple(name for name, value in settings if value == "0"):
        _say_once(unbounded)


@cache
def _say_once(unbounded: tuple[str, ...]) -> None:
    logger.warning("No bound for waits in PostgreSQL: %s is 0. %s", ", ".join(unbounded), advice(unbounded))


def advice(unbounded: Iterable[str]) -> str:
    """Return the statements to run on the server, for the role that callsite connects as."""
    return " ".join(f"ALTER ROLE … SET {name} = '{BOUNDS[name]}';" for name in unbounded)


def _parameters(connection: psycopg.Connection[Any] | psycopg.AsyncConnection) -> dict[str, Any]:
    return {"pid": connection.info.backend_pid, "names": list(BOUNDS), "bounds": list(BOUNDS.values())}
