"""The error table: what is wrong, which status, and a body that says what to fix."""

from __future__ import annotations

import json

import httpx
import pytest

from conftest import INIT, POST_CALL, TOOL_SECRET, TURN, payload
from webhooks.models import WebhookDelivery


def is_error(response, status, message=None):
    body = response.json()
    assert response.status_code == status, response.text
    assert set(body) == {"status", "message", "details"}
    assert body["status"] == "error"
    assert body["details"]
    assert "\n" not in body["message"]
    assert "Traceback" not in response.text
    assert message is None or body["message"] == message
    return body["details"]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", [POST_CALL, TURN, INIT])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_anything_but_post_is_not_allowed(site, method, path, slash):
    response = site.client.request(method, path + slash)
    is_error(response, 405)
    assert response.headers["Allow"] == "POST"


@pytest.mark.parametrize("path", [POST_CALL + "/", TURN + "/", INIT + "/"])
def test_a_trailing_slash_makes_no_difference(site, path):
    is_error(site.client.post(path, content=b"{}"), 401)


def test_a_foreign_origin_and_no_csrf_token_are_no_obstacle(site, call):
    headers = {"Authorization": f"Bearer {TOOL_SECRET}", "Origin": "https://elsewhere.example", "Cookie": "csrftoken=x"}
    body = {"call_sid": call.call_sid, "speaker": "agent", "message": "Hello"}
    assert httpx.post(site.url + TURN, json=body, headers=headers, trust_env=False).status_code == 201


@pytest.mark.parametrize(
    ("raw", "details"),
    [
        (b"", "not JSON"),
        (b"   ", "not JSON"),
        (b"{not json", "not JSON"),
        (b"type=post_call_transcription", "not JSON"),
        (b'{"type": "post_call_transcription"} x', "not JSON"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'"post_call_transcription"', "must be a JSON object"),
        (b'{"type": "caf\xe9"}', "not UTF-8"),
        ('{"type": "x"}'.encode("utf-16"), "not UTF-8"),
        (b'{"type": NaN}', "NaN"),
        (b'{"type": -Infinity}', "Infinity"),
        (b'{"type": 1e999}', "too large"),
        (b'{"type": ' + b"9" * 5000 + b"}", "too many digits"),
        (b'{"type": ' + b"[" * 100_000, "nested deeper"),
        (b'{"type": ' + b"[" * 300 + b"]" * 300 + b"}", "nested deeper"),
        (b'{"type": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}", "nested deeper"),
    ],
)
def test_what_is_not_strict_json_is_refused(inbox, raw, details):
    assert details in is_error(inbox.post_call(raw), 400, "Invalid webhook payload")
    assert details in is_error(inbox.turn(raw), 400, "Invalid webhook payload")


@pytest.mark.parametrize(
    ("field", "value", "details"),
    [
        ("type", None, "Missing required field: type"),
        ("type", 7, "type"),
        ("type", {}, "type"),
        ("event_timestamp", None, "Missing required field: event_timestamp"),
        ("event_timestamp", True, "event_timestamp"),
        ("event_timestamp", "yesterday", "event_timestamp"),
        ("event_timestamp", -5, "event_timestamp"),
        ("event_timestamp", 1e300, "event_timestamp"),
        ("event_timestamp", [], "event_timestamp"),
        ("data", None, "Missing required field: data"),
        ("data", [], "data"),
        ("data.conversation_id", None, "Missing required field: data.conversation_id"),
        ("data.conversation_id", "", "data.conversation_id"),
        ("data.conversation_id", "  ", "data.conversation_id"),
        ("data.conversation_id", 12, "data.conversation_id"),
        ("data.conversation_id", [], "data.conversation_id"),
        ("data.conversation_id", "c" * 256, "data.conversation_id"),
    ],
)
def test_a_required_field_that_is_wrong_or_missing_is_named(inbox, call, field, value, details):
    body = payload("transcription_docs_sample", call.conversation_id)
    holder = body["data"] if field.startswith("data.") else body
    for told in ({"is": value}, {} if value is None else {"is": value}):
        holder.pop(field.removeprefix("data."), None)
        holder.update({field.removeprefix("data."): told["is"]} if told else {})
        assert details in is_error(inbox.post_call(body), 400, "Invalid webhook payload")
    call.refresh_from_db()
    assert call.status == "in_progress"


def test_an_unknown_type_is_told_which_are_supported(inbox):
    details = is_error(inbox.post_call(payload("event_unknown_type")), 400)
    for kind in ("post_call_transcription", "call_initiation_failure", "post_call_audio"):
        assert kind in details
    assert WebhookDelivery.objects.get().outcome == "rejected"


NOT_BASE64 = ["SUQzA", "SUQ==", "SU=Q", "SU.z", "=", "ü"]


@pytest.mark.parametrize("audio", [None, 5, "", "data:audio/mpeg;base64,SUQz", "<html>", *NOT_BASE64])
def test_a_recording_that_is_not_base64_is_refused(inbox, call, audio):
    body = payload("audio_small_mp3", call.conversation_id)
    body["data"]["full_audio"] = audio
    assert "data.full_audio" in is_error(inbox.post_call(body), 400, "Invalid webhook payload")
    assert not hasattr(call, "recording")


def test_control_characters_in_an_id_are_escaped_in_the_answer(site):
    body = payload("transcription_docs_sample", "conv\r\nSet-Cookie: a=b\x1b[31m\x00")
    response = site.post_call(body)
    is_error(response, 404)
    message = json.loads(response.text)["message"]
    assert message.isprintable()
    assert "conv\\r\\nSet-Cookie: a=b\\x1b[31m" in message
