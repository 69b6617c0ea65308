"""Caps on bodies, per route: WEBHOOK_MAX_BYTES for post-call, WEBHOOK_TURN_MAX_BYTES for the other two."""

from __future__ import annotations

import base64
import json

import pytest

from conftest import INIT, POST_CALL, TOOL_SECRET, TURN, payload, sign

BEARER = {"Authorization": f"Bearer {TOOL_SECRET}"}


def chunked(raw, size=65_536):
    """The body in pieces, so that httpx sends Transfer-Encoding: chunked."""
    return (raw[i : i + size] for i in range(0, len(raw), size))


def too_large(response):
    return response.status_code == 413 and set(response.json()) == {"status", "message", "details"}


def filled(body, size):
    """The JSON of a body, made `size` bytes long by spaces."""
    raw = json.dumps(body).encode()
    return raw[:-1] + b" " * (size - len(raw)) + b"}"


@pytest.mark.parametrize("pieces", [bytes, chunked], ids=["with a length", "chunked"])
def test_a_turn_may_have_as_many_bytes_as_the_setting_says(site, call, settings, pieces):
    settings.WEBHOOK_TURN_MAX_BYTES = 2000
    turn = {"call_sid": call.call_sid, "speaker": "agent", "message": "Hello"}
    assert site.client.post(TURN, content=pieces(filled(turn, 2000)), headers=BEARER).status_code == 201
    for path in (TURN, INIT):
        assert too_large(site.client.post(path, content=pieces(filled(turn, 2001)), headers=BEARER))
    assert call.transcriptions.count() == 1


@pytest.mark.parametrize("pieces", [bytes, chunked], ids=["with a length", "chunked"])
def test_a_post_call_body_has_a_cap_of_its_own(site, call, settings, pieces):
    settings.WEBHOOK_MAX_BYTES, settings.WEBHOOK_TURN_MAX_BYTES = 20_000, 10
    for size, status in {20_000: 200, 20_001: 413}.items():
        raw = filled(payload("transcription_docs_sample", call.conversation_id), size)
        response = site.client.post(POST_CALL, content=pieces(raw), headers={"ElevenLabs-Signature": sign(raw)})
        assert response.status_code == status


def test_who_is_not_signed_is_refused_however_large_the_body(site, settings):
    settings.WEBHOOK_MAX_BYTES = 100
    assert site.client.post(POST_CALL, content=b"x" * 99).status_code == 401
    assert site.client.post(POST_CALL, content=b"x" * 101).status_code in (401, 413)


def test_zero_means_no_cap(site, call, settings):
    settings.WEBHOOK_MAX_BYTES = settings.WEBHOOK_TURN_MAX_BYTES = 0
    turn = {"call_sid": call.call_sid, "speaker": "agent", "message": "Hello"}
    assert site.client.post(TURN, content=filled(turn, 3 * 2**20), headers=BEARER).status_code == 201
    assert site.post_call(filled(payload("failure_bare", call.conversation_id), 3 * 2**20)).status_code == 200


def test_the_defaults_are_64_mib_and_1_mib(site, call, settings):
    assert (settings.WEBHOOK_MAX_BYTES, settings.WEBHOOK_TURN_MAX_BYTES) == (64 * 2**20, 2**20)
    turn = {"call_sid": call.call_sid, "speaker": "agent", "message": "Hello"}
    assert too_large(site.client.post(TURN, content=filled(turn, 2**20 + 1), headers=BEARER))


@pytest.mark.parametrize("pieces", [bytes, chunked], ids=["with a length", "chunked"])
def test_a_recording_of_4_mb_comes_through_byte_for_byte(site, call, pieces):
    small = base64.b64decode(payload("audio_small_mp3")["data"]["full_audio"])
    audio = small * (4 * 2**20 // len(small))
    body = payload("audio_small_mp3", call.conversation_id)
    body["data"]["full_audio"] = base64.b64encode(audio).decode()
    raw = json.dumps(body).encode()
    response = site.client.post(POST_CALL, content=pieces(raw), headers={"ElevenLabs-Signature": sign(raw)})
    assert response.status_code == 200
    assert call.recording.size_bytes == len(audio)
    with call.recording.file.open() as file:
        assert file.read() == audio
