"""Sockets and pages without one of the pieces that make them fast."""

from __future__ import annotations

from typing import Any

from lab.bench.ablation.replacing import replace


def task_per_text() -> None:
    """Let a task write each text."""
    from realtime.send_queue import GONE, SendQueue

    def push(queue: SendQueue, text: str) -> None:
        if queue.closed:
            return
        queue._bytes += len(text)
        if queue._task is not None:
            queue._waiting.append(text)
            return
        queue._moved_at = queue._loop.time()

        async def send() -> None:
            try:
                await queue._send({"type": "websocket.send", "text": text})
            except GONE:
                queue.closed = True

        queue._task = queue._loop.create_task(queue._flush(send(), text))

    replace(SendQueue, "push", push)


def no_own_doorbell() -> None:
    """Let a process receive its own messages from Redis."""
    from realtime import doorbell

    replace(doorbell.Doorbell, "_ring", lambda bell, notices: None)
    replace(doorbell, "sender", lambda: None)


def each_alone() -> None:
    """Let each socket ask the database for itself."""
    from realtime.together import Together

    async def ask(together: Together[Any, Any], key: Any) -> Any:
        return (await together._read([key])).get(key)

    replace(Together, "ask", ask)


def no_moment() -> None:
    """Let a subscription read its call a second time, when it can no longer miss a turn."""
    from realtime.hub import Hub

    replace(Hub, "moment", lambda hub: None)


def verify_always() -> None:
    """Verify a token's signature each time."""
    from realtime import auth

    verified = auth._verified

    def anew(token: str) -> auth.Identity:
        auth._tokens.clear()
        return verified(token)

    replace(auth, "_verified", anew)


def channels_dispatch() -> None:
    """Let Channels look for old database connections with each message."""
    from channels.consumer import AsyncConsumer

    from realtime.authenticated import AuthenticatedConsumer

    replace(AuthenticatedConsumer, "dispatch", AsyncConsumer.dispatch)


def no_handfuls() -> None:
    """Make each handshake as soon as it comes."""
    from callsite.websocket_protocol import WebSocketProtocol

    replace(WebSocketProtocol, "data_received", WebSocketProtocol._receive)


def drf_rows() -> None:
    """Represent rows by DRF's own code."""
    from rest_framework.serializers import ModelSerializer

    from calls.api.serializers import RowSerializer

    replace(RowSerializer, "to_representation", ModelSerializer.to_representation)
