"""Live turns: what a server tool may send, how it is stored, and what a repeat does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from calls.models import Call
from conftest import payload
from webhooks.models import WebhookDelivery


def test_a_turn_is_stored_and_numbered(site, call):
    before = timezone.now()
    response = site.turn(call_sid=call.call_sid, speaker="agent", message="Hello 😀")
    turn = call.transcriptions.get()
    assert response.status_code == 201
    assert response.json() == {
        "status": "success",
        "message": "Transcription stored successfully",
        "transcription_id": turn.pk,
        "sequence_number": 1,
    }
    assert (turn.sequence_number, turn.speaker_type, turn.message_text) == (1, "agent", "Hello 😀")
    assert before <= turn.timestamp <= timezone.now(), "without a timestamp it is the server's clock"
    assert site.turn(call_sid=call.call_sid, speaker="user", message="Hi").json()["sequence_number"] == 2
    call.refresh_from_db()
    assert call.last_sequence_number == 2


def test_user_is_stored_as_driver(inbox, call):
    inbox.turn(call_sid=call.call_sid, speaker="user", message="Hi")
    assert call.transcriptions.get().speaker_type == "driver"


@pytest.mark.parametrize(
    "body",
    [
        lambda call: {"call_sid": call.call_sid},
        lambda call: {"conversation_id": call.conversation_id},
        lambda call: {"call_sid": call.call_sid, "conversation_id": call.conversation_id},
        lambda call: {"call_sid": "", "conversation_id": call.conversation_id},
        lambda call: {"call_sid": "EL_unknown", "conversation_id": call.conversation_id},
        lambda call: {"conversation_id": call.call_sid, "call_sid": call.call_sid},
    ],
)
@pytest.mark.parametrize("enveloped", [False, True])
def test_either_identifier_flat_or_in_an_envelope_finds_the_call(inbox, call, body, enveloped):
    turn = body(call) | {"speaker": "agent", "message": "Hello", "timestamp": "", "turn_id": ""}
    response = inbox.turn(**({"parameters": turn, "tool_name": "live_transcript"} if enveloped else turn))
    assert response.status_code == 201, response.text
    assert call.transcriptions.count() == 1


def test_an_envelope_may_name_the_conversation_outside(inbox, call):
    inside = {"speaker": "agent", "message": "Hello", "call_sid": ""}
    assert inbox.turn(parameters=inside, conversation_id=call.conversation_id).status_code == 201


@pytest.mark.parametrize(
    ("timestamp", "wanted"),
    [
        ("2026-09-21T14:13:20Z", datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)),
        ("2026-09-21T14:13:20.678901+02:00", datetime(2026, 9, 21, 12, 13, 20, 678901, tzinfo=UTC)),
        ("2026-09-21T14:13:20", datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)),
        (1790000000, datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)),
    ],
)
def test_the_time_that_the_agent_tells_is_kept(inbox, call, timestamp, wanted):
    assert inbox.turn(call_sid=call.call_sid, speaker="agent", message="x", timestamp=timestamp).status_code == 201
    assert call.transcriptions.get().timestamp == wanted


def test_a_repeated_turn_id_gets_the_first_answer_and_no_second_row(site, call):
    first = site.turn(call_sid=call.call_sid, speaker="agent", message="Hello", turn_id="t-1")
    site.turn(call_sid=call.call_sid, speaker="user", message="Hi")
    again = site.turn(conversation_id=call.conversation_id, speaker="agent", message="Hello!", turn_id="t-1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert call.transcriptions.get(turn_id="t-1").message_text == "Hello"
    assert site.turn(call_sid=call.call_sid, speaker="agent", message="x").json()["sequence_number"] == 3


def test_a_turn_id_belongs_to_its_call(inbox, call):
    other = Call.register(call_sid="EL_other")
    for one in (call, other):
        response = inbox.turn(call_sid=one.call_sid, speaker="agent", message="Hello", turn_id="t-1")
        assert (response.status_code, response.json()["sequence_number"]) == (201, 1)


def test_the_same_words_without_a_turn_id_are_two_turns(inbox, call):
    for number in (1, 2):
        response = inbox.turn(call_sid=call.call_sid, speaker="user", message="Yes.")
        assert (response.status_code, response.json()["sequence_number"]) == (201, number)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"speaker": "robot"}, "speaker"),
        ({"speaker": None}, "speaker"),
        ({"speaker": ["agent"]}, "speaker"),
        ({"message": ""}, "message"),
        ({"message": " \n"}, "message"),
        ({"message": None}, "message"),
        ({"message": 5}, "message"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": True}, "timestamp"),
        ({"turn_id": "t" * 256}, "turn_id"),
        ({"turn_id": {}}, "turn_id"),
        ({"call_sid": None}, "call_sid or conversation_id"),
        ({"call_sid": 5}, "call_sid"),
        ({"call_sid": "x" * 256}, "call_sid"),
        ({"parameters": []}, "parameters"),
    ],
)
def test_a_turn_that_is_wrong_is_refused_with_the_fields_name(inbox, call, change, field):
    body = {"call_sid": call.call_sid, "speaker": "agent", "message": "Hello"} | change
    response = inbox.turn(**{name: value for name, value in body.items() if value is not None})
    assert (response.status_code, response.json()["message"]) == (400, "Invalid webhook payload")
    assert field in response.json()["details"]
    assert not call.transcriptions.exists()


def test_a_turn_of_an_unknown_call_is_answered_404_and_kept(site):
    response = site.turn(call_sid="EL_nobody", speaker="agent", message="Hello")
    assert response.status_code == 404
    assert response.json()["message"] == "Call not found for call_sid: EL_nobody"
    assert WebhookDelivery.objects.get().outcome == "unmatched"
    response = site.turn(conversation_id="conv_nobody", speaker="agent", message="Hello")
    assert response.json()["message"] == "Call not found for conversation_id: conv_nobody"


def test_nul_and_lone_surrogates_in_what_was_said_are_replaced(inbox, call):
    raw = b'{"call_sid": "%s", "speaker": "agent", "message": "a\\u0000b\\ud800c"}' % call.call_sid.encode()
    assert inbox.turn(raw).status_code == 201
    assert call.transcriptions.get().message_text == "a�b�c"


@pytest.mark.parametrize("ending", ["transcription_docs_sample", "failure_twilio"])
def test_a_turn_after_the_end_is_stored_and_leaves_the_end_where_it_was(site, call, ending):
    site.turn(call_sid=call.call_sid, speaker="agent", message="In time")
    site.post_call(payload(ending, call.conversation_id))
    call.refresh_from_db()
    status = call.status
    late = site.turn(call_sid=call.call_sid, speaker="agent", message="Too late")
    assert (late.status_code, late.json()["sequence_number"]) == (201, 2)
    call.refresh_from_db()
    assert (call.status, call.last_sequence_number, call.final_sequence_number) == (status, 2, 1)
