"""The door of pages and API. It admits a few requests at a time, so that they cannot starve the webhooks.

A login hashes a password for a second, and a long transcript is megabytes. Each such request holds a thread and a
database connection.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from callsite import health
from callsite.request_body import BodyError, BodyReader, ClientGone, Receive
from callsite.security_headers import security_headers

Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

PLACES = 6
# Requests that wait for ElevenLabs may take a minute. They have places of their own, so that pages stay open meanwhile.
ASKING_PLACES = 4
ASKS = re.compile(r"/api/calls/(dial|.+/fetch)/|/admin/elevenlabs/.+|/admin/calls/call/")  # the last: admin actions
QUEUE = 60  # requests that may wait for a place
WAIT_SECONDS = 10.0
BODY_MAX_BYTES = 2**20
ALWAYS_OPEN = tuple(f"/{route.pattern}" for route in health.urlpatterns)


class Places:
    """A limited number of places for requests. Waiting requests get a place in the order in which they came."""

    def __init__(self, count: int, queue: int) -> None:
        self._semaphore = asyncio.Semaphore(count)
        self._queue, self._waiting = queue, 0

    async def take(self) -> bool:
        """Wait for a place; return False if too many wait already, or none is free in time."""
        if self._semaphore.locked() and self._waiting >= self._queue:
            return False
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._semaphore.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        return True

    def give_back(self) -> None:
        self._semaphore.release()


_places, _asking = Places(PLACES, QUEUE), Places(ASKING_PLACES, QUEUE)
_running: set[asyncio.Task[None]] = set()


async def serve(application: Application, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve one request with Django, once its body has arrived and it has a place."""
    try:
        with BodyReader(receive, scope["headers"]) as reader:
            body = await reader.read(BODY_MAX_BYTES)
    except ClientGone:
        return
    except BodyError as error:
        await _refuse(scope, send, error.status, f"{error.message}. {error.fix}")
        return
    if _is_always_open(scope["path"]):
        await application(scope, _Visit(body, receive, send).receive, send)
        return
    places = _asking if scope["method"] == "POST" and ASKS.fullmatch(scope["path"]) else _places
    if not await places.take():
        await _refuse(scope, send, 503, "Too many requests at once. Try again in a moment.")
        return
    visit = _Visit(body, receive, send, places)
    # A thread does not stop when the client goes away or the server cancels the request. So the request runs in a task
    # of its own, which nobody cancels, and holds its place until the thread has ended.
    task = asyncio.create_task(visit.run(application, scope))
    _running.add(task)
    task.add_done_callback(_running.discard)
    await asyncio.shield(task)


class _Visit:
    """One admitted request.

    It gives its place back when the response begins, as a slow client may take minutes to read it.
    """

    def __init__(self, body: bytes, receive: Receive, send: Send, places: Places | None = None) -> None:
        self._body: bytes | None = body
        self._receive, self._send, self._places = receive, send, places
        self._answered = asyncio.Event()

    async def run(self, application: Application, scope: dict[str, Any]) -> None:
        try:
            await application(scope, self.receive, self.send)
        finally:
            self._leave()

    async def receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if self._places is not None:
            await self._answered.wait()
        return await self._receive()

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._leave()
        await self._send(message)

    def _leave(self) -> None:
        if not self._answered.is_set():
            self._answered.set()
            if self._places is not None:
                self._places.give_back()


def _is_always_open(path: str) -> bool:
    """Tell whether a path needs no place: the health routes and static files."""
    return path in ALWAYS_OPEN or path.startswith(settings.STATIC_URL)


async def _refuse(scope: dict[str, Any], send: Send, status: int, text: str) -> None:
    """Send an error without Django: under /api/ JSON in DRF's form, elsewhere plain text."""
    is_api = scope["path"].startswith("/api/")
    content = json.dumps({"detail": text}).encode() if is_api else f"{text}\n".encode()
    headers = [
        (b"content-type", b"application/json" if is_api else b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(content)),
        *security_headers(scope.get("scheme", "http")),
    ]
    if status == 503:
        headers.append((b"retry-after", b"5"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
