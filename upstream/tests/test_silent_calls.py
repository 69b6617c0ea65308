"""Before a silent call is ended, ElevenLabs is asked whether it goes on, and how it ended."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from calls.models import Call
from calls.registration import register
from calls.silence import asked_first, end_silent_calls
from upstream import patience, silent_calls
from upstream.silent_calls import ask_of

HOURS = 6
SILENT = "Nothing was heard of this call for 6 hours, so callsite ended it."


@pytest.fixture(autouse=True)
def elevenlabs(lonely_stub, transactional_db, monkeypatch):
    """No webhook of it arrives."""
    monkeypatch.setattr(patience, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(silent_calls, "PAUSES_SECONDS", 0.1)
    lonely_stub.behaviour.live = "none"
    return lonely_stub


def silent(conversation_id=None, hours=7, **fields):
    name = conversation_id or f"EL_{Call.objects.count()}"
    call, *_ = register(call_sid=f"sid_{name}", conversation_id=conversation_id, **fields)
    Call.objects.filter(pk=call.pk).update(created_at=timezone.now() - timedelta(hours=hours))
    return call


def over(stub, **fields):
    return silent(stub.call_agent().call.conversation_id, **fields)


def running(stub, **fields):
    conversation = stub.place(stub.new_conversation())
    conversation.status = "in-progress"
    return silent(conversation.call.conversation_id, **fields)


def status(call):
    call.refresh_from_db()
    return call.status, call.failure_reason


def test_a_call_that_goes_on_is_left_and_one_that_is_over_gets_its_conversation(elevenlabs):
    goes_on, is_over, forgotten = running(elevenlabs), over(elevenlabs), running(elevenlabs, hours=100)
    assert end_silent_calls(HOURS) == 0
    assert status(goes_on) == status(forgotten) == ("in_progress", "")
    assert status(is_over) == ("completed", "")
    assert is_over.final_transcript
    assert is_over.transcript_summary
    elevenlabs.conversations.clear()
    assert end_silent_calls(HOURS) == 2


def test_what_elevenlabs_does_not_have_is_ended_and_nobody_is_asked_about_calls_without_a_conversation(elevenlabs):
    unknown, nameless = silent("conv_unknown"), silent()
    assert end_silent_calls(HOURS) == 2
    assert status(unknown) == status(nameless) == ("failed", SILENT)
    assert [path for _, path, _ in elevenlabs.requests] == ["/v1/convai/conversations/conv_unknown"]


def test_a_dial_without_an_answer_is_found_by_its_call_sid(elevenlabs):
    call = silent(dial_state=Call.DialState.UNKNOWN, agent_id=elevenlabs.workspace.agent_id)
    conversation = elevenlabs.place(elevenlabs.new_conversation())
    conversation.client_data = {"dynamic_variables": {"call_sid": call.call_sid}}
    conversation.run(elevenlabs.callsite, threading.Event())
    assert end_silent_calls(HOURS) == 0
    assert status(call) == ("completed", "")


@pytest.mark.parametrize("fault", ["401", "429", "500", "drop", "garbage", "away", "no key at all"])
def test_where_elevenlabs_does_not_answer_calls_are_left_for_twice_the_hours(elevenlabs, settings, fault):
    url, key = settings.ELEVENLABS_API_URL, settings.ELEVENLABS_API_KEY
    lately, long_ago, nameless = over(elevenlabs), over(elevenlabs, hours=13), silent()
    if fault == "away":
        settings.ELEVENLABS_API_URL = "http://127.0.0.1:9"
    elif fault == "no key at all":
        settings.ELEVENLABS_API_KEY = "no key"
    else:
        elevenlabs.fail("conversations", fault, times=None)
    assert end_silent_calls(HOURS) == 2
    assert status(lately) == ("in_progress", "")
    assert status(long_ago) == status(nameless) == ("failed", SILENT)
    elevenlabs.faults.clear()
    settings.ELEVENLABS_API_URL, settings.ELEVENLABS_API_KEY = url, key
    assert end_silent_calls(HOURS) == 0
    assert status(lately) == ("completed", "")


def test_one_conversation_never_costs_another(elevenlabs):
    calls = [over(elevenlabs) for _ in range(3)]
    elevenlabs.fail(calls[1].conversation_id, "garbage", times=None)
    assert end_silent_calls(HOURS) == 0
    assert [status(call)[0] for call in calls] == ["completed", "in_progress", "completed"]


def test_what_there_is_no_time_to_ask_about_is_left_for_another_round(elevenlabs, monkeypatch):
    calls = [over(elevenlabs) for _ in range(3)]
    monkeypatch.setattr(silent_calls, "ASKING_SECONDS", 0.0)
    assert end_silent_calls(HOURS) == 0
    assert elevenlabs.requests == []
    monkeypatch.setattr(silent_calls, "ASKING_SECONDS", 60.0)
    end_silent_calls(HOURS)
    assert {status(call)[0] for call in calls} == {"completed"}


def test_without_a_key_nobody_is_asked(elevenlabs, settings):
    settings.ELEVENLABS_API_KEY = ""
    call = over(elevenlabs)
    assert end_silent_calls(HOURS) == 1
    assert status(call) == ("failed", SILENT)
    assert elevenlabs.requests == []


def test_nobody_is_asked_where_somebody_ends_a_call(elevenlabs, site, may):
    call = running(elevenlabs)
    token = may("view_call", "end_call")
    assert site.api("POST", f"/api/calls/{call.call_sid}/end/", token, json={"reason": "Over."}).status_code == 200
    assert status(call) == ("failed", "Over.")
    assert elevenlabs.requests == []


def test_the_room_registers_itself():
    assert asked_first == [ask_of]
