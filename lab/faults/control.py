"""The control: the same webhooks and database as callsite, but Channels' tutorial in place of `realtime`.

Start it with `uvicorn lab.faults.control:application`. Each socket joins its call's group, a saved turn is sent to the
group, and that is all: no numbers, no catching up, nothing read back. It takes the same messages as callsite, so the
same subscribers can use it.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callsite.settings")
django_application = get_asgi_application()

from channels.db import database_sync_to_async  # noqa: E402  (needs the apps)
from channels.generic.websocket import AsyncJsonWebsocketConsumer  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402
from channels.routing import URLRouter  # noqa: E402
from django.db import transaction  # noqa: E402
from django.db.models.signals import post_save  # noqa: E402
from django.dispatch import receiver  # noqa: E402
from django.urls import re_path  # noqa: E402

from calls.models import Call  # noqa: E402
from calls.turn import RecordedTurn  # noqa: E402
from calls.turns import turns_recorded  # noqa: E402
from lab.faults.failpoint import VARIABLE, crashing  # noqa: E402
from realtime import messages, signals  # noqa: E402

turns_recorded.disconnect(signals.publish_turns)
post_save.disconnect(signals.publish_call, sender=Call)
_server: asyncio.AbstractEventLoop | None = None


def send_to_group(call_id: int, text: str) -> None:
    """Send as `async_to_sync(group_send)` does in a view: the server's loop sends, and this thread waits for it."""
    assert _server is not None
    message = {"type": "push", "text": text}
    asyncio.run_coroutine_threadsafe(get_channel_layer().group_send(group_of(call_id), message), _server).result()


publish = crashing(send_to_group) if VARIABLE in os.environ else send_to_group


def group_of(call_id: int) -> str:
    return f"plain.{call_id}"


def publish_after_commit(call_id: int, text: str) -> None:
    transaction.on_commit(lambda: publish(call_id, text), robust=True)


@receiver(turns_recorded)
def publish_turns(turns: list[RecordedTurn], **_: Any) -> None:
    for turn in turns:
        if not turn.call.ended:
            publish(turn.call.pk, messages.encode(messages.Transcription.of(turn, turn.call)))


@receiver(post_save, sender=Call)
def publish_end(instance: Call, update_fields: frozenset[str] | None, **_: Any) -> None:
    if instance.ended and "status" in (update_fields or ()):
        for frame in (messages.CallStatus.of(instance), messages.CallCompleted.of(instance)):
            publish_after_commit(instance.pk, messages.encode(frame))


class PlainConsumer(AsyncJsonWebsocketConsumer):
    """A consumer that joins one group per subscription."""

    async def receive_json(self, content: dict[str, Any], **_: Any) -> None:
        call = await database_sync_to_async(Call.objects.get_by_identifier)(content["subscribe"])
        await self.channel_layer.group_add(group_of(call.pk), self.channel_name)
        confirmation = {"type": "subscription_confirmed", "identifier": content["subscribe"], "call_sid": call.call_sid}
        await self.send_json(confirmation | {"last_sequence_number": call.last_sequence_number})

    async def push(self, event: dict[str, Any]) -> None:
        await self.send(event["text"])


websocket_application = URLRouter([re_path(r"", PlainConsumer.as_asgi())])


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    global _server
    _server = asyncio.get_running_loop()
    app: Any = websocket_application if scope["type"] == "websocket" else django_application
    await app(scope, receive, send)
