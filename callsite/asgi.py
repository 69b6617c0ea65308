"""The door: HTTP goes to Django, WebSockets to realtime's consumers, and tokens never reach a log."""

from __future__ import annotations

import asyncio
import gc
import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callsite.settings")
django_application = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402  (needs the apps)
from channels.routing import URLRouter  # noqa: E402

from callsite import page_door, webhook_door  # noqa: E402
from realtime import publisher  # noqa: E402
from realtime.auth import offered_token, take_token_from_query  # noqa: E402
from realtime.routing import websocket_urlpatterns  # noqa: E402
from webhooks.batching.turns import current_writer  # noqa: E402

websocket_application = URLRouter(websocket_urlpatterns)
session_websocket_application = AuthMiddlewareStack(websocket_application)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The ASGI application of callsite, for uvicorn and daphne alike."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    publisher.attach(asyncio.get_running_loop())
    if scope["type"] == "websocket":
        take_token_from_query(scope)
        # uvicorn's `send` is a method of the connection; cutting it is the only way to be rid of a client that
        # reads nothing, as a close frame would wait behind what it does not read
        scope["callsite.abort"] = getattr(getattr(getattr(send, "__self__", None), "transport", None), "abort", None)
        # who shows a token is not asked for a session, which costs each socket some KiB for as long as it lives
        has_token = offered_token(scope) is not None
        await (websocket_application if has_token else session_websocket_application)(scope, receive, send)
    elif view := webhook_door.webhook_view(scope["path"]):
        await webhook_door.serve(view, scope, receive, send)
    else:
        await page_door.serve(django_application, scope, receive, send)


async def lifespan(receive: Any, send: Any) -> None:
    """Start and stop as uvicorn announces them; daphne does without."""
    await receive()
    current_writer().begin()
    webhook_door.webhook_view("/")  # loads the URLconf, so that no webhook has to wait for it
    gc.freeze()  # what is loaded stays: looking through it again and again would stop everything for 50 ms each time
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await current_writer().end()
    await send({"type": "lifespan.shutdown.complete"})
