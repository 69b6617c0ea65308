"""The lock between a webhook that finds no call and the call that is just being saved.

Without it the webhook could look before the call's commit, and the call's save look for waiting webhooks before the
webhook's: both would find nothing, and the webhook would wait for ever.
"""

from __future__ import annotations

from django.db import connection


def lock_identifiers(*identifiers: str | None) -> None:
    """Hold these identifiers until the transaction ends. On SQLite, where writers are alone, there is nothing to do."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for identifier in sorted({i for i in identifiers if i}):
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [identifier])
