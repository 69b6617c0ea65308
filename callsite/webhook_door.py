"""The short way into the webhook views, which Django's URLconf names, without what they do not use.

Django's ASGI handler makes a thread for every request, runs the middleware and hops through threads to close up. A
webhook has no session, no user and no template; its views are async and give their database connections back
themselves. So the door reads the body, up to the limit of the route, and asks the view for its answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from django.urls import Resolver404, resolve

from webhooks.views import Credentials, WebhookView

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@lru_cache(maxsize=64)
def webhook_view(path: str) -> WebhookView | None:
    """The view behind a path if it is a webhook's."""
    try:
        view: Any = resolve(path).func
    except Resolver404:
        return None
    return view if hasattr(view, "max_body_bytes") else None


async def serve(view: WebhookView, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer one request with a webhook view."""
    body = await read_body(receive, view.max_body_bytes())
    if body is None:
        return
    headers = scope["headers"]
    credentials = Credentials(_header(headers, b"elevenlabs-signature"), _header(headers, b"authorization"))
    answer = await view.answer(scope["method"], body, credentials)
    content = answer.json
    sent = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    if answer.status == 405:
        sent.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": answer.status, "headers": sent})
    await send({"type": "http.response.body", "body": content})


def _header(headers: list[tuple[bytes, bytes]], wanted: bytes) -> str | None:
    """As Django has it: what is given several times is joined by commas."""
    values = [value for name, value in headers if name == wanted]
    return b",".join(values).decode("latin-1") if values else None


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """The body, or, if `limit` is not 0, at least that many of its first bytes; None when the client went away."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if not message.get("more_body", False) or 0 < limit <= size:
            return b"".join(chunks)
