"""The connection of the channel layer to Redis."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from redis.asyncio.connection import parse_url


def host(url: str) -> dict[str, Any]:
    """Return channels-redis' settings of a host for a `redis://`, `rediss://` or `unix://` URL.

    Raises ImproperlyConfigured for any other text.
    """
    if not _is_address(url):  # it may hold a password, so the error does not repeat it
        raise ImproperlyConfigured("REDIS_URL must be redis://HOST:PORT/0, rediss://HOST:PORT/0 or unix:///PATH.")
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


def _is_address(url: str) -> bool:
    """Tell whether redis-py can connect to a URL. It would find out only then, and reads a wrong path as database 0."""
    try:
        parse_url(url)
        parts = urlsplit(url)
    except ValueError:
        return False
    path = parts.path.strip("/")
    return bool(path) if parts.scheme == "unix" else not path or (path.isascii() and path.isdecimal())
