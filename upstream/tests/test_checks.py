"""System checks of the settings that requests to ElevenLabs need."""

from __future__ import annotations

import pytest

from upstream.checks import check_api, check_dialling, check_ids


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({}, []),
        ({"ELEVENLABS_API_KEY": "", "ELEVENLABS_API_URL": "nonsense"}, []),
        ({"ELEVENLABS_API_URL": "api.elevenlabs.io"}, ["upstream.E001"]),
        ({"ELEVENLABS_API_KEY": "sk with blank"}, ["upstream.E001"]),
        ({"ELEVENLABS_API_URL": "http://api.elevenlabs.io"}, ["upstream.W001"]),
        ({"ELEVENLABS_API_URL": "http://127.0.0.1:8788"}, []),
        ({"DIAL_ALLOWED_PREFIXES": ["+49", "0041", "+"]}, ["upstream.W002"]),
        ({"DIAL_DEFAULT_REGION": "GERMANY"}, ["upstream.W003"]),
        ({"DIAL_DEFAULT_REGION": "DE"}, []),
        ({"ELEVENLABS_AGENT_ID": "agent_01jz-x", "ELEVENLABS_PHONE_NUMBER_ID": "phnum_01jz"}, []),
        ({"ELEVENLABS_AGENT_ID": "https://elevenlabs.io/app/agents/agent_01jz"}, ["upstream.W004"]),
        ({"ELEVENLABS_PHONE_NUMBER_ID": "+4915112345"}, ["upstream.W004"]),
    ],
)
def test_settings_that_cannot_work_are_named_without_the_key(settings, changes, ids):
    settings.ELEVENLABS_API_KEY = "sk_0123456789"
    settings.ELEVENLABS_API_URL = "https://api.elevenlabs.io"
    settings.DIAL_ALLOWED_PREFIXES, settings.DIAL_DEFAULT_REGION = [], ""
    for name, value in changes.items():
        setattr(settings, name, value)
    found = [*check_api(None), *check_dialling(None), *check_ids(None)]
    assert [message.id for message in found] == ids
    key = settings.ELEVENLABS_API_KEY
    assert not any(key and key in f"{message.msg} {message.hint}" for message in found)
