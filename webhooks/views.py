"""The three webhooks of ElevenLabs: authenticate over the raw bytes, hand them to the inbox, answer JSON.

What the status makes the sender do: 2xx ends it; 5xx is sent again where retries are on; other 4xx never is.

Each is a Django view. What it does is in `view.answer`, which the server's door calls without Django's request and
response: for a live turn they would cost more than all the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, NamedTuple, Protocol

from django.conf import settings
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse

from webhooks import journal
from webhooks.errors import (
    DatabaseUnavailable,
    InternalError,
    InvalidPayload,
    MethodNotAllowed,
    TooLarge,
    WebhookError,
    is_away,
)
from webhooks.inbox import Answer, new_delivery, receive, turn_answer
from webhooks.models import WebhookDelivery
from webhooks.post_call_batch import take_with_others
from webhooks.reading import identify
from webhooks.signature import check_signature, check_tool_secret
from webhooks.strict_json import decode
from webhooks.tool_payloads import parse_turn
from webhooks.turn_writer import current_writer

logger = logging.getLogger(__name__)
_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="inbox")


class Credentials(NamedTuple):
    """What a request brings along to be let in: its headers ElevenLabs-Signature and Authorization."""

    signature: str | None
    authorization: str | None


class WebhookView(Protocol):
    """A Django view, and the same without Django's request and response."""

    def __call__(self, request: HttpRequest) -> Coroutine[Any, Any, HttpResponse]: ...

    @staticmethod
    def answer(method: str, body: bytes, credentials: Credentials) -> Awaitable[Answer]: ...

    @staticmethod
    def max_body_bytes() -> int:
        """More need not be read to say that it is too much; 0: any number."""


def webhook(limit_setting: str) -> Callable[[Callable[[bytes, Credentials], Awaitable[Answer]]], WebhookView]:
    """A POST without a CSRF token, whose errors are JSON; the named setting limits the bytes of its body."""

    def max_body_bytes() -> int:
        limit: int = getattr(settings, limit_setting)
        return limit and limit + 1

    def decorate(take: Callable[[bytes, Credentials], Awaitable[Answer]]) -> WebhookView:
        route = take.__name__.replace("_", "-")

        async def answer(method: str, body: bytes, credentials: Credentials) -> Answer:
            entry = journal.begin(route, len(body))
            try:
                if method != "POST":
                    raise MethodNotAllowed(f"Method {method} not allowed", "Send a POST request.")
                limit = getattr(settings, limit_setting)
                if limit and len(body) > limit:
                    raise TooLarge(f"Body larger than {limit} bytes", f"Raise {limit_setting} if it must be.")
                given = await take(body, credentials)
            except WebhookError as error:
                entry.fail(error)
                given = Answer(error.status, error.body())
            except Exception as error:  # noqa: BLE001  (the entry's line has it)
                entry.fail(error)
                given = Answer(InternalError.status, InternalError().body())
            entry.end(given.status)
            return given

        async def view(request: HttpRequest) -> HttpResponse:
            # read as a stream: Django's own cap of 2.5 MB would refuse long calls and all recordings
            body = request.read(max_body_bytes() or -1)
            meta = request.META
            credentials = Credentials(meta.get("HTTP_ELEVENLABS_SIGNATURE"), meta.get("HTTP_AUTHORIZATION"))
            given = await answer(request.method or "", body, credentials)
            allow = {"Allow": "POST"} if given.status == 405 else {}
            return HttpResponse(given.json, content_type="application/json", status=given.status, headers=allow)

        vars(view).update(answer=answer, max_body_bytes=max_body_bytes, csrf_exempt=True)
        return view  # type: ignore[return-value]  # the attributes make it one

    return decorate


@webhook("WEBHOOK_MAX_BYTES")
async def post_call(body: bytes, credentials: Credentials) -> Answer:
    """The outcome of a call: transcription, failure, recording, or something that is kept and ignored."""
    check_signature(body, credentials.signature)
    return await take_with_others(body) or await through_inbox(WebhookDelivery.Route.POST_CALL, body)


@webhook("WEBHOOK_TURN_MAX_BYTES")
async def transcription(body: bytes, credentials: Credentials) -> Answer:
    """One live turn. What cannot be stored at once goes through the inbox, which keeps it."""
    check_tool_secret(body, credentials.authorization, credentials.signature)
    try:
        recorded = await current_writer().write(parse_turn(decode(body)))
    except InvalidPayload:
        recorded = None
    except Exception as error:  # the inbox tries it alone, and keeps it where it fails again
        if is_away(error):
            identify(new_delivery(WebhookDelivery.Route.TRANSCRIPTION, body, digest=""))
            journal.current().step = "store"
            raise DatabaseUnavailable from error
        logger.warning("A live turn was not stored at once: %s", type(error).__name__)
        recorded = None
    if recorded is None:
        return await through_inbox(WebhookDelivery.Route.TRANSCRIPTION, body)
    journal.current().turn = recorded
    return turn_answer(*recorded)


@webhook("WEBHOOK_TURN_MAX_BYTES")
async def conversation_init(body: bytes, credentials: Credentials) -> Answer:
    """An inbound call is about to be answered."""
    check_tool_secret(body, credentials.authorization, credentials.signature)
    return await through_inbox(WebhookDelivery.Route.CONVERSATION_INIT, body)


async def through_inbox(route: str, body: bytes) -> Answer:
    def take() -> Answer:
        close_old_connections()
        try:
            return receive(route, body)
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(_threads, copy_context().run, take)
