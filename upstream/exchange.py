"""One HTTP request with a time limit for all of it, which follows no redirect and uses no proxy."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from upstream.errors import NoAnswer, TimedOut, TooLarge, Unreachable

CONNECT_SECONDS = 5.0


class Answer(NamedTuple):
    """A whole answer, whatever its status."""

    status: int
    headers: Message
    body: bytes


def exchange(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None, seconds: float, max_bytes: int
) -> Answer:
    """Make one HTTP request, and return its answer.

    `seconds` limit the exchange after the connection is made; `max_bytes` limit the answer's body, 0: without a limit.
    Raises Unreachable if nothing was sent, else NoAnswer, or its subclasses TimedOut and TooLarge.
    """
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    connection = _connected(parts.scheme, parts.hostname or "", parts.port)
    with _ended_after(seconds, connection) as expired:
        try:
            connection.request(method, path, body, {"User-Agent": "callsite", **headers})
            response = connection.getresponse()
            content = response.read(max_bytes + 1 if max_bytes else None)
        except (OSError, HTTPException, ValueError) as error:
            if expired.is_set() or isinstance(error, TimeoutError):
                raise TimedOut(f"{parts.hostname} did not answer within {seconds:.0f} s.") from None
            raise NoAnswer(f"The connection to {parts.hostname} broke: {type(error).__name__}.") from None
    if expired.is_set():
        raise TimedOut(f"{parts.hostname} did not answer within {seconds:.0f} s.")
    if max_bytes and len(content) > max_bytes:
        raise TooLarge(f"The answer of {parts.hostname} has more than {max_bytes} bytes.")
    if response.length:  # bytes of Content-Length that are missing: a read with a limit does not report them
        raise NoAnswer(f"The connection to {parts.hostname} broke before the whole answer was there.")
    return Answer(response.status, response.headers, content)


def _connected(scheme: str, host: str, port: int | None) -> HTTPConnection:
    if scheme == "https":
        connection: HTTPConnection = HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=_tls())
    else:
        connection = HTTPConnection(host, port, timeout=CONNECT_SECONDS)
    try:
        connection.connect()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unreachable(f"{host} cannot be reached: {reason}.") from None
    return connection


@contextmanager
def _ended_after(seconds: float, connection: HTTPConnection) -> Iterator[threading.Event]:
    """Close the connection when the block ends, and shut it down from another thread after `seconds`.

    The block gets an event that tells whether the time was over. A socket's own time-out starts again with each byte,
    so a server that sends slowly would hold a thread forever.
    """
    own: socket.socket = connection.sock
    own.settimeout(seconds)
    expired = threading.Event()

    def end() -> None:
        expired.set()
        try:
            socket.socket.shutdown(own, socket.SHUT_RDWR)
        except OSError:
            pass  # the connection has ended already

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()
        connection.close()


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
