"""A channel layer that loses messages, as real layers do when queues overflow and connections break."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer

from lab.faults.switch import Switch


class LossyLayer(RedisPubSubChannelLayer):
    """Redis' layer, but each receiver loses a share (0 to 1, in $FAULTS_DROP_FILE) of its messages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._share = Switch(Path(os.environ["FAULTS_DROP_FILE"]))

    async def receive(self, channel: str) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = await self._get_layer().receive(channel)
            if random.random() >= float(self._share.get()):
                return message
