"""What would happen to a delivery that is applied again is foreseen without a write, and then it happens so."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from calls.models import Call
from conftest import payload
from webhooks import foreseeing
from webhooks.foreseeing import foresee
from webhooks.inbox import apply_again, receive
from webhooks.models import WebhookDelivery


def received(route, body):
    receive(route, body if isinstance(body, bytes) else json.dumps(body).encode())
    return WebhookDelivery.objects.latest("id")


def post_call(name, conversation_id="conv_1", **changes):
    return received("post-call", payload(name, conversation_id) | changes)


def later(conversation_id="conv_1"):
    """A call that is there by now, which the deliveries that wait for it do not know."""
    return Call.objects.bulk_create([Call(call_sid=f"EL_{conversation_id}", conversation_id=conversation_id)])[0]


def turn(**more):
    return received("transcription", {"conversation_id": "conv_1", "speaker": "agent", "message": "Hello"} | more)


INIT = {"caller_id": "+1", "agent_id": "a", "called_number": "+2", "call_sid": "CA1", "conversation_id": "conv_1"}
HISTORY = {"conversation_id": "conv_1", "history": {"entries": [{"role": "agent", "message": "Hello"}]}}
KINDS = {
    "transcription": (lambda: post_call("transcription_docs_sample"), "applied", "Completes the call."),
    "failed conversation": (lambda: post_call("transcription_status_failed"), "applied", "The call becomes failed."),
    "failure": (lambda: post_call("failure_twilio"), "applied", "The call becomes failed."),
    "audio": (lambda: post_call("audio_small_mp3"), "applied", "Keeps the recording."),
    "machine": (lambda: post_call("answering_machine_detected"), "applied", "Notes who answered: machine."),
    "turn": (turn, "applied", "Stores the turn."),
    "history": (lambda: received("transcription", HISTORY), "applied", "Stores what of its 1 sentences"),
}


def foreseen(delivery):
    """And nothing but reads are sent to the database."""
    with CaptureQueriesContext(connection) as captured:
        seen = foresee(WebhookDelivery.objects.get(pk=delivery.pk))
    assert len(captured) <= 6
    for query in captured:
        assert query["sql"].lstrip().upper().startswith("SELECT"), query["sql"]
        assert "FOR UPDATE" not in query["sql"]
        assert "FOR NO KEY" not in query["sql"]
        assert "advisory" not in query["sql"]
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_foreseen_for_a_delivery_whose_call_is_there_by_now_happens(db, settings, kind):
    make, outcome, text = KINDS[kind]
    delivery = make()
    assert delivery.outcome == "unmatched"
    waiting = foreseen(delivery)
    assert waiting.outcome == "unmatched"
    assert waiting.text.startswith("Goes on waiting for a call named conv_1")
    call = later()
    seen = foreseen(delivery)
    assert (seen.outcome, seen.call) == (outcome, call)
    assert seen.text.startswith(text)
    before = dict(Call.objects.values().get())
    done = apply_again(delivery)
    assert (done.outcome, done.call_id) == (outcome, call.pk)
    call.refresh_from_db()
    ends = {"Completes the call.": "completed", "The call becomes failed.": "failed"}
    assert call.status == ends.get(text, before["status"])
    if kind in ("transcription", "audio", "turn"):
        assert foreseen(done).text.startswith("Changes nothing")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "machine"])
def test_where_calls_may_be_made_that_is_foreseen(db, settings, kind):
    delivery = KINDS[kind][0]()
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = True
    assert foreseen(delivery) == ("applied", "Makes a call, as there is none with its names.", None)
    assert apply_again(delivery).outcome == "applied"
    assert Call.objects.count() == 1


def test_a_machine_detection_makes_no_call(db, settings):
    delivery = KINDS["machine"][0]()
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = True
    assert foreseen(delivery).outcome == apply_again(delivery).outcome == "unmatched"


def test_what_was_rejected_or_ignored_stays_so_and_says_why(db):
    odd = received("post-call", b"<script>not JSON")
    ignored = received("post-call", payload("event_speech_to_text_transcription"))
    assert foreseen(odd).outcome == apply_again(odd).outcome == "rejected"
    assert "JSON" in foreseen(odd).text
    assert foreseen(ignored).outcome == apply_again(ignored).outcome == "ignored"


def test_older_news_change_nothing_and_newer_ones_refresh(db):
    call = Call.register(call_sid="EL_1", conversation_id="conv_1")
    old = post_call("transcription_docs_sample")
    event_time = payload("transcription_docs_sample")["event_timestamp"]
    new = post_call("transcription_docs_sample", event_timestamp=event_time + 60)
    assert foreseen(old).text == "Changes nothing: this transcription, or a newer one, was applied."
    Call.objects.filter(pk=call.pk).update(transcription_time=call.created_at.replace(year=2000))
    assert foreseen(new).text == "Refreshes the data of the call."
    assert foreseen(post_call("failure_twilio")).text.startswith("Adds who took part, at most")


def test_two_rows_that_are_one_call_are_foreseen(db):
    delivery = received(
        "transcription", {"call_sid": "EL_1", "conversation_id": "c", "speaker": "user", "message": "x"}
    )
    Call.objects.bulk_create([Call(call_sid="EL_1"), Call(call_sid="c", conversation_id="c", name_rank=0)])
    assert "2 rows turn out to be one call and become one." in foreseen(delivery).text
    assert apply_again(delivery).outcome == "applied"
    assert Call.objects.count() == 1


def test_an_initiation_is_foreseen(db):
    received("conversation-init", INIT)
    delivery = WebhookDelivery.objects.latest("id")
    assert foreseen(delivery).text.startswith("The call learns its numbers")


def test_a_large_body_is_not_looked_into(db):
    body = payload("transcription_docs_sample", "conv_1")
    body["data"]["metadata"]["padding"] = "x" * 2**20
    delivery = received("post-call", body)
    assert foreseen(delivery).text == "It is too large to be looked into here; apply it to see."


def test_a_fault_of_ours_is_told_and_stops_no_page(db, monkeypatch):
    delivery = post_call("transcription_docs_sample")
    monkeypatch.setattr(foreseeing, "read", lambda _: 1 / 0)
    assert foreseen(delivery).outcome == "failed"
    assert "ZeroDivisionError" in foreseen(delivery).text
