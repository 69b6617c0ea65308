"""Channels as in its tutorial: an ORM view, `group_send`, and a consumer that adds itself to the call's group."""
# mypy: ignore-errors
# This is a project of its own, whose models are unknown to callsite's settings.

from __future__ import annotations

import hashlib
import hmac
import json
import os
from typing import Any

import dj_database_url
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="only-for-the-bench",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={
        "default": {
            **dj_database_url.parse(os.environ["DATABASE_URL"]),
            "OPTIONS": {"pool": {"min_size": 2, "max_size": 8}},
        }
    },
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [os.environ["REDIS_URL"]], "prefix": "plain"},
        }
    },
    USE_TZ=True,
)
django.setup()

from asgiref.sync import sync_to_async  # noqa: E402  (needs the settings)
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402

SECRET = os.environ["ELEVENLABS_WEBHOOK_SECRET"].encode()


class Call(models.Model):
    call_sid = models.CharField(max_length=64, unique=True)
    last_number = models.IntegerField(default=0)

    class Meta:
        app_label = "plain"

    def __str__(self) -> str:
        return self.call_sid


class Turn(models.Model):
    call = models.ForeignKey(Call, on_delete=models.CASCADE)
    speaker = models.CharField(max_length=20)
    message = models.TextField()
    number = models.IntegerField()
    timestamp = models.DateTimeField()

    class Meta:
        app_label = "plain"

    def __str__(self) -> str:
        return f"{self.call_id} #{self.number}"


def store(data: dict[str, Any]) -> Turn:
    with transaction.atomic():
        call = Call.objects.select_for_update().get(call_sid=data["call_sid"])
        call.last_number += 1
        call.save()
        return Turn.objects.create(
            call=call,
            speaker=data["speaker"],
            message=data["message"],
            number=call.last_number,
            timestamp=data["timestamp"],
        )


async def transcription(request: HttpRequest) -> JsonResponse:
    parts = dict(part.split("=", 1) for part in request.headers["ElevenLabs-Signature"].split(","))
    wanted = hmac.new(SECRET, parts["t"].encode() + b"." + request.body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, parts["v0"]):
        return JsonResponse({}, status=401)
    data = json.loads(request.body)
    turn = await sync_to_async(store)(data)
    message = {
        "type": "transcription",
        "call_id": turn.call_id,
        "message": turn.message,
        "sequence_number": turn.number,
    }
    group = f"call.{turn.call_id}"
    await get_channel_layer().group_send(group, {"type": "call.turn", "message": message})
    return JsonResponse({"id": turn.pk, "sequence_number": turn.number}, status=201)


class Consumer(AsyncWebsocketConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.group = f"call.{json.loads(text_data or '')['subscribe']}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.send(json.dumps({"type": "subscription_confirmed"}))

    async def call_turn(self, event: dict[str, Any]) -> None:
        await self.send(json.dumps(event["message"]))

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.group, self.channel_name)


urlpatterns = [path("webhooks/elevenlabs/transcription", transcription)]
application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter([path("ws/calls/transcriptions", Consumer.as_asgi())]),
    }
)

if __name__ == "__main__":
    with connection.schema_editor() as editor:
        editor.create_model(Call)
        editor.create_model(Turn)
