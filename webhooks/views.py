"""The views of ElevenLabs' three webhooks: verify the sender, read the body, hand it on, answer JSON.

The status decides what the sender does: 2xx ends it; after 5xx, 429 and 408 the webhook is sent again where retries are
on; after other 4xx it never is. `callsite.webhook_door` calls `answer` as the Django view does, without Django's
request and response: for a live turn they would cost more than all the rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from calls.bounds import answered_within
from webhooks import inbox, journal, large_bodies
from webhooks.batching import outcomes, turns
from webhooks.errors import (
    DatabaseUnavailable,
    InternalError,
    MethodNotAllowed,
    NotAuthenticated,
    TooLarge,
    WebhookError,
)
from webhooks.initiation import reply_to_initiation
from webhooks.models import LARGE_BYTES, RefusedRequests, WebhookDelivery
from webhooks.reading import identify
from webhooks.refusals import current_refusals
from webhooks.replies import Reply, reply_of
from webhooks.signature import Signature, expect_signature, expect_tool_secret

# Reads a body of at most so many bytes (0: no limit). Raises TooLarge, or NotRead if the body did not arrive.
ReadBody = Callable[[int], Awaitable[bytes]]


class Credentials(NamedTuple):
    """The headers that identify the sender: ElevenLabs-Signature and Authorization."""

    signature: str | None
    authorization: str | None


@method_decorator(csrf_exempt, name="dispatch")
class WebhookView(View):
    """The view that the three webhooks share: it takes a POST without a CSRF token, and answers errors as JSON."""

    view_is_async = True
    route: ClassVar[str]
    limit_setting: ClassVar[str]  # names the setting that limits the bytes of a body
    longest_seconds: ClassVar[float] = 9.0  # from the body's last byte to the reply, at most

    @staticmethod
    def expect(credentials: Credentials) -> Signature | None:
        """Check the sender by the headers alone. Raises NotAuthenticated.

        A Signature that is returned has to confirm the body.
        """
        raise NotImplementedError

    @staticmethod
    async def take(body: bytes) -> Reply:
        """Take in a verified body and return its reply."""
        raise NotImplementedError

    @classmethod
    async def answer(cls, method: str, credentials: Credentials, read: ReadBody) -> Reply:
        """Answer one request, and write its log line. The body is read only if the headers are valid."""
        entry = journal.begin(cls.route)
        try:
            if method != "POST":
                raise MethodNotAllowed(f"Method {method} not allowed", "Send a POST request.")
            signature = cls.expect(credentials)
            limit: int = getattr(settings, cls.limit_setting)
            body = await read(limit)
            if signature:
                await large_bodies.aside(body, signature.confirm)
            entry.received(len(body))
            async with answered_within(cls.longest_seconds):
                reply = await cls.take(body)
        except TimeoutError as error:
            entry.fail(DatabaseUnavailable(error))
            if len(body) <= LARGE_BYTES:  # decoding more would block the event loop
                identify(cls.route, body)
            reply = reply_of(DatabaseUnavailable())
        except WebhookError as error:
            if isinstance(error, TooLarge):
                error.details = f"Raise {cls.limit_setting} if it must be."
                current_refusals().count(RefusedRequests.Reason.TOO_LARGE)
            if isinstance(error, NotAuthenticated):
                current_refusals().count(error.fault)
            entry.fail(error)
            reply = Reply(error.status, error.body())
        except Exception as error:  # noqa: BLE001  (the log line has it)
            entry.fail(error)
            reply = Reply(InternalError.status, InternalError().body())
        entry.end(reply.status)
        return reply

    async def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """Answer a request that came through Django, which has read the body into a file already."""

        async def read(limit: int) -> bytes:
            # as a stream: Django's own cap of 2.5 MB would refuse long calls and all recordings
            body = request.read(limit + 1 if limit else -1)
            if limit and len(body) > limit:
                raise TooLarge(limit)
            return body

        meta = request.META
        credentials = Credentials(meta.get("HTTP_ELEVENLABS_SIGNATURE"), meta.get("HTTP_AUTHORIZATION"))
        reply = await self.answer(request.method or "", credentials, read)
        return HttpResponse(reply.json, content_type="application/json", status=reply.status, headers=reply.headers)


class PostCall(WebhookView):
    """The webhook after a call: a transcription, failure, recording, machine detection, or an event that is ignored."""

    route = WebhookDelivery.Route.POST_CALL
    limit_setting = "WEBHOOK_MAX_BYTES"

    @staticmethod
    def expect(credentials: Credentials) -> Signature | None:
        return expect_signature(credentials.signature)

    @staticmethod
    async def take(body: bytes) -> Reply:
        if len(body) > LARGE_BYTES:
            return await large_bodies.take(WebhookDelivery.Route.POST_CALL, body)
        return await outcomes.take(body) or await inbox.take(WebhookDelivery.Route.POST_CALL, body)


class ServerTool(WebhookView):
    """The view that requests of an agent during a call share. ElevenLabs does not sign them."""

    limit_setting = "WEBHOOK_TURN_MAX_BYTES"

    @staticmethod
    def expect(credentials: Credentials) -> Signature | None:
        return expect_tool_secret(credentials.authorization, credentials.signature)


class LiveTurn(ServerTool):
    """The webhook of live turns and histories. A request waits for a lock at most once, within `longest_seconds`."""

    route = WebhookDelivery.Route.TRANSCRIPTION
    longest_seconds = 6.0

    @staticmethod
    async def take(body: bytes) -> Reply:
        async with turns.taken(body) as reply:
            return reply or await inbox.take(WebhookDelivery.Route.TRANSCRIPTION, body)


class ConversationInit(ServerTool):
    """The webhook before an inbound call is answered: a verified body always gets 200."""

    route = WebhookDelivery.Route.CONVERSATION_INIT

    @staticmethod
    async def take(body: bytes) -> Reply:
        return await reply_to_initiation(body)
