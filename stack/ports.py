"""Ports that a server can leave and take again."""

from __future__ import annotations

import random
import socket

# Below the range from which kernels pick the local port of outgoing connections (Linux 32768, macOS 49152):
# a client that keeps knocking at a stopped server's port could otherwise be given that very port, connect
# to itself, and keep the server from coming back.
FIRST, LAST = 15_000, 32_000


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on."""
    for _ in range(200):
        port = random.randint(FIRST, LAST)
        with socket.socket() as probe:
            # Servers bind with SO_REUSEADDR, so a port in TIME_WAIT is as good as a free one.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port between {FIRST} and {LAST} on 127.0.0.1")


def is_open(port: int) -> bool:
    """Whether somebody accepts connections on 127.0.0.1:port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
