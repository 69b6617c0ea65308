"""Which secret opens which door, and what happens where there is none."""

from __future__ import annotations

import json

import pytest

from conftest import INIT, POST_CALL, TOOL_SECRET, TURN, WEBHOOK_SECRET, payload, sign
from webhooks.models import WebhookDelivery


def turn_of(call):
    return json.dumps({"call_sid": call.call_sid, "speaker": "agent", "message": "Hello"}).encode()


def post(site, path, raw, **headers):
    return site.client.post(path, content=raw, headers={k.replace("_", "-"): v for k, v in headers.items()})


def test_each_of_several_webhook_secrets_is_good_so_that_one_can_be_rotated(site, call, settings):
    settings.ELEVENLABS_WEBHOOK_SECRET = "wsec_old, wsec_new ,"
    body = json.dumps(payload("transcription_docs_sample", call.conversation_id)).encode()
    assert site.post_call(body, signature=sign(body, "wsec_old")).status_code == 200
    assert site.post_call(body, signature=sign(body, "wsec_new")).status_code == 200
    for other in (WEBHOOK_SECRET, "", "wsec_old, wsec_new ,", " wsec_new "):
        assert site.post_call(body, signature=sign(body, other)).status_code == 401


@pytest.mark.parametrize(("debug", "status"), [(True, 200), (False, 401)])
def test_without_a_secret_the_unsigned_come_in_only_while_debug_is_on(site, call, settings, caplog, debug, status):
    settings.ELEVENLABS_WEBHOOK_SECRET = settings.ELEVENLABS_TOOL_SECRET = ""
    settings.DEBUG = debug
    body = json.dumps(payload("transcription_docs_sample", call.conversation_id)).encode()
    assert post(site, POST_CALL, body).status_code == status
    assert post(site, POST_CALL, body, ElevenLabs_Signature=sign(body, "any")).status_code == status
    assert "ELEVENLABS_WEBHOOK_SECRET" in caplog.text
    assert post(site, TURN, turn_of(call)).status_code == (201 if debug else 401)
    assert "ELEVENLABS_TOOL_SECRET" in caplog.text


@pytest.mark.parametrize("debug", [True, False])
def test_once_a_secret_is_configured_debug_opens_nothing(site, call, settings, debug):
    settings.DEBUG = debug
    assert post(site, POST_CALL, b"{}").status_code == 401
    assert post(site, TURN, turn_of(call)).status_code == 401
    assert post(site, INIT, b"{}").status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_tool_secret_opens_the_routes_of_server_tools(site, call, scheme):
    assert post(site, TURN, turn_of(call), Authorization=f"{scheme} {TOOL_SECRET}").status_code == 201
    init = json.dumps({"call_sid": "CA1"}).encode()
    assert post(site, INIT, init, Authorization=f"{scheme} {TOOL_SECRET}").status_code == 200


def test_the_tool_secret_does_not_open_post_call(site):
    assert post(site, POST_CALL, b"{}", Authorization=f"Bearer {TOOL_SECRET}").status_code == 401
    assert site.post_call(b"{}", signature=sign(b"{}", TOOL_SECRET)).status_code == 401


def test_a_signature_opens_the_routes_of_server_tools_too(site, call):
    raw = turn_of(call)
    assert post(site, TURN, raw, ElevenLabs_Signature=sign(raw)).status_code == 201
    wrong_secret = f"Bearer {WEBHOOK_SECRET}"
    assert post(site, TURN, raw, Authorization=wrong_secret, ElevenLabs_Signature=sign(raw)).status_code == 201
    assert post(site, TURN, raw, ElevenLabs_Signature=sign(raw + b" ")).status_code == 401


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", TOOL_SECRET, f"Basic {TOOL_SECRET}", f"Bearer {WEBHOOK_SECRET}", f"Bearer {TOOL_SECRET}x"],
)
@pytest.mark.parametrize("path", [TURN, INIT])
def test_anything_else_is_refused_and_leaves_nothing(site, call, path, authorization):
    response = post(site, path, turn_of(call), Authorization=authorization)
    assert response.status_code == 401
    assert "ELEVENLABS_TOOL_SECRET" in response.json()["details"]
    assert TOOL_SECRET not in response.text
    assert not WebhookDelivery.objects.exists()
    assert not call.transcriptions.exists()


@pytest.mark.parametrize("debug", [True, False])
def test_one_configured_secret_closes_the_other_way_in(site, call, settings, debug):
    settings.DEBUG = debug
    raw = turn_of(call)
    settings.ELEVENLABS_WEBHOOK_SECRET, settings.ELEVENLABS_TOOL_SECRET = "", TOOL_SECRET
    assert post(site, TURN, raw).status_code == 401
    assert post(site, TURN, raw, ElevenLabs_Signature=sign(raw, "any")).status_code == 401
    assert post(site, TURN, raw, Authorization=f"Bearer {TOOL_SECRET}").status_code == 201
    settings.ELEVENLABS_WEBHOOK_SECRET, settings.ELEVENLABS_TOOL_SECRET = WEBHOOK_SECRET, ""
    assert post(site, TURN, raw).status_code == 401
    assert post(site, TURN, raw, Authorization="Bearer").status_code == 401
    assert post(site, TURN, raw, ElevenLabs_Signature=sign(raw)).status_code == 201


def test_each_of_several_tool_secrets_is_good(site, call, settings):
    settings.ELEVENLABS_TOOL_SECRET = "tool_old,tool_new"
    for secret, status in {"tool_old": 201, "tool_new": 201, TOOL_SECRET: 401}.items():
        assert post(site, TURN, turn_of(call), Authorization=f"Bearer {secret}").status_code == status
