"""A kept delivery can be applied again at any time, whatever came of it before, without doing anything twice."""

from __future__ import annotations

import pytest

from calls.models import Call
from conftest import payload
from webhooks.inbox import apply_again
from webhooks.models import WebhookDelivery


@pytest.mark.parametrize("name", ["transcription_docs_sample", "failure_twilio", "audio_small_mp3"])
def test_an_applied_delivery_changes_nothing_but_its_count(site, call, name):
    site.post_call(payload(name, call.conversation_id))
    call.refresh_from_db()
    before = {field.name: getattr(call, field.name) for field in call._meta.concrete_fields}
    for times in (2, 3):
        delivery = apply_again(WebhookDelivery.objects.get())
        assert (delivery.outcome, delivery.times_applied, delivery.times_received) == ("applied", times, 1)
    call.refresh_from_db()
    assert {field.name: getattr(call, field.name) for field in call._meta.concrete_fields} == before


def test_a_recording_that_is_applied_again_is_one_file(site, call, settings):
    site.post_call(payload("audio_small_mp3", call.conversation_id))
    for _ in range(2):
        apply_again(WebhookDelivery.objects.get())
    (file,) = [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]
    assert file.samefile(call.recording.file.path)


def test_a_turn_that_waited_is_stored_once_however_often_it_is_applied(site):
    for text in ("one", "two"):
        site.turn(call_sid="EL_x", speaker="agent", message=text)
    call = Call.register(call_sid="EL_x")
    for delivery in WebhookDelivery.objects.order_by("-id"):
        assert apply_again(delivery).outcome == "applied"
    turns = call.transcriptions.order_by("sequence_number").values_list("sequence_number", "message_text")
    assert list(turns) == [(1, "one"), (2, "two")]


def test_an_unmatched_delivery_goes_on_waiting(site):
    site.post_call(payload("transcription_docs_sample", "conv_nobody"))
    delivery = apply_again(WebhookDelivery.objects.get())
    assert (delivery.outcome, delivery.times_applied) == ("unmatched", 0)
    Call.register(call_sid="EL_1", conversation_id="conv_nobody")
    assert Call.objects.get().status == "completed"


def test_an_unmatched_turn_that_now_may_create_its_call_is_stored_once(site, settings):
    site.turn(call_sid="EL_x", conversation_id="conv_x", speaker="agent", message="Hello")
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = True
    assert apply_again(WebhookDelivery.objects.get()).outcome == "applied"
    assert Call.objects.get().transcriptions.count() == 1


def test_a_rejected_delivery_is_rejected_again_with_its_reason(site):
    site.post_call(b"not json")
    delivery = apply_again(WebhookDelivery.objects.get())
    assert (delivery.outcome, delivery.answer_status) == ("rejected", 400)
    assert "not JSON" in delivery.error


def test_an_older_transcription_that_is_applied_again_takes_nothing_back(site, call):
    body = payload("transcription_docs_sample", call.conversation_id)
    site.post_call(body)
    body["event_timestamp"] += 60
    body["data"]["analysis"]["transcript_summary"] = "Refreshed."
    site.post_call(body)
    apply_again(WebhookDelivery.objects.earliest("id"))
    call.refresh_from_db()
    assert call.transcript_summary == "Refreshed."
