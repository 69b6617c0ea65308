"""What uvicorn refuses by itself before the application hears of it: on real sockets, frame by frame."""

from __future__ import annotations

import asyncio
import re
import socket as sockets
import struct

import pytest
import websockets

from callsite.websocket_protocol import HANDSHAKES_AT_ONCE, _Entrance
from lab.stack.webserver import CHECKOUT, WebServer

HANDSHAKE = (
    "GET /ws/calls/transcriptions{more} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
)
TEXT, CONTINUED, FINAL = 0x1, 0x0, 0x80


def frame(opcode, size, *, sent=None):
    """A masked frame of `size` bytes, of which the first `sent` are there."""
    return struct.pack("!BBQ4x", opcode, 0x80 | 127, size) + b"x" * (size if sent is None else sent)


class Raw:
    """A client that sends bytes as they are."""

    def __init__(self, port, token="", more="", headers=""):
        self.socket = sockets.create_connection(("127.0.0.1", port))
        self.socket.settimeout(10)
        headers += f"Authorization: Bearer {token}\r\n" if token else ""
        self.socket.sendall(HANDSHAKE.format(more=more, headers=headers).encode("latin-1"))

    def read_until(self, end):
        read = b""
        while not read.endswith(end):
            read += self.socket.recv(1)
        return read

    def rest(self):
        """All that comes until the server closes; TimeoutError where it does not."""
        with self.socket:
            return b"".join(iter(lambda: self.socket.recv(65_536), b""))


@pytest.fixture
def raw(site, token):
    client = Raw(site.port, token)
    assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
    return client


def close_code(said):
    """Of the close frame that ends what was said."""
    [(code,)] = [struct.unpack("!H", found) for found in re.findall(rb"(?s)\x88.(..)[ -~]*$", said)]
    return code


@pytest.mark.parametrize("size", [4 * 65_536 + 1, 16 * 2**20, 2**62])
def test_a_frame_that_is_far_too_large_is_refused_before_it_has_come(raw, size):
    raw.socket.sendall(frame(FINAL | TEXT, size, sent=10))
    said = raw.rest()
    assert close_code(said) == 1009
    assert b"INVALID_MESSAGE_FORMAT" not in said


def test_a_message_that_grows_far_too_large_is_refused_before_it_has_come(raw):
    raw.socket.sendall(frame(TEXT, 65_536) + frame(CONTINUED, 65_536) * 3 + frame(CONTINUED, 1, sent=0))
    assert close_code(raw.rest()) == 1009


def test_a_message_in_endless_fragments_is_refused(raw):
    raw.socket.sendall(frame(TEXT, 0) + frame(CONTINUED, 0) * 2000)
    assert close_code(raw.rest()) == 1009


def test_the_application_says_why_it_refuses_what_is_somewhat_too_large(raw):
    raw.socket.sendall(frame(FINAL | TEXT, 4 * 65_536))
    said = raw.read_until(b"}")
    assert b"INVALID_MESSAGE_FORMAT" in said
    raw.socket.sendall(struct.pack("!BB4xH", 0x88, 0x82, 1009))
    assert close_code(raw.rest()) == 1009


def test_the_limit_of_the_server_follows_the_setting(site, token, settings):
    settings.WS_MAX_MESSAGE_BYTES = 1000
    raw = Raw(site.port, token)
    raw.read_until(b"\r\n\r\n")
    raw.socket.sendall(frame(FINAL | TEXT, 4001, sent=0))
    assert close_code(raw.rest()) == 1009


async def test_a_client_that_is_still_sending_hears_why_it_is_closed(site, token):
    async with site.socket(token) as socket:
        try:
            await socket.connection.send(["x" * 2**20] * 15)
        except websockets.ConnectionClosed:
            pass
        await socket.connection.wait_closed()
        assert socket.connection.close_code == 1009


def test_frames_before_the_handshake_is_answered_close_the_connection(site):
    raw = Raw(site.port)
    raw.socket.sendall(b"\xff" * 100)
    raw.rest()


@pytest.fixture(scope="module")
def web(starts_programs):
    env = {"DATABASE_URL": "sqlite://:memory:", "REDIS_URL": "", "DJANGO_DEBUG": "true", "DJANGO_SECRET_KEY": "x" * 50}
    with WebServer(env) as web:
        yield web


def cookie(size):
    return {"headers": f"Cookie: {'c' * size}\r\n"}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (cookie(8_300), 403),  # let in as far as the application, which knows nobody
        (cookie(60_000), 403),
        ({"headers": "X-One: 1\r\n" * 150}, 403),
        ({"more": f"?token={'t' * 10_000}"}, 403),
        (cookie(70_000), 431),
        (cookie(2_000_000), 431),
        ({"headers": "X-One: 1\r\n" * 300}, 431),
        ({"more": f"?token={'t' * 70_000}"}, 414),
        ({"headers": "Content-Length: 5\r\n"}, 400),
    ],
)
def test_every_handshake_is_answered_and_a_refused_one_closed(web, request_, status):
    said = Raw(web.port, **request_).rest()
    assert said.startswith(f"HTTP/1.1 {status} ".encode())
    assert said.count(b"HTTP/1.1") == 1


def test_the_production_command_has_the_protocol(settings):
    words = ["--ws", settings.WEBSOCKET_PROTOCOL]
    assert f'"{words[0]}", "{words[1]}"' in (CHECKOUT / "Dockerfile").read_text()
    assert " ".join(words) in (CHECKOUT / "docs" / "operations.md").read_text()


def test_between_handfuls_of_handshakes_the_loop_does_what_else_there_is():
    done = []

    class Client:
        def shake_hands(self):
            done.append("handshake")

    async def come():
        entrance = _Entrance()
        for _ in range(3 * HANDSHAKES_AT_ONCE):
            entrance.let_in(Client())
        for _ in range(10):
            done.append("else")
            await asyncio.sleep(0)

    asyncio.run(come())
    handfuls = " ".join(done).split("else")
    assert sum("handshake" in handful for handful in handfuls) == 3
    assert max(handful.count("handshake") for handful in handfuls) == HANDSHAKES_AT_ONCE


async def test_a_client_that_left_before_its_handshake_does_no_harm(site, token):
    for _ in range(30):
        client = Raw(site.port, token)
        client.socket.close()
    async with site.socket(token) as socket:
        await socket.send(ping=1)
        assert (await socket.next())["ping"] == 1
