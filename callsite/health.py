"""Is the process alive (`/healthz`), can it work (`/readyz`), what has it done (`/metrics`)."""

from __future__ import annotations

import asyncio
import logging

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from realtime.publisher import LAYER_ERRORS

logger = logging.getLogger(__name__)
LAYER_TIMEOUT_SECONDS = 2


async def healthz(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers at all."""
    return JsonResponse({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database and the channel layer answer, else 503 that names which one does not."""
    answers = {"database": await _database_answers(), "channel_layer": await _channel_layer_answers()}
    ready = all(answers.values())
    body = {"status": "ok" if ready else "unavailable"} | {k: "ok" if v else "away" for k, v in answers.items()}
    return JsonResponse(body, status=200 if ready else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """What this process counted, in Prometheus' text format."""
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


@sync_to_async
def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        logger.warning("The database does not answer: %s", error)
        return False
    return True


async def _channel_layer_answers() -> bool:
    try:
        async with asyncio.timeout(LAYER_TIMEOUT_SECONDS):
            await get_channel_layer().group_send("readyz", {"type": "readyz"})
    except LAYER_ERRORS as error:
        logger.warning("The channel layer does not answer: %s", error)
        return False
    return True


urlpatterns = [path("healthz", healthz), path("readyz", readyz), path("metrics", metrics)]
