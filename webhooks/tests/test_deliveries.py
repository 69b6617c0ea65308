"""Deliveries: every verified request is kept as it came, and a repeat is recognised by its bytes."""

from __future__ import annotations

import hashlib
import json
import time

import pytest

from conftest import payload, sign
from webhooks.models import WebhookDelivery


def test_a_delivery_is_kept_byte_for_byte(site, call):
    body = payload("transcription_full_featured", call.conversation_id)
    raw = b"\n " + json.dumps(body, indent=2, ensure_ascii=False).encode() + b" \r\n"
    assert site.post_call(raw).status_code == 200
    delivery = WebhookDelivery.objects.get()
    assert bytes(delivery.body) == raw
    assert delivery.digest == hashlib.sha256(raw).hexdigest()
    assert delivery.size_bytes == len(raw)
    assert (delivery.route, delivery.event_type) == ("post-call", "post_call_transcription")
    assert (delivery.conversation_id, delivery.call) == (call.conversation_id, call)
    assert (delivery.outcome, delivery.error, delivery.times_applied) == ("applied", "", 1)
    assert delivery.applied_at >= delivery.received_at


def test_the_same_body_again_gets_the_same_answer_and_changes_nothing(site, call):
    body = payload("transcription_docs_sample", call.conversation_id)
    first = site.post_call(body)
    call.refresh_from_db()
    changed_at = call.updated_at
    raw = json.dumps(body).encode()
    for age_seconds in (0, 60, 600):  # a retry may be signed anew or not
        again = site.post_call(raw, signature=sign(raw, at=time.time() - age_seconds))
        assert (again.status_code, again.json()) == (200, first.json())
    call.refresh_from_db()
    assert call.updated_at == changed_at
    delivery = WebhookDelivery.objects.get()
    assert (delivery.times_received, delivery.times_applied) == (4, 1)


def test_a_repeat_gets_the_first_answer_although_the_call_went_on(site, call):
    audio = payload("audio_small_mp3", call.conversation_id)
    first = site.post_call(audio)
    assert first.json()["call_status"] == "in_progress"
    site.post_call(payload("transcription_docs_sample", call.conversation_id))
    assert site.post_call(audio).json() == first.json()


def test_the_same_event_in_other_bytes_is_another_delivery_with_the_same_effect(site, call):
    body = payload("transcription_docs_sample", call.conversation_id)
    assert site.post_call(json.dumps(body).encode()).status_code == 200
    call.refresh_from_db()
    changed_at = call.updated_at
    assert site.post_call(json.dumps(body, indent=1).encode()).status_code == 200
    call.refresh_from_db()
    assert call.updated_at == changed_at
    assert WebhookDelivery.objects.count() == 2


@pytest.mark.parametrize(
    ("raw", "status", "outcome"),
    [
        (b'{"type": "voice_removed", "data": {"voice": 1}}', 200, "ignored"),
        (b'{"type": "no_such_type"}', 400, "rejected"),
        (b"not json at all \xff\x00", 400, "rejected"),
        (b"", 400, "rejected"),
        (b'{"type": "post_call_transcription", "event_timestamp": 1, "data": {}}', 400, "rejected"),
        (
            b'{"type": "call_initiation_failure", "event_timestamp": 1, "data": {"conversation_id": "x"}}',
            404,
            "unmatched",
        ),
    ],
)
def test_what_is_not_applied_is_kept_as_well_and_counted_when_it_comes_again(inbox, raw, status, outcome):
    for times in (1, 2, 3):
        response = inbox.post_call(raw)
        assert response.status_code == status
        delivery = WebhookDelivery.objects.get()
        assert (bytes(delivery.body), delivery.outcome) == (raw, outcome)
        assert (delivery.times_received, delivery.times_applied) == (times, 0)
        assert (delivery.answer_status, delivery.answer_body) == (status, response.json())
        assert bool(delivery.error) == (outcome in ("rejected", "unmatched"))


def test_the_reason_of_a_refusal_stands_on_the_row(inbox):
    inbox.post_call(b'{"type": "post_call_transcription", "event_timestamp": 1, "data": {}}')
    assert WebhookDelivery.objects.get().error == "Missing required field: data.conversation_id"


def test_a_stored_turn_is_its_own_record(site, call):
    assert site.turn(call_sid=call.call_sid, speaker="agent", message="Hello").status_code == 201
    assert not WebhookDelivery.objects.exists()


def test_a_turn_that_was_not_stored_is_kept(site, call):
    site.turn(call_sid=call.call_sid, speaker="robot", message="Hello")
    site.turn(call_sid="EL_nobody", speaker="agent", message="Hello")
    kept = WebhookDelivery.objects.order_by("id").values_list("route", "outcome", "call_sid")
    assert list(kept) == [("transcription", "rejected", ""), ("transcription", "unmatched", "EL_nobody")]
