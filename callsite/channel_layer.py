"""How the channel layer reaches Redis."""

from __future__ import annotations

import socket
from typing import Any


def host(url: str) -> dict[str, Any]:
    """Redis at `redis://`, `rediss://` or `unix://`, as channels-redis wants it."""
    found: dict[str, Any] = {
        "address": url,
        "socket_timeout": None,  # an idle subscription is not a dead one (channels_redis#422)
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
