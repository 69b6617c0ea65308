"""A fault of our own: an answer that says so in JSON, never a 200, never silence, and the next one works."""

from __future__ import annotations

import pytest
from django.db.models.signals import post_save

from calls.models import Call, CallRecording
from calls.postgres import turns as fast_turns
from calls.turns import turns_recorded
from conftest import payload
from webhooks import handlers
from webhooks.batching import outcomes
from webhooks.models import WebhookDelivery


@pytest.fixture
def broken():
    """Make whatever hears a signal fail; `broken(signal, sender)`, mended after the test."""
    connected = []

    def fail(**_):
        raise RuntimeError("made by the test, with a secret in it")

    def connect(signal, sender):
        signal.connect(fail, sender=sender, weak=False)
        connected.append((signal, sender))

    def mend():
        while connected:
            signal, sender = connected.pop()
            signal.disconnect(fail, sender=sender)

    connect.mend = mend
    yield connect
    mend()


def is_internal_error(response):
    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/json"
    assert set(response.json()) == {"status", "message", "details"}
    assert response.json()["message"] == "Internal server error"
    assert "secret" not in response.text
    return True


def test_a_fault_in_the_effect_of_a_webhook_is_kept_with_the_delivery(site, call, broken):
    broken(post_save, Call)
    body = payload("transcription_docs_sample", call.conversation_id)
    assert is_internal_error(site.post_call(body))
    delivery = WebhookDelivery.objects.get()
    assert delivery.outcome == "failed"
    assert "made by the test" in delivery.error
    broken.mend()
    assert site.post_call(body).status_code == 200


def test_a_fault_outside_of_the_effect_is_an_answer_still(site, call, broken):
    broken(post_save, WebhookDelivery)
    body = payload("audio_small_mp3", call.conversation_id)
    assert is_internal_error(site.post_call(body))
    assert not CallRecording.objects.exists(), "what is not answered 2xx is not committed"
    broken.mend()
    assert site.post_call(body).status_code == 200


def test_a_call_is_not_changed_where_its_delivery_cannot_be_kept(site, call, broken, monkeypatch):
    """Neither with others, whose deliveries are kept in one go, nor alone."""

    def fail(*_, **__):
        raise RuntimeError("made by the test, with a secret in it")

    broken(post_save, WebhookDelivery)
    body = payload("transcription_docs_sample", call.conversation_id)
    with monkeypatch.context() as patch:
        patch.setattr(outcomes, "insert_deliveries", fail)
        assert is_internal_error(site.post_call(body))
    call.refresh_from_db()
    assert call.status == "in_progress", "what is not answered 2xx is not committed"
    broken.mend()
    assert site.post_call(body).status_code == 200


def test_a_listener_that_fails_fails_no_turn(site, call, broken):
    broken(turns_recorded, None)
    assert site.turn(call_sid=call.call_sid, speaker="agent", message="Hello").status_code == 201
    assert call.transcriptions.count() == 1


def fail(*_, **__):
    raise RuntimeError("made by the test, with a secret in it")


def test_a_fault_in_the_batch_of_live_turns_costs_no_turn(site, call, monkeypatch):
    monkeypatch.setattr(fast_turns, "_parameters", fail)
    for number in (1, 2):
        answer = site.turn(call_sid=call.call_sid, speaker="agent", message="Hello")
        assert (answer.status_code, answer.json()["sequence_number"]) == (201, number)
    assert call.transcriptions.count() == 2


def test_a_fault_in_a_live_turn_is_answered_and_nothing_is_stored(site, call, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(fast_turns, "_parameters", fail)
        patch.setattr(handlers, "record_turns", fail)
        assert is_internal_error(site.turn(call_sid=call.call_sid, speaker="agent", message="Hello"))
    assert not call.transcriptions.exists()
    response = site.turn(call_sid=call.call_sid, speaker="agent", message="Hello")
    assert (response.status_code, response.json()["sequence_number"]) == (201, 1)
