from __future__ import annotations

import pytest

from calls.models import Call
from webhooks.machine_detection import machine_detection
from webhooks.models import WebhookDelivery


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        ("human", "human"),
        ("HUMAN", "human"),
        ("machine_start", "machine"),
        ("machine_end_beep", "machine"),
        ("machine-end-silence", "machine"),
        ("voicemail", "machine"),
        ("fax", "fax"),
        ("unknown", "unknown"),
        ("a sheep", ""),
        (5, ""),
        (None, ""),
    ],
)
@pytest.mark.parametrize("key", ["answered_by", "AnsweredBy", "result"])
def test_a_known_word_is_the_verdict(key, word, verdict):
    assert machine_detection({"conversation_id": "conv_1", key: word}).answered_by == verdict


def test_the_word_under_its_own_key_counts_before_any_other():
    data = {"conversation_id": "conv_1", "previous": "human", "body": {"AnsweredBy": "fax"}}
    assert machine_detection(data).answered_by == "fax"


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        ({"conversation_id": "conv_1"}, ["conv_1"]),
        ({"call": {"conversationId": "conv_1", "callSid": "CA1"}}, ["conv_1", "CA1"]),
        ({"metadata": {"body": {"CallSid": "CA1"}}}, ["CA1"]),
        ([{"sip_call_id": "a/b@host"}], ["a/b@host"]),
    ],
)
def test_the_names_of_a_call_are_found_wherever_they_stand(data, texts):
    assert set(machine_detection(data).call.texts) == set(texts)


def test_what_a_dynamic_variable_names_is_a_claim_and_system_variables_are_elevenlabs_own():
    variables = {"call_sid": "EL_1", "conversation_id": "conv_2", "system__call_sid": "CA1"}
    call = machine_detection({"agent_id": "agent_1", "client_data": {"dynamic_variables": variables}}).call
    assert (call.conversation_id, call.agent_id) == (None, "agent_1")
    assert [(name.text, name.is_claim) for name in call.names] == [("CA1", False), ("EL_1", True)]


def test_a_claim_of_another_agent_links_no_verdict(site, transactional_db):
    call = Call.register(call_sid="EL_1", agent_id="agent_1")
    body = {"agent_id": "agent_2", "answered_by": "fax", "dynamic_variables": {"call_sid": "EL_1"}}
    assert (
        site.post_call({"type": "answering_machine_detection", "event_timestamp": 1, "data": body}).status_code == 200
    )
    call.refresh_from_db()
    assert (call.answered_by, WebhookDelivery.objects.get().outcome) == ("", "unmatched")


@pytest.mark.parametrize("data", [None, 5, "conv_1", [], {}, {"conversation_id": 7}, {"answered_by": "human"}])
def test_what_names_no_call_is_no_detection(data):
    assert machine_detection(data) is None


def detected(conversation_id, word):
    data = {"conversation_id": conversation_id, "answered_by": word}
    return {"type": "answering_machine_detection", "event_timestamp": 1, "data": data}


def test_a_verdict_changes_no_status(site, call):
    assert site.post_call(detected(call.conversation_id, "human")).status_code == 200
    call.refresh_from_db()
    assert (call.answered_by, call.status) == ("human", "in_progress")


def test_a_verdict_waits_for_its_call_and_makes_none(site, transactional_db, settings):
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = True
    assert site.post_call(detected("conv_later", "machine")).status_code == 200
    assert (Call.objects.count(), WebhookDelivery.objects.get().outcome) == (0, "unmatched")
    call = Call.register(conversation_id="conv_later")
    call.refresh_from_db()
    assert (call.answered_by, WebhookDelivery.objects.get().outcome) == ("machine", "applied")


def test_a_word_in_a_dynamic_variable_is_no_verdict():
    data = {"conversation_id": "conv_1", "dynamic_variables": {"driver": "Fax"}, "AnsweredBy": "machine_start"}
    assert machine_detection(data).answered_by == "machine"
    del data["AnsweredBy"]
    assert machine_detection(data).answered_by == ""
