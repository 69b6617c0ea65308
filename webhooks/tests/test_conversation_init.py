"""ElevenLabs asks before an inbound call is answered: the call is registered, the agent gets its variables."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from django.db import OperationalError, connection, transaction

from calls.models import Call
from conftest import INIT, TOOL_SECRET, payload, until
from webhooks import inbox, initiation
from webhooks.models import WebhookDelivery
from webhooks.replies import Reply

ASKED = {
    "caller_id": "+15550100002",
    "agent_id": "agent_1",
    "called_number": "+15550100001",
    "call_sid": "CA00000000000000000000000000000a01",
    "conversation_id": "conv_init",
}


def variables(response):
    body = response.json()
    assert (response.status_code, body["type"]) == (200, "conversation_initiation_client_data")
    return body["dynamic_variables"]


def test_the_call_is_registered_and_the_variables_are_answered(site, settings):
    settings.ELEVENLABS_DYNAMIC_VARIABLES = {"company": "Acme", "call_sid": "not this one"}
    response = site.init(**ASKED)
    assert response.status_code == 200
    assert response.json() == {
        "type": "conversation_initiation_client_data",
        "dynamic_variables": {"company": "Acme", "call_sid": ASKED["call_sid"]},
    }
    call = Call.objects.get()
    assert (call.call_sid, call.conversation_id) == (ASKED["call_sid"], "conv_init")
    assert (call.status, call.direction) == ("in_progress", "inbound")
    assert (call.from_number, call.to_number, call.agent_id) == ("+15550100002", "+15550100001", "agent_1")
    delivery = WebhookDelivery.objects.get()
    assert (delivery.route, delivery.outcome, delivery.call) == ("conversation-init", "applied", call)
    assert (delivery.call_sid, delivery.conversation_id) == (ASKED["call_sid"], "conv_init")


def test_the_same_question_again_has_the_same_answer_and_call(site):
    first, again = site.init(**ASKED), site.init(**ASKED, extra="new")
    assert (again.status_code, again.json()) == (200, first.json())
    assert Call.objects.count() == 1


async def test_a_live_turn_of_the_conversation_that_was_asked_about_is_heard(site, token):
    """The README's steps 3 and 4: conversation-init, then the tool that sends the conversation_id alone."""
    answer = await asyncio.to_thread(site.init, **ASKED)
    async with site.socket(token) as socket:
        confirmed = await socket.subscribe(variables(answer)["call_sid"])
        assert confirmed["conversation_id"] == "conv_init"
        turn = {"conversation_id": "conv_init", "speaker": "user", "message": "My parcel is late."}
        assert (await asyncio.to_thread(site.turn, **turn)).status_code == 201
        assert (await socket.next())["message_text"] == "My parcel is late."


def test_a_call_that_was_registered_before_keeps_what_it_had_and_learns_the_rest(site):
    Call.register(call_sid=ASKED["call_sid"], driver_id="DRV_1", from_number="+1999")
    assert variables(site.init(**ASKED))["call_sid"] == ASKED["call_sid"]
    call = Call.objects.get()
    assert (call.driver_id, call.from_number, call.direction) == ("DRV_1", "+1999", "inbound")
    assert (call.conversation_id, call.agent_id, call.to_number) == ("conv_init", "agent_1", "+15550100001")


def test_a_call_that_is_known_by_its_conversation_is_answered_with_its_own_call_sid(site):
    Call.register(call_sid="EL_1", conversation_id="conv_init", direction="outbound")
    assert variables(site.init(**ASKED))["call_sid"] == "EL_1"
    call = Call.objects.get()
    assert (call.direction, call.agent_id) == ("outbound", "agent_1")


def test_identifiers_of_two_calls_link_nothing(site):
    Call.register(call_sid=ASKED["call_sid"], conversation_id="conv_other")
    Call.register(call_sid="EL_1", conversation_id="conv_init")
    assert variables(site.init(**ASKED))["call_sid"] == ASKED["call_sid"]
    assert set(Call.objects.values_list("call_sid", "conversation_id")) == {
        (ASKED["call_sid"], "conv_other"),
        ("EL_1", "conv_init"),
    }


@pytest.mark.parametrize("call_sid", [None, "", "  ", 5, [], "x" * 256])
def test_without_a_call_sid_the_conversation_stands_in_for_it(site, call_sid):
    """WhatsApp and SMS have none."""
    assert variables(site.init(**ASKED | {"call_sid": call_sid}))["call_sid"] == "conv_init"
    assert Call.objects.get().call_sid == "conv_init"


def test_the_post_call_webhook_finds_the_call_that_was_asked_about(site):
    site.init(**{name: value for name, value in ASKED.items() if name != "conversation_id"})
    body = payload("transcription_twilio_inbound_as_captured", "conv_new")
    assert body["data"]["metadata"]["phone_call"]["call_sid"] == ASKED["call_sid"]
    assert site.post_call(body).json()["call_sid"] == ASKED["call_sid"]
    assert Call.objects.get().status == "completed"


@pytest.mark.parametrize("field", ["caller_id", "agent_id", "called_number", "conversation_id"])
@pytest.mark.parametrize("value", [None, 5, [], "x" * 1000, "\x00"])
def test_any_other_field_may_be_of_any_kind(site, field, value):
    assert site.init(**ASKED | {field: value}).status_code == 200
    assert Call.objects.get().status == "in_progress"


NAMELESS = json.dumps({**ASKED, "call_sid": "", "conversation_id": None}).encode()


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"null", b"{not json", b'{"call_sid": NaN}', b"[" * 100_000, b"\xff\xfe", b"{}", NAMELESS]
)
def test_an_odd_body_is_answered_200_and_kept_for_the_staff(site, raw):
    response = site.client.post(INIT, content=raw, headers={"Authorization": f"Bearer {TOOL_SECRET}"})
    assert variables(response) == {"call_sid": ""}
    assert not Call.objects.exists()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.outcome, bytes(delivery.body)) == ("rejected", raw)


# --- it fails open: a phone call hangs on the answer ---------------------------------------------------------


def nothing_waits():
    return not any(retries.waiting for retries in initiation.current_retries._things.values())


@pytest.fixture
def quick(monkeypatch):
    """Short waits; what is promised is their order, not their length."""
    monkeypatch.setattr(initiation, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(initiation, "RETRY_SECONDS", (0.05, 0.2))
    yield
    until(nothing_waits)  # the next test must not meet what this one left to be registered


def test_a_call_is_answered_without_a_database_and_registered_when_it_is_back(site, monkeypatch, quick):
    def away(route, body, lock_timeout):
        raise OperationalError("made by the test")

    with monkeypatch.context() as patch:
        patch.setattr(inbox, "_take", away)
        assert variables(site.init(**ASKED))["call_sid"] == ASKED["call_sid"]
        assert not Call.objects.exists()
    until(lambda: Call.objects.filter(call_sid=ASKED["call_sid"], conversation_id="conv_init").exists())


def test_a_fault_of_ours_is_answered_like_a_database_that_is_away(site, monkeypatch, quick):
    def fail(initiation):
        raise RuntimeError("made by the test, with a secret in it")

    with monkeypatch.context() as patch:
        patch.setattr(inbox.handlers, "handle_initiation", fail)
        answer = site.init(**ASKED)
        assert variables(answer)["call_sid"] == ASKED["call_sid"]
        assert "secret" not in answer.text
    until(lambda: Call.objects.filter(call_sid=ASKED["call_sid"]).exists())


def test_a_call_that_somebody_holds_is_answered_at_once_and_costs_no_other_its_registration(site, call, quick):
    held, go_on = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            Call.objects.select_for_update().get(pk=call.pk)
            held.set()
            go_on.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    try:
        asked = ASKED | {"call_sid": call.call_sid, "conversation_id": call.conversation_id}
        assert variables(site.init(**asked))["call_sid"] == call.call_sid
        assert variables(site.init(**ASKED))["call_sid"] == ASKED["call_sid"]
        assert Call.objects.filter(call_sid=ASKED["call_sid"]).exists()
    finally:
        go_on.set()
        holder.join()
    until(lambda: Call.objects.filter(pk=call.pk, agent_id="agent_1").exists())


def test_what_is_not_ours_to_answer_is_refused_all_the_same(site, settings):
    settings.WEBHOOK_TURN_MAX_BYTES = 100
    wrong = {"Authorization": "Bearer wrong"}
    assert site.client.post(INIT, json=ASKED, headers=wrong).status_code == 401
    assert site.client.get(INIT).status_code == 405
    right = {"Authorization": f"Bearer {TOOL_SECRET}"}
    assert site.client.post(INIT, json=ASKED, headers=right).status_code == 413


# --- registrations that are tried again, without a server ----------------------------------------------------


@pytest.fixture
def tries(monkeypatch, quick):
    """What each further try of a registration comes to, in turn; an exception is raised."""
    outcomes = []

    async def register(body):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return Reply(outcome, {})

    monkeypatch.setattr(initiation, "_register", register)
    return outcomes


async def tried_out(retries):
    async with asyncio.timeout(10):
        await retries._task


async def test_a_registration_is_tried_until_it_succeeds(tries):
    tries += [500, RuntimeError("made by the test"), 200, 500]
    retries = initiation.Retries()
    retries.keep(b"{}")
    await tried_out(retries)
    assert (retries.waiting, tries) == ({}, [500])


async def test_a_registration_that_cannot_succeed_is_given_up(tries):
    tries += [400, 500]
    retries = initiation.Retries()
    retries.keep(b"{}")
    await tried_out(retries)
    assert (retries.waiting, tries) == ({}, [500])


async def test_a_registration_is_given_up_when_its_call_is_over(tries, monkeypatch, caplog):
    monkeypatch.setattr(initiation, "KEPT_SECONDS", 0)
    retries = initiation.Retries()
    retries.keep(b"{}")
    await tried_out(retries)
    assert retries.waiting == {}
    assert "Gave up the registration of a call" in caplog.text


async def test_a_registration_beyond_those_that_may_wait_is_given_up_at_once(tries, monkeypatch, caplog):
    monkeypatch.setattr(initiation, "KEPT", 2)
    tries += [200, 200]
    retries = initiation.Retries()
    for number in range(3):
        retries.keep(b"%d" % number)
    assert len(retries.waiting) == 2
    assert "2 wait already" in caplog.text
    await tried_out(retries)
    assert (retries.waiting, tries) == ({}, [])
