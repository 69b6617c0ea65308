"""The health routes. `/healthz`: the process is alive. `/readyz`: it can work. `/metrics`: its counters."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from channels.layers import get_channel_layer
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from calls.threads import Threads
from realtime.publisher import LAYER_ERRORS

logger = logging.getLogger(__name__)
DATABASE_TIMEOUT_SECONDS = 4
LAYER_TIMEOUT_SECONDS = 2
_thread = Threads("readyz", 1)
_asking: dict[Callable[[], Awaitable[bool]], asyncio.Future[bool]] = {}


async def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 as long as the process answers at all."""
    return JsonResponse({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 if the database and the channel layer work, else 503, which names the one that does not."""
    answers = {
        "database": await _asked_once(_database_answers),
        "channel_layer": await _asked_once(_channel_layer_answers),
    }
    ready = all(answers.values())
    body = {"status": "ok" if ready else "unavailable"} | {k: "ok" if v else "away" for k, v in answers.items()}
    return JsonResponse(body, status=200 if ready else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Return the counters of this process, in Prometheus' text format."""
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


async def _asked_once(check: Callable[[], Awaitable[bool]]) -> bool:
    """Run a check. Requests that come meanwhile share its result, so that strangers may ask as often as they like."""
    asking = _asking.get(check)
    if asking is None or asking.done():
        asking = _asking[check] = asyncio.ensure_future(check())
    return await asyncio.shield(asking)


async def _database_answers() -> bool:
    """Tell whether the database accepts writes: the pool lends no read-only session (`callsite.database`)."""
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_SECONDS):
            await _thread.run(_ask_database)
    except (Error, TimeoutError) as error:
        logger.warning("The database does not answer: %s", type(error).__name__)
        return False
    return True


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


async def _channel_layer_answers() -> bool:
    try:
        async with asyncio.timeout(LAYER_TIMEOUT_SECONDS):
            await get_channel_layer().group_send("readyz", {"type": "readyz"})
    except LAYER_ERRORS as error:
        logger.warning("The channel layer does not answer: %s", error)
        return False
    return True


urlpatterns = [path("healthz", healthz), path("readyz", readyz), path("metrics", metrics)]
