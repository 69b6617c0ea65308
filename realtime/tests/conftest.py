"""Fixtures of realtime's tests: a running call, the server's hub, and a wire that holds back published messages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from channels.db import database_sync_to_async as in_database
from rest_framework_simplejwt.tokens import AccessToken

from calls.models import Call
from conftest import Site, payload
from realtime import hub as hub_module
from realtime import publisher
from realtime.hub import Hub, current_hub
from realtime.tests.promise import world

__all__ = ["Talk", "Wire", "in_database", "until", "world"]
NEVER = (3600.0, 3600.0)


async def until(true: Callable[[], Any], seconds: float = 10) -> None:
    """Wait until the condition is true. Raises TimeoutError if it never is."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  (the condition changes in another thread)
            await asyncio.sleep(0.01)


def in_server[Result](site: Site, work: Callable[[], Result]) -> Result:
    """Run a function in the server's own event loop."""

    async def working() -> Result:
        return work()

    return asyncio.run_coroutine_threadsafe(working(), server_loop(site)).result(10)


def server_loop(site: Site) -> asyncio.AbstractEventLoop:
    site.client.get("/healthz")  # the first request starts the publisher
    assert publisher._publisher is not None
    return publisher._publisher.loop


class Talk:
    """A running call, with the webhooks that ElevenLabs would send about it."""

    def __init__(self, site: Site, call: Call) -> None:
        self.site, self.call = site, call

    async def say(self, *texts: str, speaker: str = "user") -> None:
        for text in texts:
            turn = {"call_sid": self.call.call_sid, "speaker": speaker, "message": text}
            response = await asyncio.to_thread(self.site.turn, **turn)
            assert response.status_code == 201, response.text

    async def end(self, sample: str = "transcription_docs_sample") -> dict[str, Any]:
        """End the call as a sample says; return the body that was sent."""
        body = payload(sample, self.call.conversation_id)
        response = await asyncio.to_thread(self.site.post_call, body)
        assert response.status_code == 200, response.text
        return body

    async def transcript(self, token: str, after: int = 0) -> list[tuple[int, str]]:
        """Return the call's turns from the API, as (number, text)."""
        path = f"/api/calls/{self.call.call_sid}/transcript/?after={after}"
        response = await asyncio.to_thread(self.site.api, "GET", path, token)
        return [(turn["sequence_number"], turn["message_text"]) for turn in response.json()["turns"]]


@pytest.fixture
def talk(site: Site, call: Call) -> Talk:
    return Talk(site, call)


@pytest.fixture
def hub(site: Site) -> Hub:
    """Return the server's hub, once the sockets of the previous test are gone."""
    hub = in_server(site, current_hub)
    deadline = time.monotonic() + 10
    while hub.listeners or hub._tasks:
        assert time.monotonic() < deadline, "a test before left a socket open"
        time.sleep(0.01)
    return hub


@pytest.fixture
def no_clock(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the hub's regular looks at the database: no sweep, no second look after joining."""
    monkeypatch.setattr(hub_module, "SWEEP_SECONDS", NEVER)
    monkeypatch.setattr(hub_module.Hub, "_settle", _do_nothing)


async def _do_nothing(hub: Hub) -> None: ...


class Wire:
    """A wire between the publisher and the channel layer: it holds published messages until they are delivered."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kept: list[dict[str, Any]] = []
        self._loop, self._send = server_loop(site), publisher._send
        monkeypatch.setattr(publisher, "_send", self._keep)

    async def _keep(self, batch: list[dict[str, Any]]) -> bool:
        self.kept += [message for message in batch if message["type"] in ("turn", "ended")]
        return True

    async def has(self, count: int) -> None:
        await until(lambda: len(self.kept) >= count)

    async def deliver(self, *which: int) -> None:
        """Deliver held messages by their place in the order of publishing."""
        for number in which:
            sending = self._send([self.kept[number]])
            assert await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(sending, self._loop))


@pytest.fixture
def wire(hub: Hub, site: Site, monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(site, monkeypatch)


@pytest.fixture
def fresh_token(dispatcher: Any) -> Callable[..., str]:
    """Return a function that makes tokens of the dispatcher with given claims."""

    def make(**claims: Any) -> str:
        token = AccessToken.for_user(dispatcher)
        token.payload.update(claims)
        return str(token)

    return make
