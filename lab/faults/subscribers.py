"""Subscribers do what a dispatcher's browser does: reconnect when they are cut. They write down all they get."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

from lab.faults.database import CallIds
from lab.faults.history import Heard
from lab.faults.journal import Journal

RETRY_SECONDS = 0.2


def connect(url: str, token: str, **options: Any) -> websockets.connect:
    """Connect as a program does; `options` are those of websockets.connect."""
    settings: dict[str, Any] = {
        "additional_headers": {"Authorization": f"Bearer {token}"} if token else {},
        "proxy": None,
        "compression": None,
        "max_size": 2**24,
        "ping_interval": None,
        "close_timeout": 1,
        "open_timeout": 10,
    }
    return websockets.connect(url, **(settings | options))


class Subscriber:
    """Listens to `calls` until each has completed. If it is cut, it comes back with `after`, its newest turn.

    Plain Channels takes the same messages, but ignores `after`.
    """

    def __init__(self, journal: Journal, who: str, url: str, token: str, calls: Iterable[CallIds]) -> None:
        self.who, self.url, self.token = who, url, token
        self.calls = {call.call_sid: call for call in calls}
        self.position: dict[str, int] = {}
        self.done = asyncio.Event()
        self.ready = asyncio.Event()  # set once all subscriptions are confirmed for the first time
        self.live = asyncio.Event()  # set while all subscriptions are confirmed
        self.live_at = 0.0
        self.close_code: int | None = None
        self.losses = 0
        self._journal = journal
        self._open = set(self.calls)
        self._confirmed: set[str] = set()
        self._socket: ClientConnection | None = None
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def cut(self) -> None:
        """Reset the connection from this side."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _run(self) -> None:
        while self._open:
            with contextlib.suppress(OSError, TimeoutError, EOFError, WebSocketException):
                async with connect(self.url, self.token) as self._socket:
                    await self._listen(self._socket)
                    return
            if self._socket is not None:
                self.close_code = self._socket.close_code
            if self.live.is_set() or self._confirmed:
                self.losses += 1
                for call in self._open:
                    self._note(call, "lost")
            self.live.clear()
            self._confirmed.clear()
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self, socket: ClientConnection) -> None:
        for sid in sorted(self._open):
            await self._subscribe(socket, sid)
        async for text in socket:
            self._take(json.loads(text))
            if not self._open:
                return

    async def _subscribe(self, socket: ClientConnection, sid: str) -> None:
        wish: dict[str, Any] = {"subscribe": sid}
        if sid in self.position:
            wish["after"] = self.position[sid]
        await socket.send(json.dumps(wish))

    def _take(self, message: dict[str, Any]) -> None:
        what, sid = message["type"], message.get("call_sid", "")
        if what == "subscription_confirmed":
            self.position.setdefault(sid, message["last_sequence_number"])
            self._note(sid, "confirmed", self.position[sid])
            self._confirmed.add(sid)
            if self._confirmed >= self._open:
                self.live_at = time.time()
                self.live.set()
                self.ready.set()
        elif what == "transcription":
            self.position[sid] = max(self.position.get(sid, 0), message["sequence_number"])
            self._note(sid, "turn", message["sequence_number"])
        elif what in ("call_status", "call_completed", "reset"):
            self._note(sid, what)
            if what == "call_completed":
                self._open.discard(sid)
                if not self._open:
                    self.done.set()
        elif what == "error" and message["code"] == "SUBSCRIPTION_FAILED":  # the database is away: reconnect
            self.cut()
        elif what == "error":
            self._note(next(iter(self._open), ""), "error")

    def _note(self, call: str, what: Any, number: int = 0) -> None:
        self._journal.write(**asdict(Heard(self.who, call, what, time.time(), number)))


async def all_ready(subscribers: Sequence[Subscriber], timeout_seconds: float = 30) -> None:
    """Wait until each subscriber's subscriptions are confirmed. Raises TimeoutError with the number that are not."""
    try:
        async with asyncio.timeout(timeout_seconds):
            await asyncio.gather(*(subscriber.ready.wait() for subscriber in subscribers))
    except TimeoutError:
        waiting = [subscriber.who for subscriber in subscribers if not subscriber.ready.is_set()]
        raise TimeoutError(f"{len(waiting)} subscribers were never confirmed, as {waiting[:3]}") from None


async def all_done(subscribers: Sequence[Subscriber], timeout_seconds: float) -> bool:
    """Return whether each subscriber has heard its calls to the end within this time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_seconds):
            await asyncio.gather(*(subscriber.done.wait() for subscriber in subscribers))
    return all(subscriber.done.is_set() for subscriber in subscribers)
