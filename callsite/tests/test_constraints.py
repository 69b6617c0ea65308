"""What the database itself refuses, whoever writes: identifiers, numbers, states."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from calls.models import Call, CallRecording, CallTranscription
from calls.turns import record_turn
from webhooks.models import WebhookDelivery

pytestmark = pytest.mark.usefixtures("on_postgresql")  # which names the constraint in its refusal


def refused(constraint, model, **fields):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        model.objects.bulk_create([model(**fields)])


@pytest.fixture
def known(db):
    return Call.register(call_sid="EL_1", conversation_id="conv_1")


def test_identifiers_are_unique(known):
    refused("call_sid", Call, call_sid="EL_1")
    refused("conversation_id", Call, call_sid="EL_2", conversation_id="conv_1")
    Call.objects.bulk_create([Call(call_sid="EL_3"), Call(call_sid="EL_4")])  # without a conversation: any number


def test_identifiers_are_not_empty(db):
    refused("call_sid_not_empty", Call, call_sid="")
    refused("call_conversation_id_not_empty", Call, call_sid="EL_1", conversation_id="")


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("call_status_known", {"status": "ringing", "final_sequence_number": 0}),
        ("call_ended_or_in_progress", {"status": "completed"}),
        ("call_ended_or_in_progress", {"status": "failed"}),
        ("call_ended_or_in_progress", {"status": "in_progress", "final_sequence_number": 0}),
        ("call_final_not_above_last", {"status": "completed", "final_sequence_number": 1}),
        ("call_duration_not_negative", {"call_duration_seconds": -1}),
        ("last_sequence_number", {"last_sequence_number": -1}),
    ],
)
def test_a_call_is_in_one_sane_state(db, constraint, fields):
    refused(constraint, Call, call_sid="EL_1", **fields)


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("turn_number_unique_in_call", {"sequence_number": 1}),
        ("turn_id_unique_in_call", {"sequence_number": 2, "turn_id": "t-1"}),
        ("turn_number_from_one", {"sequence_number": 0}),
        ("turn_speaker_known", {"sequence_number": 2, "speaker_type": "user"}),
    ],
)
def test_turns_are_numbered_once_from_one_and_by_a_known_speaker(known, constraint, fields):
    record_turn(known, speaker_type="agent", message_text="Hello", turn_id="t-1")
    turn = {"speaker_type": "agent", "message_text": "x", "timestamp": timezone.now()} | fields
    refused(constraint, CallTranscription, call=known, **turn)


def test_a_call_has_one_recording(known):
    recording = {"call": known, "file": "a.mp3", "size_bytes": 1, "sha256": "0" * 64, "event_time": timezone.now()}
    CallRecording.objects.create(**recording)
    refused("call_id", CallRecording, **recording)


def test_a_post_call_body_is_one_delivery_and_its_outcome_a_known_one(db):
    delivery = {"digest": "0" * 64, "body": b"", "size_bytes": 0, "answer_status": 200, "answer_body": {}}
    delivery["received_at"] = timezone.now()
    for route in ("post-call", "transcription", "transcription"):
        WebhookDelivery.objects.create(route=route, outcome="applied", **delivery)
    refused("delivery_once_by_digest", WebhookDelivery, route="post-call", outcome="applied", **delivery)
    refused("delivery_outcome_known", WebhookDelivery, route="transcription", outcome="lost", **delivery)
