"""How long a session with PostgreSQL may wait: set when it begins, or by the role.

A start-up parameter would be simpler, but PgBouncer refuses it or drops it. Nor is a SET of use behind a pooler in
transaction mode: it would change whichever session of the server comes first, for whoever gets that one next. So it is
made only where the session is this client's own; behind a pooler the role has to bring the bounds along.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cache
from typing import Any

import psycopg

logger = logging.getLogger(__name__)
BOUNDS = {"lock_timeout": "5s", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "60s"}

# A bound that is set already, by the role or by DATABASE_URL, stays. A pooler tells the client a process of its own.
BEGIN = """
    SELECT name, CASE
        WHEN current_setting(name) = '0' AND pg_backend_pid() = %(pid)s THEN set_config(name, bound, false)
        ELSE current_setting(name)
    END
    FROM unnest(%(names)s::text[], %(bounds)s::text[]) AS wanted (name, bound)
"""
# The plan of a prepared statement lives as long as its session, so it must not be made for tables that are still empty.
PLAN_BY_INDEX = "SELECT set_config('enable_seqscan', 'off', false) WHERE pg_backend_pid() = %s"


def begin(connection: psycopg.Connection[Any]) -> None:
    """Bound the waits of a new session in autocommit, or log that they have none."""
    report(connection.execute(BEGIN, _parameters(connection)).fetchall())


async def begin_with_one_plan(connection: psycopg.AsyncConnection) -> None:
    """The same for a session that prepares each statement."""
    cursor = await connection.execute(BEGIN, _parameters(connection), prepare=False)
    report(await cursor.fetchall())
    await connection.execute(PLAN_BY_INDEX, [connection.info.backend_pid], prepare=False)
    await connection.execute("SET TIME ZONE 'UTC'", prepare=False)  # which PgBouncer keeps for each client


def report(settings: Iterable[tuple[str, str]]) -> None:
    if unbounded := tuple(name for name, value in settings if value == "0"):
        _say_once(unbounded)


@cache
def _say_once(unbounded: tuple[str, ...]) -> None:
    logger.warning("No bound for waits in PostgreSQL: %s is 0. %s", ", ".join(unbounded), advice(unbounded))


def advice(unbounded: Iterable[str]) -> str:
    """What to run on the server, for the role that callsite connects as."""
    return " ".join(f"ALTER ROLE … SET {name} = '{BOUNDS[name]}';" for name in unbounded)


def _parameters(connection: psycopg.Connection[Any] | psycopg.AsyncConnection) -> dict[str, Any]:
    return {"pid": connection.info.backend_pid, "names": list(BOUNDS), "bounds": list(BOUNDS.values())}
