"""The post-call webhook as ElevenLabs sends it: what is answered, and what the call is afterwards."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from conftest import payload
from webhooks.models import WebhookDelivery


def test_successful_post_call_transcription_webhook_returns_200(site, call):
    body = payload("transcription_docs_sample", call.conversation_id)
    response = site.post_call(body)
    assert response.status_code == 200
    assert response.json() == {
        "status": "success",
        "message": "Call completion data processed successfully",
        "conversation_id": call.conversation_id,
        "call_sid": call.call_sid,
        "call_status": "completed",
    }
    call.refresh_from_db()
    assert call.status == "completed"
    assert call.call_successful is True
    assert (call.cost, call.call_duration_seconds) == (296, 22)
    assert call.transcript_summary == body["data"]["analysis"]["transcript_summary"]
    assert call.final_transcript == body["data"]["transcript"]


def test_successful_call_initiation_failure_webhook_returns_200(site, call):
    response = site.post_call(payload("failure_twilio", call.conversation_id))
    assert response.status_code == 200
    assert response.json() == {
        "status": "success",
        "message": "Call failure data processed successfully",
        "conversation_id": call.conversation_id,
        "call_sid": call.call_sid,
        "call_status": "failed",
    }
    call.refresh_from_db()
    assert (call.status, call.failure_reason) == ("failed", "busy")


def test_a_recording_is_stored_and_leaves_the_status_alone(site, call):
    response = site.post_call(payload("audio_small_mp3", call.conversation_id))
    assert response.status_code == 200
    assert response.json()["message"] == "Call recording stored successfully"
    assert response.json()["call_status"] == "in_progress"
    call.refresh_from_db()
    assert call.status == "in_progress"
    assert call.recording.size_bytes > 0


def test_invalid_webhook_payload_returns_400(site, call):
    body = payload("transcription_docs_sample", call.conversation_id)
    del body["data"]["conversation_id"]
    response = site.post_call(body)
    assert response.status_code == 400
    assert response.json() == {
        "status": "error",
        "message": "Invalid webhook payload",
        "details": "Missing required field: data.conversation_id",
    }
    call.refresh_from_db()
    assert call.status == "in_progress"


def test_conversation_id_not_found_returns_404(site):
    response = site.post_call(payload("transcription_docs_sample", "conv_nobody"))
    assert response.status_code == 404
    assert response.json()["status"] == "error"
    assert response.json()["message"] == "Call not found for conversation_id: conv_nobody"
    delivery = WebhookDelivery.objects.get()
    assert (delivery.outcome, delivery.conversation_id) == ("unmatched", "conv_nobody")


@pytest.mark.parametrize(
    ("event_timestamp", "wanted"),
    [
        (1739537297, datetime(2025, 2, 14, 12, 48, 17, tzinfo=UTC)),
        (1739537297.25, datetime(2025, 2, 14, 12, 48, 17, 250_000, tzinfo=UTC)),
        ("1739537297", datetime(2025, 2, 14, 12, 48, 17, tzinfo=UTC)),
        (1739537297000, datetime(2025, 2, 14, 12, 48, 17, tzinfo=UTC)),
        ("2025-02-14T12:48:17Z", datetime(2025, 2, 14, 12, 48, 17, tzinfo=UTC)),
        ("2025-02-14T14:48:17+02:00", datetime(2025, 2, 14, 12, 48, 17, tzinfo=UTC)),
        ("2025-02-14T12:48:17", datetime(2025, 2, 14, 12, 48, 17, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_timestamp_conversion_to_timezone_aware_datetime(inbox, call, event_timestamp, wanted):
    body = payload("transcription_docs_sample", call.conversation_id) | {"event_timestamp": event_timestamp}
    assert inbox.post_call(body).status_code == 200
    call.refresh_from_db()
    assert call.call_end_time == wanted
    assert call.call_end_time.tzinfo is not None
    assert call.call_end_time.utcoffset().total_seconds() == 0


@pytest.mark.parametrize("path", ["/webhooks/elevenlabs/post-call", "/webhooks/elevenlabs/post-call/"])
@pytest.mark.parametrize(
    "event_type", ["post_call_transcription_otel", "voice_removed", "speech_to_text_transcription"]
)
def test_what_other_products_send_is_kept_and_ignored(site, call, monkeypatch, path, event_type):
    monkeypatch.setattr("conftest.POST_CALL", path)
    body = {"type": event_type, "event_timestamp": 1, "data": {"conversation_id": call.conversation_id}}
    response = site.post_call(body)
    assert response.status_code == 200
    assert response.json() == {"status": "success", "message": "Event ignored", "type": event_type}
    call.refresh_from_db()
    assert call.status == "in_progress"
    assert WebhookDelivery.objects.get().outcome == "ignored"
