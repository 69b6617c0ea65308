"""ElevenLabs asks before an inbound call is answered: the call is registered, the agent gets its variables."""

from __future__ import annotations

import pytest

from calls.models import Call
from conftest import payload
from webhooks.models import WebhookDelivery

ASKED = {
    "caller_id": "+15550100002",
    "agent_id": "agent_1",
    "called_number": "+15550100001",
    "call_sid": "CA00000000000000000000000000000a01",
}


def test_the_call_is_registered_and_the_variables_are_answered(site, settings):
    settings.ELEVENLABS_DYNAMIC_VARIABLES = {"company": "Acme", "call_sid": "not this one"}
    response = site.init(**ASKED)
    assert response.status_code == 200
    assert response.json() == {
        "type": "conversation_initiation_client_data",
        "dynamic_variables": {"company": "Acme", "call_sid": ASKED["call_sid"]},
    }
    call = Call.objects.get()
    assert (call.call_sid, call.status, call.direction) == (ASKED["call_sid"], "in_progress", "inbound")
    assert (call.from_number, call.to_number, call.agent_id) == ("+15550100002", "+15550100001", "agent_1")
    delivery = WebhookDelivery.objects.get()
    assert (delivery.route, delivery.outcome, delivery.call) == ("conversation-init", "applied", call)


def test_asked_again_it_answers_the_same_for_the_same_call(site):
    first, again = site.init(**ASKED), site.init(**ASKED, extra="new")
    assert (again.status_code, again.json()) == (200, first.json())
    assert Call.objects.count() == 1


def test_a_call_that_was_registered_before_keeps_what_it_had(site):
    Call.register(call_sid=ASKED["call_sid"], driver_id="DRV_1", from_number="+1999")
    assert site.init(**ASKED).status_code == 200
    call = Call.objects.get()
    assert (call.driver_id, call.from_number) == ("DRV_1", "+1999")


def test_the_post_call_webhook_finds_the_call_that_was_asked_about(site):
    site.init(**ASKED)
    body = payload("transcription_twilio_inbound_as_captured", "conv_new")
    assert body["data"]["metadata"]["phone_call"]["call_sid"] == ASKED["call_sid"]
    assert site.post_call(body).json()["call_sid"] == ASKED["call_sid"]
    assert Call.objects.get().status == "completed"


@pytest.mark.parametrize("call_sid", [None, "", "  ", 5, [], "x" * 256])
def test_without_a_call_sid_it_is_refused(site, call_sid):
    response = site.init(**ASKED | {"call_sid": call_sid})
    assert (response.status_code, response.json()["message"]) == (400, "Invalid webhook payload")
    assert "call_sid" in response.json()["details"]
    assert not Call.objects.exists()
    assert WebhookDelivery.objects.get().outcome == "rejected"


@pytest.mark.parametrize("field", ["caller_id", "agent_id", "called_number", "conversation_id"])
@pytest.mark.parametrize("value", [None, 5, [], "x" * 1000, "\x00"])
def test_any_other_field_may_be_of_any_kind(site, field, value):
    assert site.init(**ASKED | {field: value}).status_code == 200
    assert Call.objects.get().status == "in_progress"
