"""Every sample body that `payloads/expected.json` lists: its answer, what is stored, and the same again."""

from __future__ import annotations

import base64
import copy
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from conftest import PAYLOADS, payload
from webhooks.models import WebhookDelivery

EXPECTED = json.loads((PAYLOADS / "expected.json").read_text())
LARGE = "transcription_large_2000_turns"
SAMPLES = sorted(name for name in EXPECTED if not name.startswith("invalid/"))
MESSAGES = {
    "post_call_transcription": "Call completion data processed successfully",
    "call_initiation_failure": "Call failure data processed successfully",
    "post_call_audio": "Call recording stored successfully",
    "answering_machine_detection": "Answering machine detection stored successfully",
}


def sample(name, conversation_id):
    """A sample body; the large one is made here."""
    if name != LARGE:
        told_of = "conversation_id" in payload(name).get("data", {})
        return payload(name, conversation_id if told_of else None)
    body = payload("transcription_docs_sample", conversation_id)
    body["data"]["transcript"] = [
        {**copy.deepcopy(body["data"]["transcript"][n % 3]), "message": f"Turn {n}. " + "x" * 400} for n in range(2000)
    ]
    return body


def test_every_sample_body_has_an_expectation():
    files = {path.stem for path in PAYLOADS.glob("*.json")} - {"expected"}
    assert files <= set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_body_is_answered_and_stored(site, call, name):
    body, expected = sample(name, call.conversation_id), EXPECTED[name]
    response = site.post_call(body)
    assert response.status_code == expected["answer"], response.text
    call.refresh_from_db()
    assert call.status == expected.get("status", "in_progress")
    if "status" in expected:
        assert response.json() == {
            "status": "success",
            "message": MESSAGES[body["type"]],
            "conversation_id": call.conversation_id,
            "call_sid": call.call_sid,
            "call_status": expected["status"],
        }
        STORED[body["type"]](call, body)
    if "call_successful" in expected:
        assert call.call_successful is expected["call_successful"]
    before = state_of(call)
    again = site.post_call(body)
    assert (again.status_code, again.json()) == (response.status_code, response.json())
    assert state_of(call) == before
    delivery = WebhookDelivery.objects.get()
    assert (delivery.times_received, delivery.times_applied) == (2, int("status" in expected))


def transcription_is_stored(call, body):
    data, metadata = body["data"], body["data"].get("metadata") or {}
    analysis = data.get("analysis")
    assert call.call_end_time == moment(body["event_timestamp"])
    assert call.call_start_time == moment(metadata.get("start_time_unix_secs"))
    assert call.call_duration_seconds == exactly(metadata.get("call_duration_secs"))
    assert call.cost == exactly(metadata.get("cost"))
    assert call.cost_usd == exactly(metadata.get("cost_fiat"))
    assert call.transcript_summary == ((analysis or {}).get("transcript_summary") or "")
    assert call.analysis_data == analysis
    assert call.metadata_json == data.get("metadata")
    assert call.final_transcript == data.get("transcript")
    assert call.agent_id == data.get("agent_id", "")
    assert call.agent_name == (data.get("agent_name") or "")
    assert call.transcriptions.count() == 0


def failure_is_stored(call, body):
    assert call.call_end_time == moment(body["event_timestamp"])
    assert call.failure_reason == body["data"]["failure_reason"]
    assert call.metadata_json == body["data"].get("metadata")
    assert call.agent_id == body["data"]["agent_id"]


def audio_is_stored(call, body):
    with call.recording.file.open() as file:
        assert file.read() == base64.b64decode(body["data"]["full_audio"])
    assert call.recording.event_time == moment(body["event_timestamp"])


def verdict_is_stored(call, body):
    assert call.answered_by == "machine"


STORED = {
    "post_call_transcription": transcription_is_stored,
    "call_initiation_failure": failure_is_stored,
    "post_call_audio": audio_is_stored,
    "answering_machine_detection": verdict_is_stored,
}


def state_of(call):
    call.refresh_from_db()
    return {field.name: getattr(call, field.name) for field in call._meta.concrete_fields}


def moment(seconds):
    return None if seconds is None else datetime.fromtimestamp(float(seconds), UTC)


def exactly(number):
    return None if number is None else Decimal(repr(number))
