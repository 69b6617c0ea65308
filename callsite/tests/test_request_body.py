"""Bodies: nothing is read from strangers, each has a deadline and a limit, all together a budget."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from callsite import page_door, request_body
from callsite.request_body import BodyError, BodyReader, Budget
from conftest import INIT, POST_CALL, TOOL_SECRET, TURN, payload, sign

LARGE = 40 * 2**20
NOW_SIGNED = "ElevenLabs-Signature: t={},v0=00"


def begin(site, path, *headers, size=LARGE, sent=b"{"):
    """The beginning of a request on a socket of its own; the rest of its body does not come."""
    client = socket.create_connection(("127.0.0.1", site.port), timeout=10)
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", *headers]
    lines.append(f"Content-Length: {size}" if size is not None else "Transfer-Encoding: chunked")
    client.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + sent)
    return client


def status_of(client):
    with client:
        return int(client.recv(12).split()[1])


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (POST_CALL, []),
        (POST_CALL, ["ElevenLabs-Signature: nonsense"]),
        (POST_CALL, ["ElevenLabs-Signature: t=1,v0=00"]),
        (POST_CALL, [f"Authorization: Bearer {TOOL_SECRET}"]),
        (TURN, []),
        (INIT, []),
        (TURN, ["Authorization: Bearer wrong"]),
        (TURN, ["Authorization: Bearer wrong", "ElevenLabs-Signature: t=1,v0=00"]),
    ],
)
@pytest.mark.parametrize("size", [1000, None], ids=["with a length", "chunked"])
def test_a_stranger_is_refused_before_the_body_comes(site, path, headers, size):
    assert status_of(begin(site, path, *headers, size=size, sent=b"")) == 401


def test_another_method_is_refused_before_the_body_comes(site):
    client = begin(site, POST_CALL, sent=b"")
    client.close()
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as client:
        client.sendall(f"PUT {POST_CALL} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LARGE}\r\n\r\n".encode())
        assert client.recv(12) == b"HTTP/1.1 405"


def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(site):
    bearer = f"Authorization: Bearer {TOOL_SECRET}"
    assert status_of(begin(site, TURN, bearer, size=2**20 + 1, sent=b"")) == 413


@pytest.mark.parametrize("path", ["/nosuch", "/login/", "/api/token/", "/healthz", "/static/nosuch"])
@pytest.mark.parametrize("size", [page_door.BODY_MAX_BYTES + 1, None], ids=["with a length", "chunked"])
def test_other_routes_take_small_bodies_alone(site, path, size):
    piece = b"%x\r\n%s\r\n" % (2**16, b"x" * 2**16) if size is None else b""
    client = begin(site, path, "Content-Type: application/json", size=size, sent=piece)
    if size is None:
        for _ in range(page_door.BODY_MAX_BYTES // 2**16):
            client.sendall(piece)
    assert status_of(client) == 413


def test_a_body_that_stalls_is_given_up(site, monkeypatch):
    monkeypatch.setattr(request_body, "DEADLINE_SECONDS", 0.5)
    signed = NOW_SIGNED.format(int(time.time()))
    assert status_of(begin(site, POST_CALL, signed)) == 408
    assert status_of(begin(site, POST_CALL, signed, size=None, sent=b"1\r\n{\r\n")) == 408
    assert status_of(begin(site, "/login/", size=1000)) == 408


def test_a_large_body_whose_sender_falls_silent_is_given_up_early(site, monkeypatch):
    """It holds room that others need. A small one has until the deadline."""
    monkeypatch.setattr(request_body, "STALL_SECONDS", 0.3)
    signed = NOW_SIGNED.format(int(time.time()))
    small = begin(site, POST_CALL, signed, sent=b"x")
    assert status_of(begin(site, POST_CALL, signed, sent=b"x" * 2**20)) == 408
    small.setblocking(False)
    with small, pytest.raises(BlockingIOError):
        small.recv(1)


def test_large_bodies_wait_for_room_and_small_ones_do_not(site, call, monkeypatch):
    """Two stalled bodies of a stranger who forged a header hold the whole budget."""
    monkeypatch.setattr(request_body.BUDGET, "limit", 2**20)
    monkeypatch.setattr(request_body, "DEADLINE_SECONDS", 3.0)
    signed = NOW_SIGNED.format(int(time.time()))
    stalled = [begin(site, POST_CALL, signed, sent=b"x" * 2**20) for _ in range(2)]
    while request_body.BUDGET.held < 2**20:
        time.sleep(0.01)
    assert site.turn(call_sid=call.call_sid, speaker="agent", message="Hello").status_code == 201
    assert site.post_call(payload("transcription_docs_sample", call.conversation_id)).status_code == 200
    body = payload("audio_small_mp3", call.conversation_id)
    body["data"]["full_audio"] = "SUQz" * 2**17
    raw = json.dumps(body).encode()
    with ThreadPoolExecutor(1) as elevenlabs:
        recording = elevenlabs.submit(site.post_call, raw, signature=sign(raw))
        while len(request_body.BUDGET.large) < 3:
            time.sleep(0.01)
        assert not recording.done()
        for client in stalled:
            client.close()
        assert recording.result().status_code == 200
    assert (request_body.BUDGET.held, request_body.BUDGET.large) == (0, {})


# --- the reader, without a server ----------------------------------------------------------------------------


def sender(*pieces):
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages[-1]["more_body"] = False
    left = iter(messages)

    async def receive():
        await asyncio.sleep(0)
        return next(left)

    return receive


async def stalls():
    await asyncio.sleep(3600)


async def read(receive, budget, limit=0):
    with BodyReader(receive, [], budget) as reader:
        return await reader.read(limit)


async def test_the_oldest_large_body_is_read_whatever_the_others_hold():
    """So that bodies which each hold a part never wait for one another."""
    budget, piece = Budget(100_000), b"x" * 90_000
    bodies = [read(sender(*[piece] * 4), budget) for _ in range(5)]
    async with asyncio.timeout(10):
        assert await asyncio.gather(*bodies) == [piece * 4] * 5
    assert (budget.held, budget.large) == (0, {})


async def test_a_body_without_room_until_the_deadline_is_503_and_no_more_of_it_was_read(monkeypatch):
    monkeypatch.setattr(request_body, "DEADLINE_SECONDS", 0.2)
    budget, taken = Budget(1), []
    with BodyReader(stalls, [], budget) as oldest:
        budget.take(oldest, 10)

        async def receive():
            taken.append(1)
            return {"type": "http.request", "body": b"x" * 70_000, "more_body": True}

        with pytest.raises(BodyError) as refused:
            await read(receive, budget)
    assert (refused.value.status, len(taken)) == (503, 1)


async def test_what_is_read_is_given_back_whatever_happens():
    budget = Budget(10**6)

    async def breaks():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await read(breaks, budget)
    with pytest.raises(BodyError):
        await read(sender(b"x" * 70_000, b"x" * 70_000, b""), budget, limit=100_000)
    assert (budget.held, budget.large) == (0, {})
