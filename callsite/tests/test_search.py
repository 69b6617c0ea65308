"""`search` has one meaning: in every language, on both databases, while a call runs and when it has ended."""

from __future__ import annotations

import uuid

import pytest
from django.contrib.auth import get_user_model
from rest_framework_simplejwt.tokens import AccessToken

from callsite.tests.conftest import PASSWORD
from callsite.tests.search_cases import CASES, NOTHING, NUMBERS
from conftest import ElevenLabs, payload
from lab.stack.webserver import WebServer


class Searched:
    """A callsite, and whoever searches there."""

    def __init__(self, elevenlabs, token):
        self.elevenlabs = elevenlabs
        self.headers = {"Authorization": f"Bearer {token}"}

    def register(self, **more):
        mark = uuid.uuid4().hex.translate(str.maketrans("0123456789", "ghijklmnop"))  # no number that is searched for
        body = {"call_sid": f"EL_{mark}", "conversation_id": f"conv_{mark}", **more}
        answer = self.elevenlabs.client.post("/api/calls/", json=body, headers=self.headers)
        assert answer.status_code == 201
        return body["call_sid"]

    def say(self, sid, text):
        assert self.elevenlabs.turn(call_sid=sid, speaker="user", message=text).status_code == 201

    def end(self, sid, *said):
        body = payload("transcription_minimal", sid.replace("EL_", "conv_"))
        body["data"]["transcript"] = [{"role": "user", "message": text} for text in said]
        assert self.elevenlabs.post_call(body).status_code == 200

    def fail(self, sid):
        assert self.elevenlabs.post_call(payload("failure_bare", sid.replace("EL_", "conv_"))).status_code == 200

    def found(self, text):
        answer = self.elevenlabs.client.get("/api/calls/", params={"search": text}, headers=self.headers)
        assert answer.status_code == 200, (text, answer.text)
        return {one["call_sid"] for one in answer.json()["results"]}

    def wrong(self, calls):
        """What is not found, and what is found and should not be. `calls`: what was told, by call."""
        told = CASES | NUMBERS
        missed = [(sid, text) for sid, case in calls.items() for text in told[case][0] if sid not in self.found(text)]
        return missed + [
            (sid, text) for sid, case in calls.items() for text in told[case][1] if sid in self.found(text)
        ]


@pytest.fixture(params=["PostgreSQL", "SQLite"])
def searched(request, only_postgresql, site):
    if request.param == "SQLite":
        return request.getfixturevalue("on_sqlite")
    searcher = get_user_model().objects.create_superuser("searcher", password=PASSWORD)
    return Searched(site, AccessToken.for_user(searcher))


@pytest.fixture(scope="module")
def on_sqlite(sqlite_env_in, tmp_path_factory):
    with WebServer(sqlite_env_in(tmp_path_factory.mktemp("sqlite"))) as web:
        elevenlabs = ElevenLabs(web.url)
        login = {"username": "admin", "password": PASSWORD}
        yield Searched(elevenlabs, elevenlabs.client.post("/api/token/", json=login).json()["access"])
        elevenlabs.client.close()


def test_what_is_said_live_is_found_while_the_call_runs_and_when_it_has_ended(searched):
    calls = {searched.register(): case for case in CASES}
    for sid, case in calls.items():
        searched.say(sid, case)
    assert searched.wrong(calls) == []
    for place, sid in enumerate(calls):
        if place % 2:
            searched.end(sid, "something else")
        else:
            searched.fail(sid)
    assert searched.wrong(calls) == []
    for sid in calls:
        searched.say(sid, f"too late{sid}")
        assert searched.found(f"too late{sid}") == {sid}


def test_what_the_final_transcript_says_is_found(searched):
    calls = {searched.register(): case for case in CASES}
    for sid, case in calls.items():
        searched.end(sid, "one moment", case)
    assert searched.wrong(calls) == []


def test_words_may_stand_in_turns_names_and_the_final_transcript(searched):
    sid = searched.register(driver_id="DRV/7.4 Süd")
    searched.say(sid, "first the quagmire")
    assert searched.found("quagmire DRV/7.4 süd") == searched.found(f"süd quagmire {sid[:9]}") == {sid}
    searched.say(sid, "then the 配達")
    assert searched.found("quagmire 配達 drv/7") == {sid}
    searched.end(sid, "and a zeppelin")
    searched.say(sid, "at last a yardarm")
    assert searched.found("yardarm zeppelin 配達 drv 7 quag") == {sid}
    assert searched.found("yardarm zeppelin 配達 drv 8 quag") == set()


def test_a_call_is_found_by_the_beginning_of_its_names_and_by_former_ones(searched):
    mark = uuid.uuid4().hex
    told = {"conversation_id": f"conv_{mark}", "agent_id": "agent_1", "caller_id": "+4940", "called_number": "+4930"}
    assert searched.elevenlabs.init(call_sid=f"CA/{mark}.x", **told).status_code == 200
    before = {f"conv_{mark[:8]}", f"CONV_{mark}", f"ca/{mark}", f"CA/{mark}.X", f"CA/{mark[:9]}"}
    assert [text for text in before if searched.found(text) != {f"CA/{mark}.x"}] == []
    answer = searched.elevenlabs.client.post(
        "/api/calls/",
        json={"call_sid": f"EL {mark}@here", "conversation_id": f"conv_{mark}"},
        headers=searched.headers,
    )
    assert answer.status_code == 200
    sid = answer.json()["call_sid"]
    texts = before | {f"EL {mark}", f"el {mark[:8]}", f"EL {mark}@here"}
    assert [text for text in texts if searched.found(text) != {sid}] == []


def test_numbers_are_found_however_they_are_typed(searched):
    calls = {searched.register(from_number=number): number for number in NUMBERS}
    assert searched.wrong(calls) == []
    for sid in calls:
        searched.end(sid, "goodbye")
    assert searched.wrong(calls) == []


def test_a_search_without_words_finds_only_the_name_that_it_is(searched):
    sid = searched.register(call_sid="–/–", driver_id="demurrage")
    searched.say(sid, "anything % with _ * 'signs' \\")
    for text in NOTHING:
        assert searched.found(text) == set(), text
    assert searched.found("–/–") == {sid}


def test_a_very_long_search_is_answered(searched):
    sid = searched.register(driver_id="longish")
    searched.say(sid, " ".join(f"word{n}" for n in range(100)))
    assert searched.found(" ".join(f"word{n}" for n in range(100))) == {sid}
    assert searched.found("longish " + "明日の配達を変更したい" * 400) == set()
    assert searched.found("(" * 3000 + "0 " * 3000 + "+1" * 2000) == set()
