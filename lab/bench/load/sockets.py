"""WebSocket clients, thousands in one process: they send and receive texts, and answer pings. No compression."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from lab.bench.load.webhooks import call_sid

PATH = "/ws/calls/transcriptions"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10

Sink = Callable[["Socket", bytes], None]


class Socket(asyncio.Protocol):
    """One connection. After its subscription is confirmed every text goes to `sink`."""

    __slots__ = (
        *("_fragment", "_host", "_path", "_received", "_sink"),
        *("call", "closed", "confirmed", "last_number", "opened", "transport"),
    )

    def __init__(self, host: str, path: str, call: int, sink: Sink) -> None:
        loop = asyncio.get_running_loop()
        self._host, self._path, self._sink = host, path, sink
        self._received = self._fragment = b""
        self.call = call
        self.last_number = 0
        self.closed = False
        self.opened: asyncio.Future[None] = loop.create_future()
        self.confirmed: asyncio.Future[None] = loop.create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transport does not inherit from it
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Origin: http://{self._host}\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        for future in (self.opened, self.confirmed):
            if not future.done():
                future.set_exception(ConnectionError(f"closed: {self._received[:60]!r}"))
                future.exception()

    def send(self, data: bytes, opcode: int = TEXT) -> None:
        """Send a frame with a mask of zeros, which leaves the payload as it is."""
        assert self.transport
        size = len(data)
        head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
        self.transport.write(head + b"\0\0\0\0" + data)

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        if not self.opened.done():
            end = received.find(b"\r\n\r\n")
            if end < 0:
                self._received = received
                return
            if not received.startswith(b"HTTP/1.1 101"):
                self.opened.set_exception(ConnectionError(received[:40].decode("latin-1")))
                self.opened.exception()
                self._close()
                return
            self.opened.set_result(None)
            received = received[end + 4 :]
        at, size = 0, len(received)
        while size - at >= 2:
            first, length, head = received[at], received[at + 1], 2
            if length == 126:
                head = 4
            elif length == 127:
                head = 10
            if size - at < head:
                break
            if head > 2:
                length = int.from_bytes(received[at + 2 : at + head])
            if size - at < head + length:
                break
            self._frame(first, received[at + head : at + head + length])
            at += head + length
        self._received = received[at:]

    def _frame(self, first: int, payload: bytes) -> None:
        opcode = first & 15
        if opcode == PING:
            self.send(payload, PONG)
        elif opcode == CLOSE:
            self._close()
        elif not first & 0x80:
            self._fragment += payload
        else:
            self._text(self._fragment + payload if self._fragment else payload)
            self._fragment = b""

    def _text(self, text: bytes) -> None:
        if self.confirmed.done():
            self._sink(self, text)
        elif b"subscription_confirmed" in text:
            self.confirmed.set_result(None)
        elif b'"error"' in text:
            self.confirmed.set_exception(ConnectionError(text[:200].decode()))
            self.confirmed.exception()

    def _close(self) -> None:
        if self.transport:
            self.transport.close()


@dataclass(frozen=True, slots=True)
class Crowd:
    """Sockets that are open and subscribed, and the errors of the others."""

    sockets: list[Socket]
    failed: Counter[str]
    seconds: float

    def leave(self) -> None:
        for socket in self.sockets:
            if socket.transport:
                socket.transport.abort()


async def open_sockets(
    urls: list[str], token: str | list[str], count: int, calls: int, *, by_id: bool, sink: Sink, at_once: int = 50
) -> Crowd:
    """Open `count` sockets, using the URLs, the first `calls` calls, and several tokens in turn."""
    tokens = [token] if isinstance(token, str) else token
    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(at_once)
    crowd = Crowd([], Counter(), 0.0)
    began = time.perf_counter()

    async def one(index: int) -> None:
        call = index % calls + 1
        parts = urlsplit(urls[index % len(urls)])
        shown = tokens[index % len(tokens)]
        path = f"{parts.path.rstrip('/')}{PATH}" + (f"?token={shown}" if shown else "")
        async with gate:
            try:
                async with asyncio.timeout(30):
                    _, socket = await loop.create_connection(
                        lambda: Socket(parts.netloc, path, call, sink), parts.hostname or "127.0.0.1", parts.port or 80
                    )
                    await socket.opened
                    socket.send(json.dumps({"subscribe": call if by_id else call_sid(call)}).encode())
                    await socket.confirmed
                    crowd.sockets.append(socket)
            except OSError as error:
                crowd.failed[f"{type(error).__name__} {error}"[:80]] += 1

    await asyncio.gather(*(one(index) for index in range(count)))
    return Crowd(crowd.sockets, crowd.failed, time.perf_counter() - began)
