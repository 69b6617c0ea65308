"""The server that simulated calls are played into: its requests, with errors that say in one sentence what failed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Self
from urllib.parse import urlsplit

from django.conf import settings

from simulator.signing import signature
from webhooks.signature import secrets_of

POST_CALL = "/webhooks/elevenlabs/post-call"
TURN = "/webhooks/elevenlabs/transcription"
CONVERSATION_INIT = "/webhooks/elevenlabs/conversation-init"
TIMEOUT_SECONDS = 30


class SimulationError(Exception):
    """The simulation cannot go on. The text tells the person at the terminal why, and what to do."""


class Refused(SimulationError):
    """The server answered with an error (a status of 400 or above), or not in JSON."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Server:
    """callsite at `url`, with the secrets of its webhooks. With an empty secret, requests carry none."""

    url: str
    webhook_secret: str = ""
    tool_secret: str = ""

    @classmethod
    def with_local_secrets(cls, url: str) -> Self:
        """Return the server at `url`, with the secrets of this checkout's settings. Raises SimulationError."""
        secrets = (settings.ELEVENLABS_WEBHOOK_SECRET, settings.ELEVENLABS_TOOL_SECRET)
        return cls(url, *map(first_secret, secrets))

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            valid = False
        if not valid:
            raise SimulationError(f"{self.url!r} is not the address of a server; one is http://127.0.0.1:8000.")

    def post_call(self, event: dict[str, Any]) -> dict[str, Any]:
        """Deliver a post-call webhook, signed as ElevenLabs signs, and return the reply. Raises SimulationError."""
        body = json.dumps(event).encode()
        headers = {"ElevenLabs-Signature": signature(self.webhook_secret, body)} if self.webhook_secret else {}
        return self._hook("POST", POST_CALL, body, headers, "ELEVENLABS_WEBHOOK_SECRET")

    def tool(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Deliver a live turn or a conversation-init webhook, with the secret header of server tools; return the reply.

        Raises SimulationError.
        """
        headers = {"Authorization": f"Bearer {self.tool_secret}"} if self.tool_secret else {}
        return self._hook("POST", path, json.dumps(body).encode(), headers, "ELEVENLABS_TOOL_SECRET")

    def api(self, method: str, path: str, body: Any = None, token: str = "") -> dict[str, Any]:
        """Send a request to the REST API, and return the answer. Raises Refused with the server's text."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._request(method, path, None if body is None else json.dumps(body).encode(), headers)

    def is_up(self) -> bool:
        """Tell whether callsite answers at this address."""
        try:
            self.api("GET", "/healthz")
        except SimulationError:
            return False
        return True

    def _hook(self, method: str, path: str, body: bytes, headers: dict[str, str], setting: str) -> dict[str, Any]:
        try:
            return self._request(method, path, body, headers)
        except Refused as refused:
            if refused.status != 401:
                raise
            raise Refused(
                401,
                f"{refused}\nThe {setting} of this checkout (environment or .env) must be the one that the server at "
                f"{self.url} has.",
            ) from None

    def _request(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> dict[str, Any]:
        """Send a request, and return the JSON object that the server answers. Raises SimulationError."""
        headers = {"Content-Type": "application/json", "User-Agent": "callsite-simulation", **headers}
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, parts.path.rstrip("/") + path, body, headers)
            response = connection.getresponse()
            raw = response.read()
        except (OSError, HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise SimulationError(f"No server answers at {self.url} ({reason}). Start one with: make run") from None
        finally:
            connection.close()
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Refused(
                response.status, f"{self.url}{path} answers {response.status}, and not in JSON: is it callsite?"
            )
        if response.status >= 400:
            said = ": ".join(str(answer.get(key)) for key in ("message", "details", "detail") if answer.get(key))
            raise Refused(response.status, f"The server answers {response.status} to {path}: {said or answer}")
        return answer


def first_secret(setting: str) -> str:
    """Return the first secret of a setting, which may hold several; "" if it holds none."""
    return next((secret.decode() for secret in secrets_of(setting)), "")
