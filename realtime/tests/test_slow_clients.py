"""A client that does not read is closed, its queue is bounded, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket as sockets

import pytest
import websockets

from calls.models import Call
from calls.turns import record_turn
from realtime import send_queue as outbox_module
from realtime.tests.conftest import in_database, until

BIG = "words " * 20_000  # 120 KB a turn


@contextlib.asynccontextmanager
async def deaf_client(site, token):
    """A connection whose client reads nothing and whose kernel takes little."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", site.port))
    headers = {"Authorization": f"Bearer {token}"}
    options = {
        "proxy": None,
        "compression": None,
        "max_queue": 1,
        "max_size": 2**24,
        "ping_interval": None,
        "close_timeout": 0.1,
    }
    connection = await websockets.connect(site.ws_url, sock=raw, additional_headers=headers, **options)
    try:
        yield connection
    finally:
        connection.transport.abort()


@pytest.fixture
def impatient(hub, monkeypatch):
    """15 seconds of patience are one here."""
    monkeypatch.setattr("realtime.doorkeeper.STALLED_SECONDS", 1.0)
    monkeypatch.setattr("realtime.authenticated.CLOSE_GRACE_SECONDS", 0.5)


def record(call, text, count):
    return in_database(lambda: [record_turn(call, speaker_type="agent", message_text=text) for _ in range(count)])()


async def test_a_client_that_does_not_read_is_closed_and_the_others_hear_everything(site, talk, token, hub, impatient):
    async with deaf_client(site, token) as deaf, site.socket(token) as reader:
        await deaf.send(json.dumps({"subscribe": talk.call.call_sid}))
        await until(lambda: any(listener.subscriptions for listener in hub.listeners))
        [listener] = [listener for listener in hub.listeners if listener.subscriptions]
        await reader.subscribe(talk.call.call_sid)
        most, limit = 0, outbox_module.LIMIT_BYTES
        for n in range(1, 101):  # 12 MB: more than kernels keep
            await record(talk.call, BIG, 1)
            assert (await reader.next())["sequence_number"] == n
            most = max(most, listener.send_queue._bytes)
        assert limit <= most <= limit + len(BIG) + 1000
        await until(lambda: listener not in hub.listeners)
        await record(talk.call, "still here", 1)
        assert (await reader.next())["message_text"] == "still here"
        assert not listener.send_queue._waiting


async def test_a_client_that_was_closed_for_not_reading_resumes_with_after(site, talk, token, hub, impatient):
    async with deaf_client(site, token) as deaf:
        await deaf.send(json.dumps({"subscribe": talk.call.call_sid}))
        await until(lambda: any(listener.subscriptions for listener in hub.listeners))
        await record(talk.call, BIG, 100)
        await until(lambda: not hub.listeners)
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid, after=0)
        assert [m["sequence_number"] for m in await socket.take(100)] == list(range(1, 101))


async def test_a_client_that_reads_late_but_reads_gets_everything_in_order_and_the_pair(site, talk, token, hub):
    async with deaf_client(site, token) as slow:
        await slow.send(json.dumps({"subscribe": talk.call.call_sid}))
        await until(lambda: any(listener.subscriptions for listener in hub.listeners))
        [listener] = hub.listeners
        await record(talk.call, BIG, 100)
        await talk.end()
        await until(lambda: not listener.send_queue.has_room)
        messages = []
        while not messages or messages[-1]["type"] != "call_completed":
            messages.append(json.loads(await asyncio.wait_for(slow.recv(), 10)))
    numbers = [m["sequence_number"] for m in messages if m["type"] == "transcription"]
    assert numbers == list(range(1, 101))
    assert [m["type"] for m in messages[-2:]] == ["call_status", "call_completed"]


async def test_a_client_that_only_writes_is_not_read_from_either(site, token, hub, impatient, settings):
    """Its pings wait in its own kernel, not here as pongs."""
    settings.WS_MAX_MESSAGES_PER_SECOND = 0
    async with deaf_client(site, token) as deaf, site.socket(token) as reader:
        await until(lambda: len(hub.listeners) == 2)
        queues = [listener.send_queue for listener in hub.listeners]
        ping = json.dumps({"ping": "x" * 60_000})

        async def write():
            with contextlib.suppress(websockets.ConnectionClosed, OSError):
                while True:
                    await deaf.send(ping)

        writing = asyncio.create_task(write())
        most = 0
        async with asyncio.timeout(20):
            while len(hub.listeners) == 2:
                most = max(most, *(queue._bytes for queue in queues))
                await asyncio.sleep(0.001)
        writing.cancel()
        assert outbox_module.LIMIT_BYTES <= most <= outbox_module.LIMIT_BYTES + 61_000
        await reader.send(ping=1)
        assert (await reader.next())["type"] == "pong"


async def test_results_wait_in_the_database_for_a_client_that_does_not_read(site, token, hub, monkeypatch):
    """A hundred calls with large results that end at once do not pile up for it."""
    monkeypatch.setattr(outbox_module, "LIMIT_BYTES", 10_000)
    calls = await in_database(lambda: [Call.register(call_sid=f"EL_{n}") for n in range(20)])()

    def end():
        for call in calls:
            call.status, call.final_sequence_number, call.transcript_summary = "completed", 0, BIG * 10
            call.save()

    async with deaf_client(site, token) as slow:
        for call in calls:
            await slow.send(json.dumps({"subscribe": call.call_sid}))
            await asyncio.sleep(0.06)  # within the rate
        await until(lambda: len(hub.topics) == 20)
        [listener] = hub.listeners
        await in_database(end)()
        await until(lambda: not listener.send_queue.has_room)
        await asyncio.sleep(0.5)
        assert listener.send_queue._bytes <= 10_000 + 10 * len(BIG) + 2000
        completed = set()
        while len(completed) < 20:
            message = json.loads(await asyncio.wait_for(slow.recv(), 10))
            if message["type"] == "call_completed":
                completed.add(message["call_sid"])
        await until(lambda: not hub.topics)
