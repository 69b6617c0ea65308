from __future__ import annotations

import atexit

from django.apps import AppConfig
from django.db import connections


class CallsiteConfig(AppConfig):
    name = "callsite"

    def ready(self) -> None:
        from callsite import checks, sign_ins  # noqa: F401  (registers them)

        atexit.register(close_pools)


def close_pools() -> None:
    """Close the pools of connections while their threads can still end.

    At exit, Python waits for the threads of a pool that is still open. They no longer run by then: each costs 5 s.
    """
    for connection in connections.all():
        if hasattr(connection, "close_pool"):
            connection.close_pool()
