"""The base64 of a recording: every spelling of it, decoded in pieces and without a copy of the whole text."""

from __future__ import annotations

import base64
import json
import os

import pytest

from webhooks import encoded_audio
from webhooks.encoded_audio import decode_recording, decoded
from webhooks.errors import InvalidPayload
from webhooks.strict_json import decode


@pytest.fixture(autouse=True, params=[4, 5, 7, 64, 2**20])
def piece(request, monkeypatch):
    """Pieces of every length: what they cut is put together again."""
    monkeypatch.setattr(encoded_audio, "PIECE", request.param)


@pytest.fixture
def all_are_large(monkeypatch):
    monkeypatch.setattr(encoded_audio, "LARGE_BYTES", 0)


def wrapped(text):
    return base64.encodebytes(base64.b64decode(text)).decode()


@pytest.mark.parametrize("size", [*range(1, 14), 200])
@pytest.mark.parametrize(
    "spelling",
    [
        str,
        lambda text: text.rstrip("="),
        lambda text: text.replace("+", "-").replace("/", "_"),
        lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
        wrapped,
        lambda text: f" {text[:3]} \r\n\t{text[3:]}\n",
    ],
    ids=["standard", "no padding", "for URLs", "for URLs, no padding", "lines", "spaces"],
)
def test_every_spelling_of_base64_is_the_same_recording(size, spelling):
    content = os.urandom(size)
    text = spelling(base64.b64encode(content).decode())
    assert decoded(text) == decoded(memoryview(text.encode())) == content


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "QUJDR",
        "QQ==QUJD",
        "Q===",
        "QUJD=",
        "QUJD====",
        "====",
        "QU=JD",
        "QQ==" * 40,
        "QUJ!",
        "QUJDé",
        "QUJD" * 40 + "?",
    ],
)
def test_what_is_not_base64_is_refused(text):
    for given in (text, memoryview(text.encode())):
        with pytest.raises(ValueError):  # noqa: PT011  (binascii has its own, UnicodeEncodeError is another)
            decoded(given)


def test_nothing_is_nothing():
    assert decoded("") == decoded(" \n") == decoded(memoryview(b"")) == b""


# --- a large body ---------------------------------------------------------------------------------------------------

BODY = {"type": "post_call_audio", "event_timestamp": 1, "data": {"conversation_id": "c", "full_audio": "QUJD"}}


def test_of_a_large_body_all_but_the_recording_is_decoded_as_usual(all_are_large):
    raw = json.dumps(BODY | {"more": [1.5, None, {"é": "ü"}]}, ensure_ascii=False, indent=1).encode()
    value = decode_recording(raw)
    audio = value["data"]["full_audio"]
    assert audio.tobytes() == b"QUJD"
    value["data"]["full_audio"] = "QUJD"
    assert value == decode(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'"full_audio"',
        b'{"data": 1}',
        b'{"data": null}',
        b'{"data": {}}',
        b'{"data": {"full_audio": null}}',
        b'{"data": {"full_audio": ["QUJD"]}}',
        b'{"data": {"full_audio": "QUJD"}',
        b'{"data": {"full_audio": "QU\nJD"}}',
        b'{"data": {"full_audio": "QU\\nJD"}}',
        b'\xef\xbb\xbf{"data": {"full_audio": "QUJD"}}',
        b'{"data": {"\xff": 1, "full_audio": "QUJD"}}',
        b'{"data": {"full_audio": "QUJD"}} x',
        b"[" * 5000,
    ],
)
def test_what_is_unusual_about_a_large_body_is_told_by_the_usual_decoder(all_are_large, raw):
    assert decode_recording(raw) is None


def test_the_last_of_two_recordings_counts_as_of_any_key(all_are_large):
    raw = b'{"data": {"full_audio": "QQ=="}, "data": {"full_audio": "QUI=", "full_audio": "QUJD"}}'
    assert decode_recording(raw)["data"]["full_audio"].tobytes() == b"QUJD"
    assert decode(raw)["data"]["full_audio"] == "QUJD"


def test_what_is_wrong_beside_the_recording_is_refused_as_usual(all_are_large):
    raw = b'{"data": {"full_audio": "QUJD"}, "deep": %s}' % (b"[" * 300 + b"]" * 300)
    with pytest.raises(InvalidPayload) as refused:
        decode_recording(raw)
    assert "nested deeper" in refused.value.details


def test_a_small_body_is_decoded_as_ever():
    assert decode_recording(json.dumps(BODY).encode()) is None
