"""The connections of PostgreSQL's pool: how each begins, and how it is checked before it is lent."""

from __future__ import annotations

from typing import Any, Self

import psycopg

from calls import bounds
from calls.postgres import session

BEGIN_SECONDS = CHECK_SECONDS = 3.0


class BoundedConnection(bounds.BoundedConnection):
    """A connection with a bound for every wait, in this process and in PostgreSQL."""

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> Self:
        connection = super().connect(*args, **kwargs)
        try:
            with bounds.within(BEGIN_SECONDS):
                session.begin(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def check_writable(connection: psycopg.Connection[Any]) -> None:
    """Raise psycopg.Error for a connection that is dead or does not answer, or whose session is read-only.

    After a failover a session may be on a server that is or was a standby. It would refuse every write with SQLSTATE
    25006 as long as it lives. So this function closes it, and the pool opens another.
    """
    autocommit = connection.autocommit
    if not autocommit:
        connection.set_autocommit(True)
    try:
        with bounds.within(CHECK_SECONDS):
            row = connection.execute("SHOW transaction_read_only").fetchone()
    finally:
        if not autocommit and not connection.broken:
            connection.set_autocommit(False)
    if row is not None and row[0] == "on":
        connection.close()
        raise psycopg.OperationalError("the session is read-only")
