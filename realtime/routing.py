"""WebSocket routes, each with and without a trailing slash."""

from __future__ import annotations

from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import re_path

from realtime.consumers import CallsConsumer, TranscriptionConsumer


class NotHere(AsyncWebsocketConsumer):
    """Refuses the upgrade on any other path."""

    channel_layer_alias = None

    async def connect(self) -> None:
        await self.close()


websocket_urlpatterns = [
    re_path(r"^ws/calls/transcriptions/?$", TranscriptionConsumer.as_asgi()),
    re_path(r"^ws/calls/?$", CallsConsumer.as_asgi()),
    re_path(r"", NotHere.as_asgi()),
]
