"""callsite with deliberate faults, for tests' servers: `WebServer(application="callsite.tests.failing:application")`.

The errors quote words, a phone number and a token, as real exceptions quote the values that caused them. Tests do not
import this module, because it breaks the process that does.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import Any

from django.core.files.storage import FileSystemStorage

from callsite.asgi import application as callsite

QUOTED = "Unspeakable words of +15550009999, token-in-an-exception"


def fail(*_: Any, **__: Any) -> None:
    raise ValueError(QUOTED)


async def die() -> None:
    fail()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve callsite with faults. `/die` ends a task with an unread error, `/say` logs private words.

    After a socket, log whether the server offers a way to cut it.
    """
    if scope["type"] == "http" and scope["path"] == "/say":
        logging.getLogger("realtime.hub").error("It choked on %s", QUOTED)
        scope["path"] = "/healthz"
    if scope["type"] == "http" and scope["path"] == "/die":
        task = asyncio.create_task(die(), name="Unspeakable task")
        await asyncio.wait([task])
        del task
        gc.collect()
        scope["path"] = "/healthz"
    await callsite(scope, receive, send)
    if scope["type"] == "websocket":
        logging.getLogger("callsite").info(
            "To cut a socket there is %s", getattr(scope["callsite.abort"], "__qualname__", None)
        )


FileSystemStorage.exists = fail  # type: ignore[method-assign]

from calls.api.views import CallViewSet  # noqa: E402

CallViewSet.filter_queryset = fail  # type: ignore[method-assign]
