"""The base class of callsite's sockets: authentication, limits, pings, renewal of tokens, closing with a reason."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from functools import cache
from typing import Any

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import Error

from realtime import auth
from realtime.doorkeeper import CLOSE_NOT_AUTHENTICATED, CLOSE_TRY_AGAIN_LATER
from realtime.hub import Hub, current_hub
from realtime.limits import Rate
from realtime.messages import ErrorCode, ErrorFrame
from realtime.send_queue import SendQueue
from realtime.subscriptions import Listener

logger = logging.getLogger(__name__)
CLOSE_TOO_BIG = 1009
CLOSE_GRACE_SECONDS = 5.0


class AuthenticatedConsumer(AsyncWebsocketConsumer):
    """A socket of a user who may view calls. A subclass defines the messages that a client may send."""

    usage: str  # the messages a client may send; the error for any other message quotes it
    channel_layer_alias = None  # the hub and the feed hold the process's channels
    hub: Hub
    listener: Listener
    expiry: asyncio.TimerHandle | None = None

    def new_listener(self, admission: auth.Admission, send_queue: SendQueue, address: str) -> Listener:
        return Listener(*admission, send_queue, self.close_soon, address)

    def on_enter(self) -> None:
        """Start serving the client, which has just been let in."""

    def on_leave(self) -> None:
        """Stop serving the client, which has left, or was accepted only to be refused with a reason."""

    async def handle_message(self, message: Any) -> bool:
        """Handle a client's message; return False if this socket does not know it."""
        raise NotImplementedError

    # --- connect and disconnect -------------------------------------------------------------------------------

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the handler of an ASGI message.

        Channels' own `dispatch` closes old database connections in a thread per message; callsite returns connections
        after use.

        It buys: a socket that comes in costs 0.4 ms of CPU, and 0.5 to 0.7 with Channels' own
        (docs/performance/ablation.md).
        """
        handlers = {
            "websocket.connect": self.websocket_connect,
            "websocket.receive": self.websocket_receive,
            "websocket.disconnect": self.websocket_disconnect,
        }
        await handlers[message["type"]](message)

    async def connect(self) -> None:
        try:
            admission = await auth.identify(self.scope)
        except Error:
            admission = None
        if admission is None:
            await self.close()  # a close before `accept` refuses the upgrade with 403
            return
        identity = admission[0]
        await self.accept(auth.echoed_subprotocol(self.scope))
        self.hub = current_hub()
        address = str((self.scope.get("client") or ("",))[0])
        self.listener = self.new_listener(admission, SendQueue(self.base_send), address)
        self.rate = Rate(settings.WS_MAX_MESSAGES_PER_SECOND)
        limit = settings.WS_MAX_CONNECTIONS_PER_USER
        if limit and self.hub.connections_of(identity.user_id) >= limit:
            self.refuse("RATE_LIMITED", f"At most {limit} connections a user.", CLOSE_TRY_AGAIN_LATER)
            return
        self.hub.enter(self.listener)
        self._stay_until_expiry(identity)
        self.on_enter()

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        if self.expiry is not None:
            self.expiry.cancel()
        if hasattr(self, "listener"):
            self.on_leave()
            self.hub.leave(self.listener)
        raise StopConsumer

    # --- messages of the client -------------------------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.listener.send_queue.room()  # a client that does not read its replies may not send more
        limit = settings.WS_MAX_MESSAGE_BYTES
        size = len(bytes_data or b"" if text_data is None else text_data.encode())
        if limit and size > limit:
            self.refuse("INVALID_MESSAGE_FORMAT", f"A message may have at most {limit} bytes.", CLOSE_TOO_BIG)
            return
        if not self.rate.allows():
            self.error("RATE_LIMITED", f"At most {settings.WS_MAX_MESSAGES_PER_SECOND} messages a second.")
            return
        match message := _decoded(text_data):
            case {"ping": value, **rest} if not rest:
                self.pong(value)
            case {"authenticate": token, **rest} if not rest:
                await self.authenticate(token)
            case _:
                if not await self.handle_message(message):
                    self.error("INVALID_MESSAGE_FORMAT", self.usage)

    def pong(self, value: Any) -> None:
        # json.dumps escapes to ASCII: the value may hold lone surrogates, which a frame cannot carry
        try:
            text = json.dumps({"type": "pong", "ping": value}, allow_nan=False)
        except (ValueError, RecursionError):  # 1e999 reads as infinity
            self.error("INVALID_MESSAGE_FORMAT", "This value cannot be sent back.")
        else:
            self.listener.send_queue.push(text)

    async def authenticate(self, token: Any) -> None:
        """Take a newer token of the same user; the connection then stays open until the newer token expires."""
        try:
            admission = await auth.identify_token(token) if isinstance(token, str) else None
        except Error:  # stay open: nothing shows that the present token is invalid
            self.error("SUBSCRIPTION_FAILED", "The database is away. Authenticate again in a moment.")
            return
        if admission is None or admission[0].user_id != self.listener.user_id:
            self.refuse("AUTHENTICATION_FAILED", "This token is not valid.", CLOSE_NOT_AUTHENTICATED)
            return
        self.listener.identity = admission[0]
        self._stay_until_expiry(admission[0])

    # --- errors and closing -----------------------------------------------------------------------------------

    def error(self, code: ErrorCode, message: str) -> None:
        self.listener.send(ErrorFrame(message=message, code=code))

    def refuse(self, code: ErrorCode, message: str, close_code: int) -> None:
        self.error(code, message)
        self.close_soon(close_code)

    def close_soon(self, code: int) -> None:
        """Close after the queued texts. Abort a socket that takes too long for them, where the server can abort."""
        self._closing = asyncio.create_task(self._close_behind_queue(code))

    async def _close_behind_queue(self, code: int) -> None:
        with contextlib.suppress(TimeoutError, OSError, RuntimeError):
            async with asyncio.timeout(CLOSE_GRACE_SECONDS):
                await self.listener.send_queue.drained()
                self.listener.send_queue.close()
                await self.close(code)
                return
        self.listener.send_queue.close()
        cut = self.scope.get("callsite.abort")
        if cut is not None:
            cut()
        else:
            _say_once_that_none_can_be_cut()

    def _stay_until_expiry(self, identity: auth.Identity) -> None:
        if self.expiry is not None:
            self.expiry.cancel()
        if identity.expires_at is not None:
            loop = asyncio.get_running_loop()
            self.expiry = loop.call_later(identity.expires_at - time.time(), self._expired)

    def _expired(self) -> None:
        self.refuse("AUTHENTICATION_FAILED", "The token has expired.", CLOSE_NOT_AUTHENTICATED)


@cache
def _say_once_that_none_can_be_cut() -> None:
    logger.warning(
        "This server offers no way to cut a connection: a client that reads nothing keeps its socket. uvicorn does."
    )


def _decoded(text: str | None) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant) if text is not None else None
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
