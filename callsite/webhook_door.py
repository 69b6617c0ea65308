"""The door of webhooks: it calls the views of Django's URLconf without Django's request handling.

Django's ASGI handler makes a thread per request, runs the middleware, and hops through threads to finish. A webhook has
no session, no user and no template. The webhook views are async, and return their database connections themselves. So
the door gives a view only what it needs: the two headers, and then the body.

It buys: a live turn costs 0.16 ms of CPU, PostgreSQL's included, and 2.0 ms through Django's handler; a post-call
webhook of 20 KB costs 2.1 and 5.4 ms (docs/performance/ablation.md).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from django.urls import Resolver404, resolve

from callsite.request_body import BodyError, BodyReader, BodyTooLarge, ClientGone, Receive
from callsite.security_headers import security_headers
from webhooks.errors import NotRead, TooLarge
from webhooks.views import Credentials, WebhookView

Send = Callable[[dict[str, Any]], Awaitable[None]]


@lru_cache(maxsize=64)
def webhook_view(path: str) -> type[WebhookView] | None:
    """Return the webhook view of a path; None if the path has none."""
    try:
        view = getattr(resolve(path).func, "view_class", None)
    except Resolver404:
        return None
    return view if isinstance(view, type) and issubclass(view, WebhookView) else None


async def serve(view: type[WebhookView], scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve one request with a webhook view."""
    headers = scope["headers"]
    credentials = Credentials(_header(headers, b"elevenlabs-signature"), _header(headers, b"authorization"))
    with BodyReader(receive, headers) as reader:

        async def read(limit: int) -> bytes:
            try:
                return await reader.read(limit)
            except BodyTooLarge:
                raise TooLarge(limit) from None
            except BodyError as error:
                raise NotRead(error.status, error.message, error.fix) from None
            except ClientGone:  # nobody gets the reply, but the log has it
                raise NotRead(499, "The client went away", "Send the whole body.") from None

        reply = await view.answer(scope["method"], credentials, read)
    content = reply.json
    sent = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    sent += security_headers(scope.get("scheme", "http"))
    sent += [(name.lower().encode(), value.encode()) for name, value in reply.headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": sent})
    await send({"type": "http.response.body", "body": content})


def _header(headers: list[tuple[bytes, bytes]], wanted: bytes) -> str | None:
    """Return a header as Django does: values of a repeated header are joined by commas."""
    values = [value for name, value in headers if name == wanted]
    return b",".join(values).decode("latin-1") if values else None
