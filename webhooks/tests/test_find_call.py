"""Which call a webhook is about, and what happens when there is none."""

from __future__ import annotations

import pytest

from calls.models import Call
from conftest import payload
from webhooks.models import WebhookDelivery


def names_sid(body, sid, where):
    data = body["data"]
    if where == "own variable":
        data["conversation_initiation_client_data"]["dynamic_variables"]["call_sid"] = sid
    elif where == "phone_call":
        data["metadata"]["phone_call"] = {"call_sid": sid, "direction": "inbound"}
    else:
        data["conversation_initiation_client_data"]["dynamic_variables"]["system__call_sid"] = sid
    return body


@pytest.mark.parametrize("where", ["own variable", "phone_call", "system variable"])
def test_a_call_without_a_conversation_is_found_by_its_call_sid_and_linked(inbox, where):
    Call.register(call_sid="EL_1")
    body = names_sid(payload("transcription_docs_sample", "conv_new"), "EL_1", where)
    response = inbox.post_call(body)
    assert (response.status_code, response.json()["call_sid"]) == (200, "EL_1")
    call = Call.objects.get()
    assert (call.conversation_id, call.status) == ("conv_new", "completed")


@pytest.mark.parametrize(("name", "key"), [("failure_twilio", "CallSid"), ("failure_sip", "call_sid")])
def test_a_failure_names_the_providers_call_sid(inbox, name, key):
    body = payload(name, "conv_new")
    call = Call.register(call_sid=body["data"]["metadata"]["body"][key])
    assert inbox.post_call(body).status_code == 200
    call.refresh_from_db()
    assert (call.conversation_id, call.status) == ("conv_new", "failed")


def test_a_call_that_has_another_conversation_is_not_taken_by_its_call_sid(inbox):
    Call.register(call_sid="EL_1", conversation_id="conv_own")
    body = names_sid(payload("transcription_docs_sample", "conv_other"), "EL_1", "own variable")
    assert inbox.post_call(body).status_code == 404
    call = Call.objects.get()
    assert (call.conversation_id, call.status) == ("conv_own", "in_progress")


def test_rows_that_turn_out_to_be_one_call_become_one_and_both_names_keep_working(inbox, call):
    Call.register(call_sid="EL_2")
    body = names_sid(payload("transcription_docs_sample", call.conversation_id), "EL_2", "own variable")
    assert inbox.post_call(body).json()["call_sid"] == call.call_sid
    assert Call.objects.get().status == "completed"
    assert Call.objects.get_by_identifier("EL_2") == call


def test_linking_applies_what_waited_for_the_conversation(inbox):
    Call.register(call_sid="EL_1")
    assert inbox.post_call(payload("audio_small_mp3", "conv_new")).status_code == 404
    assert inbox.post_call(
        names_sid(payload("transcription_docs_sample", "conv_new"), "EL_1", "own variable")
    ).status_code == 200  # fmt: skip
    assert Call.objects.get().recording.size_bytes
    assert set(WebhookDelivery.objects.values_list("outcome", flat=True)) == {"applied"}


class TestUnknownCallsAreCreated:
    @pytest.fixture(autouse=True)
    def setting(self, settings):
        settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = True

    def test_by_a_transcription(self, inbox):
        response = inbox.post_call(payload("transcription_docs_sample", "conv_new"))
        assert (response.status_code, response.json()["call_status"]) == (200, "completed")
        assert response.json()["call_sid"] == Call.objects.get(conversation_id="conv_new").call_sid

    def test_by_a_failure_with_the_providers_call_sid(self, inbox):
        body = payload("failure_twilio", "conv_new")
        assert inbox.post_call(body).status_code == 200
        call = Call.objects.get(conversation_id="conv_new")
        assert (call.status, call.call_sid) == ("failed", body["data"]["metadata"]["body"]["CallSid"])

    def test_by_a_recording(self, inbox):
        assert inbox.post_call(payload("audio_small_mp3", "conv_new")).json()["call_status"] == "in_progress"
        assert Call.objects.get(conversation_id="conv_new").recording.size_bytes

    def test_by_a_turn(self, inbox):
        for n in (1, 2):
            response = inbox.turn(call_sid="EL_new", speaker="agent", message="Hello")
            assert (response.status_code, response.json()["sequence_number"]) == (201, n)
        assert inbox.turn(conversation_id="conv_new", speaker="agent", message="Hello").status_code == 201
        assert Call.objects.count() == 2
        assert not WebhookDelivery.objects.exists()

    def test_never_under_a_call_sid_that_is_taken(self, inbox):
        Call.register(call_sid="EL_1", conversation_id="conv_own")
        body = names_sid(payload("transcription_docs_sample", "conv_new"), "EL_1", "own variable")
        assert inbox.post_call(body).json()["call_sid"] == "conv_new"
        assert Call.objects.get(call_sid="EL_1").status == "in_progress"

    def test_once_for_all_that_is_sent_about_it(self, inbox):
        for name in ("failure_twilio", "audio_small_mp3", "transcription_docs_sample", "transcription_docs_sample"):
            assert inbox.post_call(payload(name, "conv_new")).status_code == 200
        call = Call.objects.get()
        assert (call.status, call.cost) == ("completed", 296)
