"""A client of ElevenLabs' API. docs/decisions/0006-client-of-elevenlabs.md says why callsite does not use the SDK.

Each request is made once, has a time limit from its first byte to the last byte of the answer, and follows no
redirect. https://elevenlabs.io/docs/api-reference.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

from django.conf import settings
from prometheus_client import Counter

from upstream.errors import NoAnswer, NotConfigured, Refused, TimedOut, UpstreamError, read_error
from upstream.exchange import Answer, exchange
from webhooks.errors import InvalidPayload
from webhooks.strict_json import decode

logger = logging.getLogger(__name__)
ANSWER_SECONDS = 15.0
AUDIO_SECONDS = 40.0
JSON_MAX_BYTES = 64 * 2**20
DIAL_PATHS = {
    "twilio": "/v1/convai/twilio/outbound-call",
    "sip_trunk": "/v1/convai/sip-trunk/outbound-call",
    "exotel": "/v1/convai/exotel/outbound-call",
}
# A gateway in front of ElevenLabs waited in vain (524 is Cloudflare's). The request may have been carried out.
TIMED_OUT = (408, 504, 524)
MENDS = {401: "Check ELEVENLABS_API_KEY.", 403: "Check the permissions of ELEVENLABS_API_KEY."}
REQUESTS = Counter("callsite_elevenlabs_requests", "Requests to ElevenLabs' API, by what came of them", ["result"])
_KEY = re.compile(r"[!-~]+")


class Client:
    """A client with one API key. Each method raises an UpstreamError if there is no answer to return.

    No error text, log line or URL contains the key. Raises NotConfigured for an unusable address or key.
    """

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
        self.url, self._key = url.rstrip("/").removesuffix("/v1"), key  # which every path begins with

    @classmethod
    def from_settings(cls) -> Self:
        return cls(settings.ELEVENLABS_API_URL, settings.ELEVENLABS_API_KEY)

    def dial(self, provider: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Place a call. ElevenLabs has no idempotency key: a repetition after NoAnswer may ring the phone twice."""
        return self._json("POST", DIAL_PATHS[provider], json.dumps(body).encode())

    def conversation(self, conversation_id: str) -> dict[str, Any]:
        return self._json("GET", _conversation(conversation_id))

    def conversations(self, **query: Any) -> dict[str, Any]:
        """Return a page of the list of conversations: `conversations`, `has_more`, `next_cursor`."""
        return self._json("GET", "/v1/convai/conversations", **query)

    def audio(self, conversation_id: str) -> bytes:
        """Return the recording of a conversation. Raises Refused with status 404 if there is none."""
        path = f"{_conversation(conversation_id)}/audio"
        return self._send("GET", path, None, AUDIO_SECONDS, settings.WEBHOOK_MAX_BYTES).body

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self._json("GET", path, **query)

    def date(self) -> str:
        """Return the time of ElevenLabs' clock: the header `Date` of an answer, "" if it has none."""
        return self._send(
            "GET", _with_query("/v1/convai/conversations", page_size=1), None, ANSWER_SECONDS, JSON_MAX_BYTES
        ).headers.get("Date", "")

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
        headers = {"xi-api-key": self._key, "Accept": "*/*"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = exchange(method, self.url + path, headers, body, seconds, max_bytes)
        if answer.status in TIMED_OUT:
            raise TimedOut(f"ElevenLabs did not answer in time: its gateway says {answer.status}.")
        if answer.status >= 300:
            raise self._refused(answer)
        return answer

    def _refused(self, answer: Answer) -> Refused:
        status, retry_after = answer.status, answer.headers.get("Retry-After", "").strip()
        if status < 400:
            return Refused(
                status, "redirect", "ElevenLabs' address answers with a redirect: ELEVENLABS_API_URL is not its API."
            )
        code, message = read_error(answer.body)
        message = (message or f"ElevenLabs answered {status}.").replace(self._key, "***")
        if mend := MENDS.get(status):
            message = f"{message.rstrip('.')}. {mend}"
        seconds = float(retry_after) if re.fullmatch(r"[0-9]{1,6}", retry_after) else None
        return Refused(status, code.replace(self._key, "***"), message, seconds)


def _with_query(path: str, **query: Any) -> str:
    asked = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(asked, doseq=True)}" if asked else path


def _conversation(conversation_id: str) -> str:
    return f"/v1/convai/conversations/{quote(conversation_id, safe='')}"
