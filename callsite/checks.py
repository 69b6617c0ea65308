"""System checks for settings that no room owns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from calls.postgres.session import BOUNDS, advice


@checks.register(checks.Tags.security)
def check_secret_key(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """callsite.E001: the published key is in use, and this is not development (DEBUG with SQLite)."""
    engines = {database["ENGINE"] for database in settings.DATABASES.values()}
    in_development = settings.DEBUG and engines == {"django.db.backends.sqlite3"}
    if in_development or settings.SECRET_KEY != settings.DEVELOPMENT_KEY:
        return []
    return [
        checks.Error(
            "DJANGO_SECRET_KEY is the key that the source of callsite publishes, and that stands in for an empty one "
            "while DJANGO_DEBUG is on: whoever reads it can sign in as anybody.",
            hint="Set it to 50 or more random characters, or let `make .env` write a `.env` with a key of its own.",
            id="callsite.E001",
        )
    ]


@checks.register(checks.Tags.compatibility)
def check_sentry_dsn(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """callsite.E002: SENTRY_DSN is malformed."""
    if not settings.SENTRY_DSN:
        return []
    from callsite.sentry import fault_of

    fault = fault_of(settings.SENTRY_DSN)
    if not fault:
        return []
    return [
        checks.Error(
            f"SENTRY_DSN is malformed: {fault}.",
            hint="Copy it from the project's settings at Sentry, as in https://KEY@HOST/PROJECT, or leave it empty.",
            id="callsite.E002",
        )
    ]


@checks.register(checks.Tags.database)
def check_bounds(app_configs: Sequence[Any] | None, databases: Sequence[str] | None, **_: Any) -> list[Any]:
    """callsite.W001: PostgreSQL bounds no waits, as the role behind a pooler should. Needs `--database default`."""
    return [
        checks.Warning(
            f"Sessions with PostgreSQL wait without a bound: {', '.join(unbounded)} is 0.",
            hint=f"Run this on the server, for the role in DATABASE_URL, and reconnect the pooler: {advice(unbounded)}",
            id="callsite.W001",
        )
        for alias in databases or ()
        if connections[alias].vendor == "postgresql" and (unbounded := _unbounded(connections[alias]))
    ]


def _unbounded(connection: BaseDatabaseWrapper) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM unnest(%s::text[]) AS name WHERE current_setting(name) = '0'", [list(BOUNDS)])
        return [name for (name,) in cursor.fetchall()]
