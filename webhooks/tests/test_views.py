"""The views behind Django's own request and middleware: the same answers as through the server's door."""

from __future__ import annotations

import json

import pytest

from conftest import INIT, POST_CALL, TOOL_SECRET, TURN, payload, sign

BEARER = {"Authorization": f"Bearer {TOOL_SECRET}"}


def post(client, path, raw, **headers):
    return client.post(path, raw, content_type="application/json", headers=headers)


async def test_a_signed_outcome_is_taken(async_client, transactional_db, call):
    raw = json.dumps(payload("transcription_docs_sample", call.conversation_id)).encode()
    response = await post(async_client, POST_CALL, raw, **{"ElevenLabs-Signature": sign(raw)})
    assert (response.status_code, response.json()["call_status"]) == (200, "completed")
    assert response["Content-Type"] == "application/json"
    await call.arefresh_from_db()
    assert call.status == "completed"


async def test_an_inbound_call_is_registered(async_client, transactional_db):
    response = await post(async_client, INIT, b'{"call_sid": "CA_1", "conversation_id": "conv_1"}', **BEARER)
    assert response.json()["dynamic_variables"] == {"call_sid": "CA_1"}


async def test_a_live_turn_that_is_wrong_is_refused(async_client, transactional_db, call):
    response = await post(async_client, TURN, b'{"call_sid": "EL_1", "speaker": "robot"}', **BEARER)
    assert (response.status_code, response.json()["details"]) == (400, 'Field speaker must be "agent" or "user".')


@pytest.mark.parametrize("path", [POST_CALL, TURN, INIT])
async def test_a_stranger_is_refused(async_client, path):
    assert (await post(async_client, path, b"{}")).status_code == 401
    assert (await post(async_client, path, b"{}", **{"ElevenLabs-Signature": sign(b"other")})).status_code == 401


async def test_another_method_is_not_allowed(async_client):
    response = await async_client.get(POST_CALL)
    assert (response.status_code, response["Allow"]) == (405, "POST")


async def test_a_body_above_the_limit_is_refused(async_client, settings):
    """At the limit it is read, and found to be signed by somebody else."""
    settings.WEBHOOK_MAX_BYTES = 10
    for size, status in ((10, 401), (11, 413)):
        raw = b"x" * size
        response = await post(async_client, POST_CALL, raw, **{"ElevenLabs-Signature": sign(raw, "wrong")})
        assert response.status_code == status
