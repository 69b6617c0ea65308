"""The three webhooks of ElevenLabs: authenticate over the raw bytes, hand them to the inbox, answer JSON.

What the status makes the sender do: 2xx ends it; 5xx is sent again where retries are on; other 4xx never is.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from webhooks.errors import MethodNotAllowed, TooLarge, WebhookError
from webhooks.inbox import receive
from webhooks.models import WebhookDelivery
from webhooks.signature import check_signature, check_tool_secret

View = Callable[[HttpRequest], Coroutine[Any, Any, JsonResponse]]


def webhook(view: View) -> View:
    """A POST without a CSRF token, whose errors are JSON."""

    async def guarded(request: HttpRequest) -> JsonResponse:
        try:
            if request.method != "POST":
                raise MethodNotAllowed(f"Method {request.method} not allowed", "Send a POST request.")
            return await view(request)
        except WebhookError as error:
            response = JsonResponse(error.body(), status=error.status)
            if isinstance(error, MethodNotAllowed):
                response["Allow"] = "POST"
            return response

    return csrf_exempt(guarded)


@webhook
async def post_call(request: HttpRequest) -> JsonResponse:
    """The outcome of a call: transcription, failure, recording, or something that is kept and ignored."""
    body = body_within(request, settings.WEBHOOK_MAX_BYTES)
    check_signature(body, request.headers.get("ElevenLabs-Signature"))
    return await respond(WebhookDelivery.Route.POST_CALL, body)


@webhook
async def transcription(request: HttpRequest) -> JsonResponse:
    """One live turn."""
    return await respond(WebhookDelivery.Route.TRANSCRIPTION, tool_body(request))


@webhook
async def conversation_init(request: HttpRequest) -> JsonResponse:
    """An inbound call is about to be answered."""
    return await respond(WebhookDelivery.Route.CONVERSATION_INIT, tool_body(request))


def tool_body(request: HttpRequest) -> bytes:
    body = body_within(request, settings.WEBHOOK_TURN_MAX_BYTES)
    headers = request.headers
    check_tool_secret(body, headers.get("Authorization"), headers.get("ElevenLabs-Signature"))
    return body


def body_within(request: HttpRequest, limit: int) -> bytes:
    """The raw body. Read as a stream: Django's own cap of 2.5 MB would refuse long calls and all recordings."""
    body = request.read(limit + 1) if limit else request.read()
    if limit and len(body) > limit:
        raise TooLarge(
            f"Body larger than {limit} bytes", "Raise WEBHOOK_MAX_BYTES or WEBHOOK_TURN_MAX_BYTES if it must be."
        )
    return body


async def respond(route: str, body: bytes) -> JsonResponse:
    answer = await sync_to_async(receive)(route, body)
    return JsonResponse(answer.body, status=answer.status)
