"""callsite served for real in a thread of this process, ElevenLabs as its client, and a dispatcher's socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from typing import Any

import httpx
import uvicorn
import websockets

from lab.stack.ports import free_port
from simulator.signing import signature

WEBHOOK_SECRET = "wsec_tests_0123456789abcdef0123456789"
TOOL_SECRET = "tool_tests_0123456789abcdef0123456789"
POST_CALL = "/webhooks/elevenlabs/post-call"
TURN = "/webhooks/elevenlabs/transcription"
INIT = "/webhooks/elevenlabs/conversation-init"


def sign(body: bytes, secret: str = WEBHOOK_SECRET, at: float | None = None) -> str:
    """Return the signature header that ElevenLabs sends with a body."""
    return signature(secret, body, at)


class ElevenLabs:
    """A client that posts what ElevenLabs posts, with real signatures, to a server at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def post_call(self, body: dict[str, Any] | bytes, *, signature: str | None = None) -> httpx.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "ElevenLabs-Signature": signature or sign(raw)}
        return self.client.post(POST_CALL, content=raw, headers=headers)

    def turn(self, **body: Any) -> httpx.Response:
        return self.client.post(TURN, json=body, headers={"Authorization": f"Bearer {TOOL_SECRET}"})

    def init(self, **body: Any) -> httpx.Response:
        return self.client.post(INIT, json=body, headers={"Authorization": f"Bearer {TOOL_SECRET}"})


class Site(ElevenLabs):
    """callsite under uvicorn in a thread of this process: real sockets, but tests can change settings and code."""

    def __init__(self) -> None:
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}")
        self.ws_url = f"ws://127.0.0.1:{self.port}/ws/calls/transcriptions"
        config = uvicorn.Config(
            "callsite.asgi:application",
            host="127.0.0.1",
            port=self.port,
            access_log=False,
            log_config=None,
            ws="callsite.websocket_protocol:WebSocketProtocol",
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=2,
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def start(self) -> None:
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive(), "the server did not start"
            time.sleep(0.01)

    def stop(self) -> None:
        self.client.close()
        self.server.should_exit = True
        self.thread.join(10)

    def api(self, method: str, path: str, token: str, **kwargs: Any) -> httpx.Response:
        return self.client.request(method, path, headers={"Authorization": f"Bearer {token}"}, **kwargs)

    def socket(self, token: str) -> Any:
        """Open a WebSocket connection, to be used with `async with`."""
        return Socket.connect(self.ws_url, token)


class Socket:
    """A WebSocket client that listens as a dispatcher's browser does."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, url: str, token: str) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        options: dict[str, Any] = {"proxy": None, "compression": None, "max_size": 2**24}
        async with websockets.connect(url, additional_headers=headers, **options) as connection:
            yield cls(connection)

    async def send(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def next(self, timeout: float = 5) -> dict[str, Any]:
        """Return the next message that is no heartbeat. Raises TimeoutError if there is none."""
        async with asyncio.timeout(timeout):
            while True:
                message: dict[str, Any] = json.loads(await self.connection.recv())
                if message["type"] != "heartbeat":
                    return message

    async def take(self, count: int, timeout: float = 5) -> list[dict[str, Any]]:
        return [await self.next(timeout) for _ in range(count)]

    async def subscribe(self, identifier: str, **more: Any) -> dict[str, Any]:
        await self.send(subscribe=identifier, **more)
        return await self.next()

    async def hears_nothing(self, seconds: float = 0.5) -> bool:
        with contextlib.suppress(TimeoutError):
            await self.next(seconds)
            return False
        return True
