"""GET …/recording/: the audio as it came, whole or in ranges, and never as anything that a browser would run."""

from __future__ import annotations

import base64

import pytest

from calls.models import CallRecording
from conftest import payload

AUDIO = bytes(range(256)) * 40
SIZE = len(AUDIO)


@pytest.fixture
def recorded(site, call):
    body = payload("audio_small_mp3", call.conversation_id)
    body["data"]["full_audio"] = base64.b64encode(AUDIO).decode()
    assert site.post_call(body).status_code == 200
    return call


@pytest.fixture
def get(site, recorded, token):
    def get(**headers):
        url = f"/api/calls/{recorded.call_sid}/recording/"
        return site.client.get(url, headers={"Authorization": f"Bearer {token}", **headers})

    return get


def test_the_whole_recording(get):
    response = get()
    assert (response.status_code, response.content) == (200, AUDIO)
    assert response.headers["Content-Type"] == "audio/mpeg"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Content-Length"] == str(SIZE)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=10-19", 10, 19),
        ("bytes=0-0", 0, 0),
        ("bytes=100-", 100, SIZE - 1),
        ("bytes=-7", SIZE - 7, SIZE - 1),
        (f"bytes=-{SIZE * 2}", 0, SIZE - 1),
        (f"bytes=5-{SIZE + 99}", 5, SIZE - 1),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1),
    ],
)
def test_a_range_is_answered_206(get, asked, first, last):
    response = get(Range=asked)
    assert (response.status_code, response.content) == (206, AUDIO[first : last + 1])
    assert response.headers["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert response.headers["Content-Length"] == str(last - first + 1)
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0", "bytes=" + "9" * 18 + "-"])
def test_a_range_beyond_the_end_is_answered_416(get, asked):
    response = get(Range=asked)
    assert (response.status_code, response.content) == (416, b"")
    assert response.headers["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked",
    ["bytes=", "bytes=-", "bytes=a-b", "items=0-5", "bytes=0-1,5-6", "bytes=²-", "bytes=" + "9" * 19 + "-"],
)
def test_a_range_that_is_not_understood_is_ignored(get, asked):
    response = get(Range=asked.encode())
    assert (response.status_code, len(response.content)) == (200, SIZE)


def test_a_page_that_calls_itself_a_recording_is_served_as_audio(site, call, token):
    page = b"<html><script>alert(1)</script></html>"
    body = payload("audio_small_mp3", call.conversation_id)
    body["data"]["full_audio"] = base64.b64encode(page).decode()
    assert site.post_call(body).status_code == 200
    response = site.api("GET", f"/api/calls/{call.conversation_id}/recording/", token)
    assert response.content == page
    assert response.headers["Content-Type"] == "audio/mpeg"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]


def test_a_call_without_a_recording_is_404(site, call, token):
    assert site.api("GET", f"/api/calls/{call.call_sid}/recording/", token).status_code == 404
    assert site.api("GET", f"/api/calls/{call.call_sid}/", token).json()["has_recording"] is False


def test_a_recording_whose_file_is_gone_is_404(get, recorded):
    CallRecording.objects.get().file.storage.delete(CallRecording.objects.get().file.name)
    assert get().status_code == 404


def test_a_newer_recording_takes_the_older_ones_place_and_not_the_other_way_round(site, get, recorded):
    for shift, wanted in ((60, b"newer"), (30, b"newer")):
        body = payload("audio_small_mp3", recorded.conversation_id)
        body["event_timestamp"] += shift
        body["data"]["full_audio"] = base64.b64encode(b"newer" if shift == 60 else b"older").decode()
        assert site.post_call(body).status_code == 200
        assert get().content == wanted
    assert CallRecording.objects.count() == 1
