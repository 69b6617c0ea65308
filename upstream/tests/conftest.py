from __future__ import annotations

import pytest

from upstream.client import Client


@pytest.fixture
def client(lonely_stub):
    """A client of ElevenLabs' API, whose webhooks reach nobody."""
    return Client.from_settings()
