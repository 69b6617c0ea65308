"""The three webhooks of ElevenLabs: authenticate over the raw bytes, hand them to the inbox, answer JSON.

What the status makes the sender do: 2xx ends it; 5xx is sent again where retries are on; other 4xx never is.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.db import Error, close_old_connections
from django.http import HttpRequest, HttpResponse

from webhooks.errors import DatabaseUnavailable, InternalError, InvalidPayload, MethodNotAllowed, TooLarge, WebhookError
from webhooks.inbox import Answer, receive, turn_answer
from webhooks.models import WebhookDelivery
from webhooks.signature import check_signature, check_tool_secret
from webhooks.strict_json import decode
from webhooks.tool_payloads import parse_turn
from webhooks.turn_writer import current_writer, is_away

logger = logging.getLogger(__name__)
View = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponse]]
_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="inbox")


def webhook(limit_setting: str) -> Callable[[View], View]:
    """A POST without a CSRF token, whose errors are JSON; the named setting limits the bytes of its body."""

    def decorate(view: View) -> View:
        async def guarded(request: HttpRequest) -> HttpResponse:
            try:
                if request.method != "POST":
                    raise MethodNotAllowed(f"Method {request.method} not allowed", "Send a POST request.")
                return await view(request)
            except WebhookError as error:
                response = respond(Answer(error.status, error.body()))
                if isinstance(error, MethodNotAllowed):
                    response["Allow"] = "POST"
                return response
            except Exception:
                logger.exception("A webhook met a fault of ours")
                return respond(Answer(InternalError.status, InternalError().body()))

        guarded.max_body_bytes = lambda: getattr(settings, limit_setting)  # type: ignore[attr-defined]
        guarded.csrf_exempt = True  # type: ignore[attr-defined]
        return guarded

    return decorate


@webhook("WEBHOOK_MAX_BYTES")
async def post_call(request: HttpRequest) -> HttpResponse:
    """The outcome of a call: transcription, failure, recording, or something that is kept and ignored."""
    body = body_within(request, settings.WEBHOOK_MAX_BYTES)
    check_signature(body, request.META.get("HTTP_ELEVENLABS_SIGNATURE"))
    return await through_inbox(WebhookDelivery.Route.POST_CALL, body)


@webhook("WEBHOOK_TURN_MAX_BYTES")
async def transcription(request: HttpRequest) -> HttpResponse:
    """One live turn. What cannot be stored at once goes through the inbox, which keeps it."""
    body = tool_body(request)
    try:
        recorded = await current_writer().write(parse_turn(decode(body)))
    except InvalidPayload:
        recorded = None
    except Exception as error:  # the inbox tries it alone, and keeps it where it fails again
        logger.error("A live turn was not stored at once: %s", type(error).__name__)
        if isinstance(error, Error) and is_away(error):
            raise DatabaseUnavailable from error
        recorded = None
    if recorded is None:
        return await through_inbox(WebhookDelivery.Route.TRANSCRIPTION, body)
    return respond(turn_answer(*recorded))


@webhook("WEBHOOK_TURN_MAX_BYTES")
async def conversation_init(request: HttpRequest) -> HttpResponse:
    """An inbound call is about to be answered."""
    return await through_inbox(WebhookDelivery.Route.CONVERSATION_INIT, tool_body(request))


def tool_body(request: HttpRequest) -> bytes:
    body = body_within(request, settings.WEBHOOK_TURN_MAX_BYTES)
    meta = request.META  # not request.headers, which parses them all
    check_tool_secret(body, meta.get("HTTP_AUTHORIZATION"), meta.get("HTTP_ELEVENLABS_SIGNATURE"))
    return body


def body_within(request: HttpRequest, limit: int) -> bytes:
    """The raw body. Read as a stream: Django's own cap of 2.5 MB would refuse long calls and all recordings."""
    body = request.read(limit + 1) if limit else request.read()
    if limit and len(body) > limit:
        raise TooLarge(
            f"Body larger than {limit} bytes", "Raise WEBHOOK_MAX_BYTES or WEBHOOK_TURN_MAX_BYTES if it must be."
        )
    return body


async def through_inbox(route: str, body: bytes) -> HttpResponse:
    def take() -> Answer:
        close_old_connections()
        try:
            return receive(route, body)
        finally:
            close_old_connections()

    return respond(await asyncio.get_running_loop().run_in_executor(_threads, take))


def respond(answer: Answer) -> HttpResponse:
    """The answer as JSON. Not JsonResponse: its encoder costs more than all the rest of it."""
    return HttpResponse(json.dumps(answer.body), content_type="application/json", status=answer.status)
