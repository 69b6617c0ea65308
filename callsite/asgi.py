"""The ASGI application. It gives each connection to one of three doors: webhooks, pages or sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callsite.settings")
django_application = get_asgi_application()

from callsite import logs, memory, page_door, webhook_door  # noqa: E402  (needs the loaded apps)
from realtime import publisher  # noqa: E402
from realtime.asgi import websocket_application  # noqa: E402
from realtime.subscription_log import current_subscription_log  # noqa: E402
from webhooks.batching.turns import current_writer  # noqa: E402

ACCESS_LOG_SECONDS = 2.0  # for the last rows of the access log, when the server stops


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve one connection, under uvicorn or daphne."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    publisher.attach(asyncio.get_running_loop())
    if scope["type"] == "websocket":
        await websocket_application(scope, receive, send)
    elif view := webhook_door.webhook_view(scope["path"]):
        await webhook_door.serve(view, scope, receive, send)
    else:
        await page_door.serve(django_application, scope, receive, send)


async def lifespan(receive: Any, send: Any) -> None:
    """Start and stop callsite with the server. uvicorn announces both, daphne neither."""
    await receive()
    memory.keep_large_blocks_apart()
    current_writer().begin()
    webhook_door.webhook_view("/")  # loads the URLconf now, so that no webhook waits for it
    # Exclude the loaded code from garbage collection, which would stop everything for 50 ms each time. This saves no
    # CPU, but shortens the slowest answers: the p99 of 256 posters of live turns fell from 67 to 49 ms.
    gc.freeze()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await current_writer().end()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ACCESS_LOG_SECONDS):
            await current_subscription_log().drained()
    logs.flush()
    await send({"type": "lifespan.shutdown.complete"})
