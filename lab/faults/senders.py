"""Senders do what ElevenLabs does: sign, retry until the answer is 2xx. They write down every attempt."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal, Self

import httpx

from lab.faults.database import CallIds
from lab.faults.history import Attempt
from lab.faults.journal import Journal
from lab.faults.site import TOOL_SECRET, WEBHOOK_SECRET
from simulator.signing import signature

POST_CALL = "/webhooks/elevenlabs/post-call"
TURN = "/webhooks/elevenlabs/transcription"
RETRY_SECONDS = 0.2


def completion(call: CallIds, **data: Any) -> bytes:
    """Return the body of a post-call transcription, which completes the call."""
    now = int(time.time())
    body = {
        "type": "post_call_transcription",
        "event_timestamp": now,
        "data": {
            "agent_id": "agent_faults",
            "conversation_id": call.conversation_id,
            "status": "done",
            "transcript": [{"role": "agent", "message": "Goodbye.", "time_in_call_secs": 1}],
            "metadata": {"start_time_unix_secs": now - 60, "call_duration_secs": 60, "cost": 100},
            "analysis": {"call_successful": "success", "transcript_summary": "All was said."},
            **data,
        },
    }
    return json.dumps(body).encode()


class Sender:
    """Sends to the web processes at `urls` in turn, and retries one webhook for `patience_seconds`."""

    def __init__(self, journal: Journal, urls: Sequence[str], *, patience_seconds: float = 60) -> None:
        self.urls = list(urls)
        self.acknowledged = 0
        self._journal = journal
        self._patience_seconds = patience_seconds
        self._counter = itertools.count()
        self._progress = asyncio.Event()
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
        self._client = httpx.AsyncClient(timeout=15, trust_env=False, limits=limits)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def has_acknowledged(self, count: int) -> None:
        """Wait until the servers have answered 2xx to so many webhooks of this sender."""
        while self.acknowledged < count:
            self._progress.clear()
            await self._progress.wait()

    async def turn(
        self, call: CallIds, key: str, text: str = "So it goes.", *, server: int | None = None, once: bool = False
    ) -> Attempt:
        """Send one turn."""
        said_at = datetime.now(UTC).isoformat()
        turn = {"call_sid": call.call_sid, "speaker": "user", "message": text, "turn_id": key, "timestamp": said_at}
        return await self.deliver(call, "turn", key, json.dumps(turn).encode(), server=server, once=once)

    async def end(
        self, call: CallIds, body: bytes | None = None, *, server: int | None = None, once: bool = False
    ) -> Attempt:
        """Send a post-call webhook: the call's completion, unless `body` is given."""
        body = body or completion(call)
        return await self.deliver(call, "end", hashlib.sha256(body).hexdigest(), body, server=server, once=once)

    async def deliver(
        self,
        call: CallIds,
        kind: Literal["turn", "end"],
        key: str,
        body: bytes,
        *,
        server: int | None = None,
        once: bool = False,
    ) -> Attempt:
        """Send the same bytes until they are acknowledged or patience ends; return the last attempt.

        Each attempt goes to the next process unless `server` is given. With `once` there is only one attempt.
        """
        give_up_at = time.time() + self._patience_seconds
        while True:
            attempt = await self.attempt(call, kind, key, body, server=server)
            if attempt.acknowledged or once or time.time() > give_up_at:
                return attempt
            await asyncio.sleep(RETRY_SECONDS)

    async def attempt(
        self, call: CallIds, kind: Literal["turn", "end"], key: str, body: bytes, *, server: int | None = None
    ) -> Attempt:
        """Send one request, and write it down whatever comes of it."""
        where = next(self._counter) % len(self.urls) if server is None else server
        headers = {"Content-Type": "application/json"}
        if kind == "turn":
            headers["Authorization"] = f"Bearer {TOOL_SECRET}"
        else:
            headers["ElevenLabs-Signature"] = signature(WEBHOOK_SECRET, body)
        began_at, status, number = time.time(), 0, None
        sent_at: float | None = None

        async def note(event: str, _: Any) -> None:
            nonlocal sent_at
            if event == "http11.send_request_body.complete":
                sent_at = time.time()

        try:
            response = await self._client.post(
                self.urls[where] + (TURN if kind == "turn" else POST_CALL),
                content=body,
                headers=headers,
                extensions={"trace": note},
            )
            status = response.status_code
            number = response.json().get("sequence_number") if status in (200, 201) else None
        except (httpx.TransportError, ValueError):
            pass
        attempt = Attempt(call.call_sid, kind, key, began_at, time.time(), status, number, where, sent_at)
        self.acknowledged += attempt.acknowledged
        self._progress.set()
        self._journal.write(**asdict(attempt))
        return attempt
