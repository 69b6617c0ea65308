from __future__ import annotations

import atexit

from django.apps import AppConfig
from django.db import connections


class CallsiteConfig(AppConfig):
    name = "callsite"

    def ready(self) -> None:
        from django.contrib import admin
        from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

        from callsite import checks, expired_rows, sign_ins  # noqa: F401  (registers them)

        admin.site.unregister([BlacklistedToken, OutstandingToken])  # their numbers mean nothing to people

        atexit.register(close_pools)


def close_pools() -> None:
    """Close the pools of connections while their threads can still end.

    At exit, Python waits for the threads of each open pool. These threads no longer run by then, so each wait takes 5
    s.
    """
    for connection in connections.all():
        if hasattr(connection, "close_pool"):
            connection.close_pool()
