"""Large bodies come through byte for byte, a few at a time, and cost neither memory nor other calls' turns."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from calls.models import Call
from calls.per_loop import PerLoop
from conftest import ElevenLabs, payload, register_call, server_env, sign
from lab.stack.webserver import WebServer
from webhooks import inbox, large_bodies
from webhooks.errors import NotRead
from webhooks.models import WebhookDelivery

MIB = 2**20
COUNT, SIZE = 4, 16 * MIB


def recording(call, content):
    body = payload("audio_small_mp3", call.conversation_id)
    body["data"]["full_audio"] = base64.b64encode(content).decode()
    return json.dumps(body).encode()


def transcription(call, size):
    """Its text is said in many turns, as a long call's is."""
    body = payload("transcription_docs_sample", call.conversation_id)
    turn = {"role": "user", "message": "hello world " * 20, "time_in_call_secs": 3}
    body["data"]["transcript"] = [turn] * (size // len(json.dumps(turn)))
    return json.dumps(body).encode()


def post_call(url, body):
    """With a client of its own, as several threads send at once."""
    elevenlabs = ElevenLabs(url)
    with elevenlabs.client:
        return elevenlabs.post_call(body)


@pytest.fixture
def own(transactional_db, only_postgresql, starts_programs):
    """callsite in a process of its own, on the tests' database: its memory is that of the bodies alone."""
    database = os.environ["DATABASE_URL"].rsplit("/", 1)[0] + "/" + connection.settings_dict["NAME"]
    with WebServer(server_env(database)) as web:
        yield web
        web.terminate()


class Watch:
    """The most memory that a web process has."""

    def __init__(self, web):
        self.web, self.most, self.over = web, 0, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.wait(0.01):
            self.most = max(self.most, self.web.memory_bytes)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def test_several_at_once_take_three_times_their_size_at_most_and_turns_are_stored_meanwhile(own, settings, tmp_path):
    calls, talk = [register_call() for _ in range(COUNT)], register_call()
    bodies = [recording(call, os.urandom(SIZE // 4 * 3)) for call in calls]
    site = ElevenLabs(own.url)
    for _ in range(20):
        site.turn(call_sid=talk.call_sid, speaker="agent", message="Hello")
    before = own.memory_bytes
    with Watch(own) as watch, ThreadPoolExecutor(COUNT) as elevenlabs:
        forged = site.post_call(bodies[0], signature=sign(bodies[0], "another secret"))
        sent = [elevenlabs.submit(post_call, own.url, body) for body in bodies]
        turns = []
        while not all(one.done() for one in sent):
            turn = site.turn(call_sid=talk.call_sid, speaker="agent", message="Hello")
            turns.append((turn.status_code, turn.elapsed.total_seconds()))
    site.client.close()
    assert forged.status_code == 401
    assert [one.result().status_code for one in sent] == [200] * COUNT
    assert {status for status, _ in turns} == {201}
    assert max(seconds for _, seconds in turns) < 5
    assert watch.most - before < 3 * COUNT * SIZE
    assert own.memory_bytes - before < 2 * SIZE
    for call, body in zip(calls, bodies, strict=True):
        call.refresh_from_db()
        content = base64.b64decode(json.loads(body)["data"]["full_audio"])
        assert call.recording.sha256 == hashlib.sha256(content).hexdigest()
        delivery = WebhookDelivery.objects.get(call=call)
        assert (bytes(delivery.body) == body, delivery.digest) == (True, hashlib.sha256(body).hexdigest())


def test_large_transcriptions_are_parsed_one_after_another_and_take_six_times_the_size_of_one(own):
    calls = [register_call() for _ in range(COUNT)]
    post_call(own.url, transcription(register_call(), MIB))
    before = own.memory_bytes
    with Watch(own) as watch, ThreadPoolExecutor(COUNT) as elevenlabs:
        answers = list(elevenlabs.map(post_call, [own.url] * COUNT, [transcription(call, SIZE) for call in calls]))
    assert [answer.status_code for answer in answers] == [200] * COUNT
    assert watch.most - before < (6 + COUNT - 1) * SIZE  # the others are bytes meanwhile
    assert own.memory_bytes - before < 2 * SIZE


def test_a_large_body_is_bound_to_a_statement_and_never_part_of_its_text(transactional_db, call, only_postgresql):
    raw = recording(call, os.urandom(MIB))
    try:
        with CaptureQueriesContext(connection) as queries:
            assert inbox.receive(WebhookDelivery.Route.POST_CALL, raw).status == 200
    finally:
        connection.close()  # left open, it would let PostgreSQL bind the parameters of later tests too
    assert max(len(query["sql"]) for query in queries) < 10_000
    assert bytes(WebhookDelivery.objects.get().body) == raw


def test_a_large_body_again_is_counted_on_the_same_row(site, call):
    raw = recording(call, os.urandom(MIB))
    answers = [site.post_call(raw) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[0].json() == answers[1].json() == answers[2].json()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.times_received, delivery.times_applied, bytes(delivery.body)) == (3, 1, raw)


def test_a_large_recording_that_waits_for_its_call_is_applied_when_it_comes(site):
    content = os.urandom(MIB)
    unknown = Call(conversation_id="conv_unknown")
    assert site.post_call(recording(unknown, content)).status_code == 404
    call = Call.register(call_sid="EL_unknown", conversation_id="conv_unknown")
    with call.recording.file.open() as file:
        assert file.read() == content


def test_a_large_transcription_is_a_transcription(site, call):
    body = payload("transcription_docs_sample", call.conversation_id)
    words = {"role": "user", "message": 'He said "go on". ' * 70_000, "time_in_call_secs": 3}
    body["data"]["transcript"].append(words)
    assert site.post_call(body).status_code == 200
    call.refresh_from_db()
    assert call.final_transcript[-1]["message"] == words["message"]


@pytest.mark.parametrize("text", ["SUQz" * 400_000 + "!", "SUQz" * 400_000 + "é"])
def test_a_large_body_that_is_no_base64_is_refused_and_kept(site, call, text):
    body = payload("audio_small_mp3", call.conversation_id)
    body["data"]["full_audio"] = text
    answer = site.post_call(json.dumps(body, ensure_ascii=False).encode())
    assert (answer.status_code, answer.json()["details"]) == (400, "Field data.full_audio is not base64.")
    assert WebhookDelivery.objects.get().outcome == "rejected"


def test_a_large_body_whose_turn_does_not_come_is_told_when_to_come_again(site, call, monkeypatch, one_at_a_time):
    monkeypatch.setattr(large_bodies, "WAIT_SECONDS", 0.2)
    started, go_on = threading.Event(), threading.Event()
    receive = inbox.receive

    def slowly(route, body):
        started.set()
        go_on.wait(10)
        return receive(route, body)

    monkeypatch.setattr(inbox, "receive", slowly)
    first, second = (recording(call, os.urandom(MIB)) for _ in range(2))
    with ThreadPoolExecutor(1) as elevenlabs:
        under_way = elevenlabs.submit(post_call, site.url, first)
        started.wait(10)
        answer = site.post_call(second)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        small = site.post_call(payload("transcription_docs_sample", call.conversation_id))
        assert small.status_code == 200, "a small one does not wait for a large one"
        go_on.set()
        assert under_way.result().status_code == 200
    assert site.post_call(second).status_code == 200


@pytest.fixture
def one_at_a_time(monkeypatch):
    monkeypatch.setattr(large_bodies, "_turns", PerLoop(asyncio.Lock))


async def test_one_that_gave_up_waiting_leaves_the_turn_to_the_next(monkeypatch, one_at_a_time):
    monkeypatch.setattr(large_bodies, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(large_bodies.inbox, "receive", lambda route, body: time.sleep(0.3))
    route, outcomes = WebhookDelivery.Route.POST_CALL, []
    for _ in range(2):
        first = asyncio.create_task(large_bodies.take(route, b""))
        await asyncio.sleep(0.02)
        with pytest.raises(NotRead):
            await large_bodies.take(route, b"")
        outcomes.append(await first)
    assert outcomes == [None, None]
