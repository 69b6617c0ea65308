"""A storage that takes its time for recordings: nothing else waits for it, and a recording is answered in time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from calls import recordings
from calls.models import Call, CallRecording
from conftest import payload, register_call
from webhooks.models import WebhookDelivery
from webhooks.views import PostCall


@pytest.fixture
def storage(monkeypatch):
    """It takes a recording, and writes it when the event says so."""
    go_on, taken = threading.Event(), threading.Semaphore(0)
    store = recordings.store

    def slowly(name, content):
        taken.release()
        assert go_on.wait(20)
        return store(name, content)

    monkeypatch.setattr(recordings, "store", slowly)
    go_on.taken = taken
    yield go_on
    go_on.set()


@pytest.fixture
def threads(storage):
    with ThreadPoolExecutor(40) as threads:
        yield threads
        storage.set()


def test_nothing_else_waits_for_recordings_that_are_slow_to_store(site, storage, threads):
    calls = [register_call() for _ in range(12)]
    other = register_call()
    sent = [threads.submit(site.post_call, payload("audio_small_mp3", call.conversation_id)) for call in calls]
    assert storage.taken.acquire(timeout=5)
    assert threads.submit(site.init, call_sid="CA_1").result(4).status_code == 200
    assert Call.objects.filter(call_sid="CA_1").exists(), "registered, not merely answered"
    assert (
        threads.submit(site.turn, call_sid=other.call_sid, speaker="agent", message="Hello").result(4).status_code
        == 201
    )
    for name in ("failure_bare", "transcription_docs_sample"):
        body = payload(name, other.conversation_id)
        assert threads.submit(site.post_call, body).result(4).status_code == 200
    assert not any(future.done() for future in sent)
    storage.set()
    assert {future.result(15).status_code for future in sent} == {200}
    assert CallRecording.objects.count() == len(calls)


def test_a_recording_that_takes_too_long_is_answered_500_stores_no_row_and_is_taken_when_it_comes_again(
    site, call, storage, threads, monkeypatch
):
    monkeypatch.setattr(PostCall, "longest_seconds", 0.5)
    body = payload("audio_small_mp3", call.conversation_id)
    assert site.post_call(body).status_code == 500
    monkeypatch.undo()
    storage.set()
    assert site.post_call(body).status_code == 200
    assert CallRecording.objects.get().call == call
    delivery = WebhookDelivery.objects.get()
    assert (delivery.outcome, delivery.times_received) == ("applied", 1), "the first one left nothing"
