"""System checks of settings that belong to no room."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from calls.postgres.session import BOUNDS, advice

HOST = re.compile(r"\*|\.?[a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\]")  # as Django reads the header Host
ORIGIN = re.compile(r"https?://((\*\.)?[a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?")
IN_ASCII = "Browsers write other letters in ASCII, as in xn--mnchen-3ya.example."
OWN_PORT = re.compile(r"^http:.*:80$|^https:.*:443$")


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


@checks.register(checks.Tags.security)
def check_hosts(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """callsite.W002: DJANGO_ALLOWED_HOSTS has an item that no host can match."""
    return [
        checks.Warning(
            f"DJANGO_ALLOWED_HOSTS has {host!r}, which no request can match: requests to that host are answered 400.",
            hint="An item is a host name alone, without scheme, port and path, as in calls.example.com. With a dot in "
            f"front it means its subdomains too, as in .example.com. {IN_ASCII} A comma separates two items.",
            id="callsite.W002",
        )
        for host in settings.ALLOWED_HOSTS
        if not HOST.fullmatch(host)
    ]


@checks.register(checks.Tags.security)
def check_origins(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """callsite.W003: CSRF_TRUSTED_ORIGINS has an item that no browser sends. Django itself reports a missing scheme."""
    return [
        checks.Warning(
            f"CSRF_TRUSTED_ORIGINS has {origin!r}, which no browser sends: forms and sockets from there are refused.",
            hint="An item is a scheme, a host name and perhaps a port, in small letters and without a path or the "
            "scheme's own port, as in https://calls.example.com. https://*.example.com means example.com and its "
            f"subdomains. {IN_ASCII} A comma separates two items.",
            id="callsite.W003",
        )
        for origin in settings.CSRF_TRUSTED_ORIGINS
        if "://" in origin and (not ORIGIN.fullmatch(origin) or OWN_PORT.search(origin))
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
    """callsite.W001: sessions wait without a bound, as PostgreSQL's role behind a pooler sets none.

    Runs only with `--database default`.
    """
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
