"""The WebSocket application. It loads no session for a client that shows a token, and keeps tokens out of the logs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter

from realtime.auth import offered_token, take_token_from_query
from realtime.routing import websocket_urlpatterns

_with_token = URLRouter(websocket_urlpatterns)
_with_session = AuthMiddlewareStack(_with_token)


async def websocket_application(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Serve one ASGI connection of the type "websocket"."""
    take_token_from_query(scope)
    scope["callsite.abort"] = _way_to_cut(send)
    # a session takes some KiB of memory for as long as its socket lives
    application = _with_session if offered_token(scope) is None else _with_token
    await application(scope, receive, send)


def _way_to_cut(send: Any) -> Callable[[], None] | None:
    """Return a function that aborts the connection; None where the server offers no way to do that.

    uvicorn's `send` is a method of the connection, whose transport can be aborted. Only an abort ends the connection
    of a client that reads nothing: a close frame would wait behind the frames that the client does not read.
    """
    abort: Callable[[], None] | None = getattr(
        getattr(getattr(send, "__self__", None), "transport", None), "abort", None
    )
    return abort
