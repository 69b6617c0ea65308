"""System checks of what every request to ElevenLabs needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks

from upstream.client import Client
from upstream.errors import NotConfigured

THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


@checks.register(checks.Tags.security)
def check_api(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """upstream.E001: no request can be made with the key or the address; upstream.W001: strangers can read the key."""
    if not settings.ELEVENLABS_API_KEY:
        return []
    try:
        Client.from_settings()
    except NotConfigured as error:
        return [checks.Error(str(error), hint="docs/settings.md has an example of each.", id="upstream.E001")]
    parts = urlsplit(settings.ELEVENLABS_API_URL)
    if parts.scheme == "https" or parts.hostname in THIS_MACHINE:
        return []
    return [
        checks.Warning(
            "ELEVENLABS_API_URL begins with http://: the API key travels where others can read it.",
            hint="Write https://, as in https://api.elevenlabs.io.",
            id="upstream.W001",
        )
    ]
