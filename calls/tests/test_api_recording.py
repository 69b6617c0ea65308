"""GET …/recording/: the audio as it came, whole or in ranges, and never as anything that a browser would run."""

from __future__ import annotations

import base64
import hashlib

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
def get(site, recorded, supervisor_token):
    def get(**headers):
        url = f"/api/calls/{recorded.call_sid}/recording/"
        return site.client.get(url, headers={"Authorization": f"Bearer {supervisor_token}", **headers})

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


def test_a_range_is_for_the_file_that_if_range_names_and_for_another_one_the_whole_comes(get):
    etag = get().headers["ETag"]
    assert etag == f'"{hashlib.sha256(AUDIO).hexdigest()}"'
    part = get(Range="bytes=10-19", **{"If-Range": etag})
    assert (part.status_code, part.content, part.headers["ETag"]) == (206, AUDIO[10:20], etag)
    for other in ('"another"', f"W/{etag}", etag.strip('"'), "Wed, 21 Oct 2015 07:28:00 GMT", ""):
        whole = get(Range="bytes=10-19", **{"If-Range": other})
        assert (whole.status_code, whole.content, whole.headers["ETag"]) == (200, AUDIO, etag), other
    assert get(Range=f"bytes={SIZE}-", **{"If-Range": '"another"'}).status_code == 200
    assert get(**{"If-Range": '"another"'}).status_code == 200


def test_a_newer_recording_has_another_etag_so_that_no_player_glues_two_files_together(site, get, recorded):
    older = get(Range="bytes=0-9").headers["ETag"]
    body = payload("audio_small_mp3", recorded.conversation_id)
    body["event_timestamp"] += 60
    body["data"]["full_audio"] = base64.b64encode(AUDIO[::-1]).decode()
    assert site.post_call(body).status_code == 200
    rest = get(Range="bytes=10-", **{"If-Range": older})
    assert (rest.status_code, rest.content) == (200, AUDIO[::-1])


def test_a_client_that_has_the_recording_gets_304_and_one_that_wants_another_412(get):
    etag = get().headers["ETag"]
    unchanged = get(**{"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["ETag"]) == (304, b"", etag)
    assert get(**{"If-None-Match": '"another"'}).status_code == 200
    assert get(**{"If-Match": '"another"'}).status_code == 412
    assert get(**{"If-Match": etag}, Range="bytes=0-9").status_code == 206


@pytest.mark.parametrize(
    "dialect",
    [
        lambda text: text.rstrip("="),
        lambda text: text.replace("+", "-").replace("/", "_"),
        lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
        lambda text: "\r\n".join(text[at : at + 76] for at in range(0, len(text), 76)),
    ],
)
@pytest.mark.parametrize("audio", [AUDIO[:-2], AUDIO[:-1], AUDIO])
def test_each_dialect_of_base64_is_a_recording(site, call, supervisor_token, audio, dialect):
    body = payload("audio_small_mp3", call.conversation_id)
    body["data"]["full_audio"] = dialect(base64.b64encode(audio).decode())
    assert site.post_call(body).status_code == 200
    assert site.api("GET", f"/api/calls/{call.call_sid}/recording/", supervisor_token).content == audio


def test_a_page_that_calls_itself_a_recording_is_served_as_audio(site, call, supervisor_token):
    page = b"<html><script>alert(1)</script></html>"
    body = payload("audio_small_mp3", call.conversation_id)
    body["data"]["full_audio"] = base64.b64encode(page).decode()
    assert site.post_call(body).status_code == 200
    response = site.api("GET", f"/api/calls/{call.conversation_id}/recording/", supervisor_token)
    assert response.content == page
    assert response.headers["Content-Type"] == "audio/mpeg"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]


def test_a_call_without_a_recording_is_404(site, call, supervisor_token):
    assert site.api("GET", f"/api/calls/{call.call_sid}/recording/", supervisor_token).status_code == 404
    assert site.api("GET", f"/api/calls/{call.call_sid}/", supervisor_token).json()["has_recording"] is False


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
