"""The same promises on SQLite and the in-memory layer, in one process: what `make run` gives a newcomer."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from calls.redaction import redacted
from callsite.tests.conftest import PASSWORD
from callsite.tests.hostile_requests import FORM, Visitor, visit
from conftest import ElevenLabs, Socket, payload
from lab.stack.webserver import WebServer


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def web(request, sqlite_env_in, tmp_path_factory):
    with WebServer(sqlite_env_in(tmp_path_factory.mktemp("sqlite")), server=request.param) as web:
        yield web


@pytest.fixture(scope="module")
def elevenlabs(web):
    elevenlabs = ElevenLabs(web.url)
    yield elevenlabs
    elevenlabs.client.close()


@pytest.fixture(scope="module")
def token(elevenlabs):
    login = {"username": "admin", "password": PASSWORD}
    return elevenlabs.client.post("/api/token/", json=login).json()["access"]


@pytest.fixture
def api(elevenlabs, token):
    def api(method, path, **kwargs):
        headers = {"Authorization": f"Bearer {token}", **kwargs.pop("headers", {})}
        return elevenlabs.client.request(method, path, headers=headers, **kwargs)

    return api


@pytest.fixture
def call(api):
    mark = uuid.uuid4().hex[:12]
    return api("POST", "/api/calls/", json={"call_sid": f"EL_{mark}", "conversation_id": f"conv_{mark}"}).json()


def test_a_call_is_heard_stored_and_read_back(web, elevenlabs, api, token, call):
    body = payload("transcription_full_featured", call["conversation_id"])

    async def listen():
        async with Socket.connect(f"{web.ws_url}/ws/calls/transcriptions", token) as socket:
            assert (await socket.subscribe(call["call_sid"]))["type"] == "subscription_confirmed"
            for text in ("one", "two"):
                turn = {"call_sid": call["call_sid"], "speaker": "user", "message": text}
                assert (await asyncio.to_thread(elevenlabs.turn, **turn)).status_code == 201
            assert (await asyncio.to_thread(elevenlabs.post_call, body)).status_code == 200
            return await socket.take(4)

    heard = asyncio.run(listen())
    assert [message["type"] for message in heard] == ["transcription"] * 2 + ["call_status", "call_completed"]
    assert [message["sequence_number"] for message in heard[:2]] == [1, 2]
    stored = api("GET", f"/api/calls/{call['conversation_id']}/").json()
    assert (stored["status"], stored["cost"], stored["last_sequence_number"]) == ("completed", 567, 2)
    assert stored["metadata_json"] == body["data"]["metadata"]
    assert stored["analysis_data"] == body["data"]["analysis"]
    transcript = api("GET", f"/api/calls/{call['call_sid']}/transcript/?after=1").json()
    assert [turn["message_text"] for turn in transcript["turns"]] == ["two"]
    assert transcript["final_transcript"] == redacted(body["data"]["transcript"])


def test_turns_at_once_are_numbered_without_gaps(elevenlabs, call):
    def turn(n):
        return elevenlabs.turn(call_sid=call["call_sid"], speaker="agent", message=f"Turn {n}")

    with ThreadPoolExecutor(25) as threads:
        responses = list(threads.map(turn, range(25)))
    assert {response.status_code for response in responses} == {201}
    assert sorted(response.json()["sequence_number"] for response in responses) == list(range(1, 26))


def test_copies_of_a_webhook_at_once_are_one(elevenlabs, api, call):
    body = payload("transcription_docs_sample", call["conversation_id"])
    with ThreadPoolExecutor(8) as threads:
        responses = list(threads.map(lambda _: elevenlabs.post_call(body), range(8)))
    assert {response.status_code for response in responses} == {200}
    assert len({json.dumps(response.json(), sort_keys=True) for response in responses}) == 1
    assert api("GET", f"/api/calls/{call['call_sid']}/").json()["status"] == "completed"


def test_what_comes_before_its_call_waits_for_it(elevenlabs, api, call):
    early = f"{call['call_sid']}_early"
    assert api("POST", "/api/calls/", json={"call_sid": f"EL_other_{early}"}).status_code == 201  # no conversation yet
    assert elevenlabs.turn(call_sid=early, speaker="agent", message="Hello").status_code == 404
    assert elevenlabs.post_call(payload("transcription_docs_sample", f"conv_{early}")).status_code == 404
    registered = {"call_sid": early, "conversation_id": f"conv_{early}"}
    assert api("POST", "/api/calls/", json=registered).status_code == 201
    transcript = api("GET", f"/api/calls/{early}/transcript/").json()
    assert (transcript["status"], len(transcript["turns"])) == ("completed", 1)


def test_a_webhook_and_its_registration_at_once_never_miss_each_other(elevenlabs, api, call):
    for n in range(15):
        sid = f"{call['call_sid']}_{n}"
        body = payload("transcription_docs_sample", f"conv_{sid}")
        with ThreadPoolExecutor(2) as threads:
            webhook = threads.submit(elevenlabs.post_call, body)
            new = {"call_sid": sid, "conversation_id": f"conv_{sid}"}
            registration = threads.submit(api, "POST", "/api/calls/", json=new)
        assert registration.result().status_code == 201
        assert webhook.result().status_code in (200, 404)
        assert api("GET", f"/api/calls/{sid}/").json()["status"] == "completed"


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "😀", "é" * 1000])
def test_odd_text_is_stored(elevenlabs, api, call, text):
    body = payload("transcription_docs_sample", call["conversation_id"])
    body["data"]["analysis"]["transcript_summary"] = text
    body["data"]["metadata"] |= {"cost_fiat": 0.1, "call_duration_secs": 12.5, text: text}
    assert elevenlabs.post_call(body).status_code == 200
    stored = api("GET", f"/api/calls/{call['call_sid']}/").json()
    assert stored["transcript_summary"] == text.replace("\x00", "�").replace("\ud800", "�")
    assert (stored["cost_usd"], stored["call_duration_seconds"]) == (0.1, 12.5)
    assert elevenlabs.post_call(b"[" * 100_000).status_code == 400


def test_search_finds_what_was_said_and_no_secret_of_a_tool(elevenlabs, api, call):
    mark = call["call_sid"].removeprefix("EL_")
    body = payload("transcription_docs_sample", call["conversation_id"])
    headers = {"Authorization": f"Bearer tool-{mark}"}
    said = [{"role": "agent", "message": f"The Größe of {mark}, please", "tool_calls": [{"headers": headers}]}]
    body["data"] |= {"transcript": said, "user_id": None}
    body["data"]["analysis"]["transcript_summary"] = f"See https://x.example/?token=url-{mark}"
    assert elevenlabs.post_call(body).status_code == 200

    def found(text):
        return [one["call_sid"] for one in api("GET", "/api/calls/", params={"search": text}).json()["results"]]

    for text in (f"Größe of {mark}", f"OF {mark}", "x.example/?tok"):
        assert call["call_sid"] in found(text), text
    for guess in (f"tool-{mark[:4]}", f"url-{mark[:4]}", "Bearer tool", "Authorization"):
        assert found(guess) == [], guess


def test_the_list_is_filtered_and_searched(api, call):
    query = f"search={call['call_sid'].lower()}&status=in_progress&started_after=2020-01-01T00:00:00Z"
    found = api("GET", f"/api/calls/?{query}").json()["results"]
    assert [one["call_sid"] for one in found] == [call["call_sid"]]


def test_no_address_query_or_header_is_answered_by_a_fault(web, elevenlabs, call):
    """callsite/tests/test_hostile_requests.py asks PostgreSQL the same."""
    assert elevenlabs.post_call(payload("audio_small_mp3", call["conversation_id"])).status_code == 200
    with httpx.Client(base_url=web.url, timeout=30, trust_env=False) as browser:
        csrf = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get("/login/").text)[1]
        login = {"username": "admin", "password": PASSWORD, "csrfmiddlewaretoken": csrf}
        assert browser.post("/login/", data=login).status_code == 302
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        headers = {"X-CSRFToken": browser.cookies["csrftoken"], "Content-Type": "application/json"}
        visitor = Visitor(browser, {"Cookie": cookie, **headers})
        for day in ("9999-12-31", "0001-01-01", "99999999999999999999-01-01"):
            assert visitor.ask("GET", f"/admin/calls/call/?started_from={day}&started_to={day}") == 200, day
        for day in ("9999-12-31+23:59:59-14:00", "0001-01-01T00:00:00%2B14:00"):
            path = f"/admin/webhooks/webhookdelivery/?received_at__gte={day}"
            assert visitor.ask("GET", path) == 302, "to the list without it"
        group = {"headers": {"Content-Type": FORM}, "content": f"name=a&permissions={2**63}"}
        assert visitor.ask("POST", "/admin/auth/group/add/", **group) == 400
        for under in ("/api/calls/", "/admin/calls/call/", "/admin/auth/user/"):
            visit(visitor, call["call_sid"], seed=1, each=1, under=under)
        assert visitor.ask("GET", f"/api/calls/{call['call_sid']}/recording/") == 200, "it was signed in to the end"
    assert visitor.faults == []
    assert "Traceback" not in web.log


def test_the_list_is_exported_and_its_numbers_are_counted(web, elevenlabs, api, call):
    elevenlabs.turn(call_sid=call["call_sid"], speaker="agent", message="=1+1")
    with httpx.Client(base_url=web.url, trust_env=False) as browser:
        browser.get("/login/")
        csrf = browser.cookies["csrftoken"]
        login = {"username": "admin", "password": PASSWORD, "csrfmiddlewaretoken": csrf}
        assert browser.post("/login/", data=login).status_code == 302
        file = browser.get(f"/admin/calls/call/export/?rows=turns&q={call['call_sid']}")
        assert file.status_code == 200
        assert file.content.decode("utf-8-sig").startswith('"Call SID",')
        assert f'"{call["call_sid"]}"' in file.text
        assert '"\'=1+1"' in file.text
        assert len(file.text.splitlines()) == 2
        assert "Numbers" in browser.get("/admin/calls/call/numbers/").text
