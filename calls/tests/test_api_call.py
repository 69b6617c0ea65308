"""One call over REST: registered, read, and changed without touching what others change."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from calls.api.serializers import CallSerializer
from calls.models import Call
from calls.outcome import Parties, PostCallData

FIELDS = {
    *("call_sid", "conversation_id", "driver_id", "agent_id", "agent_name", "status", "direction", "from_number"),
    *("to_number", "call_start_time", "call_end_time", "call_duration_seconds", "cost", "cost_usd"),
    *("call_successful", "answered_by", "transcript_summary", "failure_reason", "analysis_data", "metadata_json"),
    *("has_recording", "dial_state", "last_sequence_number", "created_at", "updated_at"),
}


def complete(**told):
    """What a webhook does at the end of the call."""
    ended = datetime(2025, 11, 9, 18, 45, 11, tzinfo=UTC)
    parties = Parties(agent_id="agent_1")
    Call.objects.get().update_post_call_data(PostCallData(event_time=ended, cost=Decimal(531), parties=parties, **told))


def test_a_call_sid_is_made_when_none_is_given(writer):
    response = writer.post("/api/calls/", {"driver_id": "42"}, "json")
    assert response.status_code == 201
    assert re.fullmatch(r"EL_42_\d+_[\w-]{16}", response.json()["call_sid"])
    assert set(response.json()) == FIELDS
    assert (response.json()["status"], response.json()["conversation_id"]) == ("in_progress", None)


def test_what_is_given_is_kept_and_what_elevenlabs_tells_cannot_be_given(writer):
    given = {"call_sid": "EL_1", "conversation_id": "conv_1", "driver_id": "D", "agent_id": "A", "direction": "inbound"}
    given |= {"from_number": "+1", "to_number": "+2", "call_start_time": "2025-01-01T00:00:00Z"}
    told = {"status": "completed", "call_successful": True, "cost": 5, "last_sequence_number": 9, "metadata_json": {}}
    refused = writer.post("/api/calls/", given | told, "json")
    assert (refused.status_code, set(refused.json())) == (400, set(told))
    assert not Call.objects.exists()
    response = writer.post("/api/calls/", given, "json")
    assert response.status_code == 201
    assert {name: response.json()[name] for name in given} == given


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("2025-01-01T00:30:00.250+02:00", "2024-12-31T22:30:00.250000Z"),
        ("2025-01-01T00:00:00", "2025-01-01T00:00:00Z"),
    ],
)
def test_a_time_is_shown_in_utc_whatever_zone_it_came_in(writer, given, shown):
    made = writer.post("/api/calls/", {"call_sid": "EL_1", "call_start_time": given}, "json")
    read = writer.get("/api/calls/EL_1/")
    assert (made.json()["call_start_time"], read.json()["call_start_time"]) == (shown, shown)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"call_sid": "EL_1"}, "call_sid"),
        ({"conversation_id": "conv_1"}, "conversation_id"),
        ({"call_sid": "a\x00b"}, "call_sid"),
        ({"call_sid": "a\nb"}, "call_sid"),
        ({"call_sid": "x" * 256}, "call_sid"),
        ({"conversation_id": "a\x00b"}, "conversation_id"),
        ({"conversation_id": "x" * 256}, "conversation_id"),
        ({"driver_id": {}}, "driver_id"),
        ({"direction": "up"}, "direction"),
        ({"call_start_time": "soon"}, "call_start_time"),
        ({"from_number": "1" * 65}, "from_number"),
    ],
)
def test_what_is_wrong_or_taken_is_refused_by_field(writer, body, field):
    Call.register(call_sid="EL_1", conversation_id="conv_1")
    response = writer.post("/api/calls/", body, "json")
    assert response.status_code == 400
    assert list(response.json()) == [field]
    assert Call.objects.count() == 1


def test_a_lone_surrogate_is_refused(site, call, api):
    client = api("add_call")
    for name in ("call_sid", "conversation_id", "driver_id"):
        raw = b'{"%s": "a\\ud800"}' % name.encode()
        assert client.generic("POST", "/api/calls/", raw, "application/json").status_code == 400


@pytest.mark.parametrize("conversation_id", [None, ""])
def test_any_number_of_calls_may_have_no_conversation(writer, conversation_id):
    for n in range(2):
        body = {"call_sid": f"EL_{n}", "conversation_id": conversation_id}
        assert writer.post("/api/calls/", body, "json").status_code == 201


@pytest.mark.parametrize("identifier", ["EL_1", "conv_1"])
def test_a_call_is_read_by_either_identifier_with_numbers_as_numbers(reader, db, identifier):
    Call.register(call_sid="EL_1", conversation_id="conv_1", driver_id="D")
    complete(cost_usd=Decimal("0.25"), duration_seconds=Decimal("79.5"), metadata={"cost": 531})
    call = reader.get(f"/api/calls/{identifier}/").json()
    assert set(call) == FIELDS
    assert (call["cost"], call["cost_usd"], call["call_duration_seconds"]) == (531, 0.25, 79.5)
    assert isinstance(call["cost"], int)
    assert call["call_end_time"] == "2025-11-09T18:45:11Z"
    assert call["metadata_json"]["cost"] == 531


@pytest.mark.parametrize("identifier", ["EL_nope", "%00", "a%00b", "x" * 1000, "%F0%9F%98%80"])
def test_a_call_that_is_not_there_is_404(api, db, identifier):
    reader = api("view_call", "view_callrecording")
    for path in ("", "transcript/", "recording/"):
        response = reader.get(f"/api/calls/{identifier}/{path}")
        assert response.status_code == 404
        assert response.json()["detail"]


def test_a_patch_writes_what_was_sent_and_nothing_else(writer, db, monkeypatch):
    """A webhook that commits between the request's read and its write keeps what it wrote."""
    Call.register(call_sid="EL_1", conversation_id="conv_1", driver_id="D", agent_id="A")
    update = CallSerializer.update

    def webhook_in_between(self, instance, validated_data):
        complete()
        return update(self, instance, validated_data)

    monkeypatch.setattr(CallSerializer, "update", webhook_in_between)
    assert writer.patch("/api/calls/EL_1/", {"driver_id": "E"}, "json").status_code == 200
    call = Call.objects.get()
    assert (call.driver_id, call.status, call.cost) == ("E", "completed", 531)
    assert call.agent_id == "agent_1"


@pytest.mark.parametrize("body", [{"call_sid": "EL_2"}, {"conversation_id": "conv_taken"}, {"direction": "up"}])
def test_a_patch_that_is_wrong_is_refused(writer, db, body):
    Call.register(call_sid="EL_1")
    Call.register(call_sid="EL_taken", conversation_id="conv_taken")
    response = writer.patch("/api/calls/EL_1/", body, "json")
    assert response.status_code == 400
    assert list(response.json()) == list(body)


def test_what_cannot_be_written_or_is_not_known_is_refused_by_name(writer, db):
    Call.register(call_sid="EL_1")
    body = {"status": "completed", "cost": 1, "driver": "D", "driver_id": "D"}
    for answer in (writer.patch("/api/calls/EL_1/", body, "json"), writer.post("/api/calls/", body, "json")):
        assert (answer.status_code, set(answer.json())) == (400, {"status", "cost", "driver"})
        assert "can be read only" in answer.json()["status"][0]
        assert "driver_id" in answer.json()["driver"][0], "it says which there are"
    assert Call.objects.get().driver_id == ""
    assert (Call.objects.get().status, Call.objects.get().cost) == ("in_progress", None)
