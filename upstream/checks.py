"""System checks of the settings that requests to ElevenLabs need."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks

from upstream.client import Client
from upstream.errors import NotConfigured
from upstream.phone_numbers import REGIONS

THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


@checks.register(checks.Tags.security)
def check_api(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """Check the API key and the address.

    upstream.E001: no request can be made with them. upstream.W001: strangers can read the key on its way.
    """
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


@checks.register(checks.Tags.security)
def check_dialling(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """Check the settings of dials. upstream.W002: no number has this prefix. upstream.W003: there is no such region."""
    found: list[checks.CheckMessage] = [
        checks.Warning(
            f"DIAL_ALLOWED_PREFIXES has {prefix!r}, which no number begins with.",
            hint="An item is + and digits, as in +49. A comma separates two items.",
            id="upstream.W002",
        )
        for prefix in settings.DIAL_ALLOWED_PREFIXES
        if not re.fullmatch(r"\+[0-9]{0,15}", prefix)
    ]
    if settings.DIAL_DEFAULT_REGION and settings.DIAL_DEFAULT_REGION not in REGIONS:
        found.append(
            checks.Warning(
                f"DIAL_DEFAULT_REGION is {settings.DIAL_DEFAULT_REGION!r}, which is no country.",
                hint="Write its two letters, as in DE or US, or leave it empty.",
                id="upstream.W003",
            )
        )
    return found


@checks.register(checks.Tags.compatibility)
def check_ids(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """upstream.W004: an ID that ElevenLabs gives to nothing, such as a phone number."""
    return [
        checks.Warning(
            f"{name} is {value!r}, which is no ID of ElevenLabs: calls that name none cannot be dialled.",
            hint=f"Copy the ID from ElevenLabs, as in {example}, without its address; a phone number has one too.",
            id="upstream.W004",
        )
        for name, example in {"ELEVENLABS_AGENT_ID": "agent_01jz", "ELEVENLABS_PHONE_NUMBER_ID": "phnum_01jz"}.items()
        if (value := getattr(settings, name)) and not re.fullmatch(r"[A-Za-z0-9_-]+", value)
    ]
