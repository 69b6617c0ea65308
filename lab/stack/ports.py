"""Ports that a server can leave and take again; `python -m lab.stack.ports PORT` says whether a port is free."""

from __future__ import annotations

import errno
import random
import socket
import sys

# These ports are below the range from which kernels pick the local port of outgoing connections (Linux 32768, macOS
# 49152). Otherwise a client that keeps connecting to a stopped server's port could be given that very port, connect to
# itself, and keep the server from coming back.
FIRST, LAST = 15_000, 32_000


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that nobody listens on."""
    for _ in range(200):
        port = random.randint(FIRST, LAST)
        if bind_error(port) is None:
            return port
    raise RuntimeError(f"no free port between {FIRST} and {LAST} on 127.0.0.1")


def bind_error(port: int) -> OSError | None:
    """Return the error that keeps a server from listening on 127.0.0.1:port; None if it can."""
    with socket.socket() as probe:
        # Servers bind with SO_REUSEADDR, so a port in TIME_WAIT is as good as a free one.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error
    return None


def is_open(port: int) -> bool:
    """Return whether somebody accepts connections on 127.0.0.1:port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main(argv: list[str]) -> int:
    """Check a port for `make run`: if no server can listen on it, print one line that says so, and return 1."""
    text = "".join(argv)
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65_536):
        return _refuse(f"{text!r} is not a port (1 to 65535). Choose", 8000)
    port = int(text)
    error = bind_error(port)
    if error is None:
        return 0
    if error.errno == errno.EADDRINUSE:
        taken = f"Port {port} is taken, perhaps by another server of callsite. End that one, or choose"
        return _refuse(taken, port % 65_535 + 1)
    return _refuse(f"Port {port} cannot be used: {error.strerror}. Choose", 8000)


def _refuse(why: str, instead: int) -> int:
    print(f"{why} another port: make run PORT={instead}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
