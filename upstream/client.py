"""A client of ElevenLabs' API. docs/decisions/0006-client-of-elevenlabs.md says why it is not the SDK.

Each request is made once, has a bound from its first byte to the last of the answer, and follows no redirect.
https://elevenlabs.io/docs/api-reference.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, NamedTuple, Self
from urllib.parse import quote, urlencode, urlsplit

from django.conf import settings
from prometheus_client import Counter

from upstream.errors import NoAnswer, NotConfigured, Refused, TimedOut, Unreachable, UpstreamError, read_error
from webhooks.errors import InvalidPayload
from webhooks.strict_json import decode

logger = logging.getLogger(__name__)
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 15.0
AUDIO_SECONDS = 60.0
JSON_MAX_BYTES = 64 * 2**20
DIAL_PATHS = {
    "twilio": "/v1/convai/twilio/outbound-call",
    "sip_trunk": "/v1/convai/sip-trunk/outbound-call",
    "exotel": "/v1/convai/exotel/outbound-call",
}
REQUESTS = Counter("callsite_elevenlabs_requests", "Requests to ElevenLabs' API, by what came of them", ["result"])
_KEY = re.compile(r"[!-~]+")


class Answer(NamedTuple):
    """A whole answer with a status below 300. `date` is ElevenLabs' clock, as its header says it."""

    body: bytes
    date: str


class Client:
    """Every method raises an UpstreamError where it has no answer. No text, log line or address holds the key."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        try:
            usable = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or parts.query or parts.fragment or parts.username or parts.password:
            raise NotConfigured("ELEVENLABS_API_URL must be an address such as https://api.elevenlabs.io.")
        if not key:
            raise NotConfigured("ELEVENLABS_API_KEY is empty: set it to a key of your ElevenLabs workspace.")
        if not _KEY.fullmatch(key):
            raise NotConfigured("ELEVENLABS_API_KEY has a character that no key has: copy the key again.")
        self._scheme, self._host, self._port = parts.scheme, parts.hostname or "", parts.port
        self._path, self._key = parts.path.rstrip("/"), key

    @classmethod
    def from_settings(cls) -> Self:
        return cls(settings.ELEVENLABS_API_URL, settings.ELEVENLABS_API_KEY)

    def dial(self, provider: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Place a call. ElevenLabs has no idempotency key: what is repeated after NoAnswer may ring twice."""
        return self._json("POST", DIAL_PATHS[provider], json.dumps(body).encode())

    def conversation(self, conversation_id: str) -> dict[str, Any]:
        return self._json("GET", _conversation(conversation_id))

    def conversations(self, **query: Any) -> dict[str, Any]:
        """A page: `conversations`, `has_more`, `next_cursor`."""
        return self._json("GET", "/v1/convai/conversations", **query)

    def audio(self, conversation_id: str) -> bytes:
        """The recording. Refused with 404 where there is none."""
        path = f"{_conversation(conversation_id)}/audio"
        return self._send("GET", path, None, AUDIO_SECONDS, settings.WEBHOOK_MAX_BYTES).body

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self._json("GET", path, **query)

    def date(self) -> str:
        """ElevenLabs' clock, of the header `Date` of an answer."""
        return self._send("GET", _with_query("/v1/convai/conversations", page_size=1), None, ANSWER_SECONDS, 0).date

    def _json(self, method: str, path: str, body: bytes | None = None, **query: Any) -> dict[str, Any]:
        answer = self._send(method, _with_query(path, **query), body, ANSWER_SECONDS, JSON_MAX_BYTES)
        try:
            return decode(answer.body)
        except InvalidPayload:
            raise NoAnswer("ElevenLabs' answer is not a JSON object.") from None

    def _send(self, method: str, path: str, body: bytes | None, seconds: float, max_bytes: int) -> Answer:
        try:
            answer = self._ask(method, path, body, seconds, max_bytes)
        except UpstreamError as error:
            result = str(error.status) if isinstance(error, Refused) else type(error).__name__
            REQUESTS.labels(result).inc()
            code = error.code if isinstance(error, Refused) else ""
            logger.warning("ElevenLabs did not do %s %s: %s %s", method, path.partition("?")[0], result, code)
            raise
        REQUESTS.labels("ok").inc()
        return answer

    def _ask(self, method: str, path: str, body: bytes | None, seconds: float, max_bytes: int) -> Answer:
        """Make one request. `seconds` bound all of it once the connection is there."""
        headers = {"xi-api-key": self._key, "Accept": "*/*", "User-Agent": "callsite"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = self._connected()
        with _ended_after(seconds, connection) as expired:
            try:
                connection.request(method, self._path + path, body, headers)
                response = connection.getresponse()
                content = response.read(max_bytes + 1 if max_bytes else None)
            except (OSError, HTTPException, ValueError) as error:
                if expired.is_set() or isinstance(error, TimeoutError):
                    raise TimedOut(f"ElevenLabs did not answer within {seconds:.0f} s.") from None
                raise NoAnswer(f"The connection to ElevenLabs broke: {type(error).__name__}.") from None
        if expired.is_set():
            raise TimedOut(f"ElevenLabs did not answer within {seconds:.0f} s.")
        if response.status >= 300:
            raise self._refused(response.status, content, response.getheader("Retry-After"))
        if max_bytes and len(content) > max_bytes:
            raise NoAnswer(f"ElevenLabs' answer has more than {max_bytes} bytes.")
        return Answer(content, response.getheader("Date") or "")

    def _connected(self) -> HTTPConnection:
        if self._scheme == "https":
            connection: HTTPConnection = HTTPSConnection(
                self._host, self._port, timeout=CONNECT_SECONDS, context=_tls()
            )
        else:
            connection = HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unreachable(f"ElevenLabs cannot be reached at {self._host}: {reason}.") from None
        return connection

    def _refused(self, status: int, body: bytes, retry_after: str | None) -> Refused:
        if status < 400:
            return Refused(
                status, "redirect", "ElevenLabs' address answers with a redirect: ELEVENLABS_API_URL is not its API."
            )
        code, message = read_error(body)
        message = (message or f"ElevenLabs answered {status}.").replace(self._key, "***")
        seconds = float(retry_after) if retry_after and re.fullmatch(r"[0-9]{1,6}", retry_after.strip()) else None
        return Refused(status, code.replace(self._key, "***"), message, seconds)


@contextmanager
def _ended_after(seconds: float, connection: HTTPConnection) -> Iterator[threading.Event]:
    """Close the connection when the block ends, and end it from outside when it takes longer.

    A socket's own time-out begins anew with each byte, so a server that drips would hold a thread for ever.
    """
    own: socket.socket = connection.sock
    own.settimeout(seconds)
    expired = threading.Event()

    def end() -> None:
        expired.set()
        try:
            socket.socket.shutdown(own, socket.SHUT_RDWR)
        except OSError:
            pass  # it has ended by itself

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()
        connection.close()


def _with_query(path: str, **query: Any) -> str:
    asked = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(asked, doseq=True)}" if asked else path


def _conversation(conversation_id: str) -> str:
    return f"/v1/convai/conversations/{quote(conversation_id, safe='')}"


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
