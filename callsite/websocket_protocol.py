"""uvicorn's WebSocket protocol with callsite's limits.

uvicorn's own protocol handles a thousand handshakes in one go, which stops the event loop for some 0.2 s. It keeps a
message of up to 16 MiB, in any number of fragments, before the application can refuse it. And it never answers a
handshake that its parser refuses, for example for a header line above 8 KiB.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from typing import Any

# websockets reads these when it is imported. A Cookie header is one line, and may be as long here as for pages.
os.environ.setdefault("WEBSOCKETS_MAX_LINE_LENGTH", str(64 * 1024))
os.environ.setdefault("WEBSOCKETS_MAX_NUM_HEADERS", "256")

from django.conf import settings
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.protocol import State

from calls.per_loop import PerLoop

# The application answers a message above WS_MAX_MESSAGE_BYTES with an error. This protocol refuses a message above so
# many times that limit, and does not keep it.
TIMES_THE_LIMIT = 4
MAX_FRAGMENTS = 1024
LINGER_SECONDS = 2.0
HANDSHAKES_AT_ONCE = 10
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class _Entrance:
    """Connections that wait for their handshake. Between two groups of them the event loop does its other work."""

    def __init__(self) -> None:
        self._waiting: deque[WebSocketProtocol] = deque()

    def let_in(self, protocol: WebSocketProtocol) -> None:
        self._waiting.append(protocol)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(min(HANDSHAKES_AT_ONCE, len(self._waiting))):
            loop.call_soon(self._waiting.popleft().shake_hands)
        if self._waiting:
            loop.call_soon(self._next)


_entrance = PerLoop(_Entrance)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket connection. `uvicorn --ws callsite.websocket_protocol:WebSocketProtocol` makes it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if settings.WS_MAX_MESSAGE_BYTES:
            limit = TIMES_THE_LIMIT * settings.WS_MAX_MESSAGE_BYTES
            self.conn.max_message_size = min(limit, self.config.ws_max_size)
        self.conn.logger = logging.getLogger("websockets.server")  # uvicorn's own logs "connection open" each time
        self._handshake: bytes | None = None  # while it waits for its turn

    def data_received(self, data: bytes) -> None:
        """Pass data to the parser. The first data is the handshake, which has to wait for its turn."""
        if self._handshake is not None:
            self._handshake += data
        elif self.conn.state is not State.CONNECTING or self.conn.handshake_exc is not None:
            self._receive(data)
        else:
            self._handshake = data
            _entrance().let_in(self)

    def shake_hands(self) -> None:
        data, self._handshake = self._handshake, None
        if data is not None and not self.transport.is_closing():
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.close_sent:
            self._refuse_handshake()

    def _refuse_handshake(self) -> None:
        """Send the parser's answer, 431 or 414; if it has none, send 400."""
        self.handshake_complete = self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()) or BAD_REQUEST)
        self.transport.close()

    def handle_cont(self, event: Frame) -> None:
        super().handle_cont(event)
        if len(self.frames) > MAX_FRAGMENTS:
            self.frames.clear()
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, f"more than {MAX_FRAGMENTS} fragments")
            self.handle_parser_exception()

    def handle_parser_exception(self) -> None:
        """Send the parser's close code, and read on for LINGER_SECONDS before the connection is closed.

        uvicorn's own method closes it at once: data that the client still sends would then reset the connection, and
        the client would not learn why.
        """
        if self.close_sent:
            return
        self.close_sent = True
        if (sent := self.conn.close_sent) is not None:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": sent.code, "reason": sent.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
