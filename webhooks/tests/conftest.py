"""Fixtures of webhooks' tests: the inbox without a server, for tables of cases."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from calls.models import Call
from conftest import register_call
from webhooks.inbox import receive


class Inbox:
    """Takes webhooks through the ordinary way, behind the door and its checks; answers as `site` does."""

    def post_call(self, body: dict[str, Any] | bytes) -> httpx.Response:
        return self._receive("post-call", body)

    def turn(self, raw: bytes | None = None, **body: Any) -> httpx.Response:
        return self._receive("transcription", body if raw is None else raw)

    def _receive(self, route: str, body: dict[str, Any] | bytes) -> httpx.Response:
        answer = receive(route, body if isinstance(body, bytes) else json.dumps(body).encode())
        return httpx.Response(answer.status, content=answer.json)


@pytest.fixture
def inbox(db: None) -> Inbox:
    return Inbox()


@pytest.fixture
def call(db: None) -> Call:
    """Return a call in progress; the test commits only if it uses `site` or `transactional_db` as well."""
    return register_call()
