"""The connection of the channel layer to Redis."""

from __future__ import annotations

import socket
from typing import Any


def host(url: str) -> dict[str, Any]:
    """Return channels-redis' settings of a host for a `redis://`, `rediss://` or `unix://` URL."""
    found: dict[str, Any] = {
        "address": url,
        "socket_timeout": None,  # an idle subscription is not dead (channels_redis#422)
        "socket_connect_timeout": 2,
    }
    if not url.startswith("unix:"):  # a unix socket ends with its server
        found["socket_keepalive"] = True
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux: a dead connection is found within some ten seconds
            found["socket_keepalive_options"] = {
                socket.TCP_KEEPIDLE: 4,
                socket.TCP_KEEPINTVL: 2,
                socket.TCP_KEEPCNT: 3,
                socket.TCP_USER_TIMEOUT: 10_000,
            }
    return found
