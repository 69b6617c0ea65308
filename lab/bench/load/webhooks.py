"""Webhooks as ElevenLabs sends them, over keep-alive connections."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

from simulator.signing import signature

TURN = "/webhooks/elevenlabs/transcription"
POST_CALL = "/webhooks/elevenlabs/post-call"
SENTENCE = (
    "hello thank you for taking this call today could tell me when would like the appointment please confirm number"
)
WORDS = SENTENCE.split()


def call_sid(number: int) -> str:
    return f"CA{number:032d}"


def conversation_id(number: int) -> str:
    return f"conv_{number}"


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection with one request in flight."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transport does not inherit from it

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError("closed by the server"))

    @property
    def usable(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    def request(self, data: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Write a request. The future's result is the answer's status and body."""
        if self.transport is None:
            raise ConnectionError("closed by the server")
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        received = self._received
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = received[:end].lower()
        at = head.find(b"content-length:")
        if at >= 0:
            stop = head.find(b"\r\n", at)
            if len(received) < end + 4 + int(head[at + 15 : stop if stop >= 0 else len(head)]):
                return
        elif b"transfer-encoding: chunked" in head and not received.endswith(b"0\r\n\r\n"):
            return
        self._received = b""
        if self._answer and not self._answer.done():
            self._answer.set_result((int(received[9:12]), received[end + 4 :]))
        if b"connection: close" in head and self.transport:
            self.transport.close()


class Poster:
    """Posts signed webhooks one after the other, and reconnects if the server closed the connection."""

    def __init__(self, url: str, secret: str) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._prefix = parts.hostname or "127.0.0.1", parts.port or 80, parts.path.rstrip("/")
        self._secret = secret
        self._connection = Connection()

    async def post(self, path: str, body: bytes) -> int:
        """Send the webhook and return the answer's status. Raises OSError."""
        if not self._connection.usable:
            loop = asyncio.get_running_loop()
            _, self._connection = await loop.create_connection(Connection, self._host, self._port)
        head = (
            f"POST {self._prefix}{path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"ElevenLabs-Signature: {signature(self._secret, body)}\r\n\r\n"
        )
        status, _ = await self._connection.request(head.encode() + body)
        return status

    def close(self) -> None:
        if self._connection.transport:
            self._connection.transport.close()


def turn_body(number: int, speaker: str, text: str) -> bytes:
    """Return a live turn of call `number`, without a turn_id, so that the same body is a new turn each time."""
    return json.dumps(
        {
            "call_sid": call_sid(number),
            "speaker": speaker,
            "message": text,
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
    ).encode()


def turn_bodies(calls: range, rng: random.Random) -> Callable[[], bytes]:
    """Return a function that draws a turn of one of the calls."""
    bodies = [turn_body(number, rng.choice(["agent", "user"]), " ".join(rng.choices(WORDS, k=16))) for number in calls]
    return lambda: rng.choice(bodies)


def post_call_bodies(calls: range, size: int, rng: random.Random) -> Callable[[], bytes]:
    """Return a function that draws transcriptions of some `size` bytes, of each call in turn, again and again.

    Each transcription is later than the one before, so that a call that comes up again really changes.
    """
    templates = [_post_call_template(size, rng) for _ in range(20)]
    numbers = itertools.cycle(calls)

    def draw() -> bytes:
        number, (head, middle, tail) = next(numbers), rng.choice(templates)
        sid, conversation = call_sid(number).encode(), conversation_id(number).encode()
        return b"".join((head, conversation, middle, sid, tail, b'"event_timestamp": %.6f}' % time.time()))

    return draw


def _post_call_template(size: int, rng: random.Random) -> tuple[bytes, bytes, bytes]:
    """Return the parts of a body before the conversation id, before the call_sid, and before the event_timestamp."""
    turns: list[dict[str, object]] = []
    length = 0
    while length < size - 1200:
        text = " ".join(rng.choices(WORDS, k=20))
        turns.append(
            {
                "role": rng.choice(["agent", "user"]),
                "message": text,
                "time_in_call_secs": len(turns) * 4,
                "tool_calls": None,
                "tool_results": None,
                "feedback": None,
                "conversation_turn_metrics": {
                    "metrics": {"convai_llm_service_ttfb": {"elapsed_time": rng.random()}},
                },
            }
        )
        length += len(text) + 220
    data = {
        "agent_id": "agent_1",
        "conversation_id": "@conversation@",
        "status": "done",
        "user_id": None,
        "transcript": turns,
        "metadata": {
            "start_time_unix_secs": int(time.time()) - 300,
            "call_duration_secs": 296,
            "cost": 296,
            "termination_reason": "",
            "phone_call": {"call_sid": "@sid@", "direction": "outbound"},
        },
        "analysis": {
            "evaluation_criteria_results": {},
            "data_collection_results": {},
            "call_successful": "success",
            "transcript_summary": "The caller booked an appointment.",
        },
    }
    text = json.dumps({"type": "post_call_transcription", "data": data}).removesuffix("}") + ", "
    head, _, rest = text.partition("@conversation@")
    middle, _, tail = rest.partition("@sid@")
    return head.encode(), middle.encode(), tail.encode()
