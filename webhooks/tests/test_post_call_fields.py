"""Where ElevenLabs puts what, and what an optional field of the wrong kind becomes."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from calls.models import Call
from conftest import payload


def post(inbox, call, *path, value):
    """A transcription with one field changed or added; the call afterwards."""
    body = payload("transcription_twilio_inbound_as_captured", call.conversation_id)
    holder = body["data"]
    for name in path[:-1]:
        holder = holder.setdefault(name, {})
    holder[path[-1]] = value
    response = inbox.post_call(body)
    assert response.status_code == 200, response.text
    call.refresh_from_db()
    return call


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        *(("success", True), ("failure", False), ("unknown", None), (True, True), (False, False), (None, None)),
        *(("partly", None), ("SUCCESS", None), ("", None), (1, None), ([], None), ({"success": True}, None)),
    ],
)
def test_call_successful_is_true_false_or_not_known(inbox, call, value, wanted):
    assert post(inbox, call, "analysis", "call_successful", value=value).call_successful is wanted


@pytest.mark.parametrize(
    "field", [("cost", "cost"), ("cost_fiat", "cost_usd"), ("call_duration_secs", "call_duration_seconds")]
)
@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        *((0, Decimal(0)), (296, Decimal(296)), (70.0, Decimal(70)), (0.1, Decimal("0.1")), (1e-7, Decimal("1E-7"))),
        *(
            (123456789.123, Decimal("123456789.123")),
            (None, None),
            ("296", None),
            (True, None),
            ([], None),
            (10**30, None),
        ),
    ],
)
def test_a_number_is_kept_as_sent_and_anything_else_is_null(inbox, call, field, value, wanted):
    call = post(inbox, call, "metadata", field[0], value=value)
    stored = getattr(call, field[1])
    assert stored == wanted
    assert type(stored) is type(wanted)
    assert call.metadata_json[field[0]] == value, "and the object is whole"


def test_a_negative_duration_is_null_and_a_negative_cost_is_a_refund(inbox, call):
    call = post(inbox, call, "metadata", value={"call_duration_secs": -1, "cost": -5})
    assert (call.call_duration_seconds, call.cost) == (None, -5)


@pytest.mark.parametrize("field", ["analysis", "metadata", "transcript", "conversation_initiation_client_data"])
@pytest.mark.parametrize("value", [None, "text", 5, True])
def test_a_whole_part_of_the_wrong_kind_is_null(inbox, call, field, value):
    call = post(inbox, call, field, value=value)
    assert call.status == "completed"
    stored = {"analysis": call.analysis_data, "metadata": call.metadata_json, "transcript": call.final_transcript}
    assert stored.get(field) is None


def test_unknown_keys_of_whole_objects_are_kept(inbox, call):
    metadata = {"call_duration_secs": 1, "new": {"deep": [1, None, "é", 0.1]}, "": "empty"}
    assert post(inbox, call, "metadata", value=metadata).metadata_json == metadata


def test_the_start_is_kept_where_the_call_had_one(inbox):
    started = datetime(2025, 1, 1, tzinfo=UTC)
    known = Call.register(call_sid="EL_1", conversation_id="conv_1", call_start_time=started)
    unknown = Call.register(call_sid="EL_2", conversation_id="conv_2")
    for call in (known, unknown):
        post(inbox, call, "metadata", "start_time_unix_secs", value=1762713827)
    assert known.call_start_time == started
    assert unknown.call_start_time == datetime(2025, 11, 9, 18, 43, 47, tzinfo=UTC)


@pytest.mark.parametrize("value", ["soon", -1, 10**18, [], True, None])
def test_a_start_that_is_no_time_is_null(inbox, call, value):
    assert post(inbox, call, "metadata", "start_time_unix_secs", value=value).call_start_time is None


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("transcription_twilio_inbound_as_captured", ("inbound", "+15550100002", "+15550100001")),
        ("transcription_sip_trunk", ("outbound", "+15550100001", "+15550100003")),
        ("transcription_web_chat_no_phone_call", ("", "", "")),
        ("failure_twilio", ("outbound", "+11111111111", "+441111111111")),
        ("failure_sip", ("outbound", "+441111111111", "+11111111111")),
        ("failure_bare", ("", "", "")),
    ],
)
def test_direction_and_numbers_are_read_from_where_each_kind_has_them(inbox, call, name, wanted):
    assert inbox.post_call(payload(name, call.conversation_id)).status_code == 200
    call.refresh_from_db()
    assert (call.direction, call.from_number, call.to_number) == wanted


def test_what_was_known_before_stays_where_the_event_says_nothing(inbox):
    known = {"agent_id": "agent_1", "from_number": "+1555", "to_number": "+1666", "direction": "outbound"}
    call = Call.register(call_sid="EL_1", conversation_id="conv_1", driver_id="DRV_1", **known)
    body = payload("transcription_web_chat_no_phone_call", "conv_1")
    del body["data"]["agent_id"]
    assert inbox.post_call(body).status_code == 200
    call.refresh_from_db()
    assert {name: getattr(call, name) for name in known} == known
    assert call.driver_id == "DRV_1"


def test_a_failed_conversation_has_its_reason(inbox, call):
    body = payload("transcription_status_failed", call.conversation_id)
    inbox.post_call(body)
    call.refresh_from_db()
    assert call.failure_reason == body["data"]["metadata"]["error"]["reason"]
    assert call.call_end_time == datetime.fromtimestamp(body["event_timestamp"], UTC)


def test_why_a_completed_call_ended_is_no_failure(inbox, call):
    reason = "Call ended by remote party"
    assert post(inbox, call, "metadata", "termination_reason", value=reason).failure_reason == ""


def test_a_status_that_is_not_known_is_a_completed_call(inbox, call):
    assert post(inbox, call, "status", value="done_partially").status == "completed"


@pytest.mark.parametrize("has_it", ["null", "missing"])
def test_the_conversation_id_falls_back_to_the_system_variable(inbox, call, has_it):
    body = payload("transcription_twilio_inbound_as_captured", call.conversation_id)
    if has_it == "null":
        body["data"]["conversation_id"] = None
    else:
        del body["data"]["conversation_id"]
    response = inbox.post_call(body)
    assert (response.status_code, response.json()["conversation_id"]) == (200, call.conversation_id)
