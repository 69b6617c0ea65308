"""The short way into the webhook views: Django's views from Django's URLconf, without what they do not use.

Django's ASGI handler makes a thread for every request, runs the middleware and hops through threads to close up. A
webhook has no session, no user and no template; its views are async and give their database connections back
themselves. So the door reads the body, up to the limit of the route, and calls the view.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import lru_cache
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.urls import Resolver404, resolve

logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@lru_cache(maxsize=64)
def webhook_view(path: str) -> Any | None:
    """The view behind a path if it is a webhook's; it says so with `max_body_bytes`."""
    try:
        view = resolve(path).func
    except Resolver404:
        return None
    return view if hasattr(view, "max_body_bytes") else None


async def serve(view: Any, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer one request with a webhook view."""
    limit = view.max_body_bytes()
    body = await read_body(receive, limit + 1 if limit else None)
    if body is not None:
        await send_response(await view(ASGIRequest(scope, BytesIO(body))), send)


async def read_body(receive: Receive, limit: int | None) -> bytes | None:
    """The body, or its first bytes up to `limit`; None when the client went away meanwhile."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if not message.get("more_body", False) or (limit is not None and size >= limit):
            return b"".join(chunks)[:limit]


async def send_response(response: HttpResponse, send: Send) -> None:
    headers = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    headers.append((b"content-length", str(len(response.content)).encode()))
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})
