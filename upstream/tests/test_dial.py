"""POST /api/calls/dial/ against a real HTTP server in ElevenLabs' place, whose webhooks come back over HTTP too."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from calls.models import Call, CallRecording
from conftest import until
from upstream import client as client_module
from upstream.models import DialRequest
from webhooks.models import WebhookDelivery

pytestmark = pytest.mark.usefixtures("allowed")
NUMBER = "+15550100003"
ASKED = {"driver_id": "DRV_1", "to_number": NUMBER}


@pytest.fixture
def dial(site, may):
    token = may("dial_call", "view_call")

    def post(key="", token=token, **changes):
        body = {name: value for name, value in (ASKED | changes).items() if value is not None}
        headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
        return site.client.post("/api/calls/dial/", json=body, headers=headers)

    return post


def dials(stub):
    return [body for method, path, body in stub.requests if method == "POST"]


def test_a_dialled_call_rings_is_heard_and_ends(stub, dial):
    answer = dial()
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["status"], told["direction"], told["to_number"]) == ("in_progress", "outbound", NUMBER)
    assert (told["dial_state"], told["driver_id"]) == ("placed", "DRV_1")
    assert told["conversation_id"] in stub.conversations
    until(lambda: Call.objects.get(call_sid=told["call_sid"]).status == "completed", seconds=15)
    call = Call.objects.get()
    assert (call.conversation_id, call.dial_state) == (told["conversation_id"], "placed")
    assert call.last_sequence_number > 0


def test_elevenlabs_always_gets_client_data_with_our_call_sid(stub, dial, settings):
    settings.ELEVENLABS_DYNAMIC_VARIABLES = {"company": "Nordlicht"}
    told = dial(dynamic_variables={"dock": 7}, prompt="Be brief.", first_message="Hello!").json()
    [asked] = dials(stub)
    assert asked["to_number"] == NUMBER
    assert asked["conversation_initiation_client_data"] == {
        "dynamic_variables": {"company": "Nordlicht", "dock": 7, "call_sid": told["call_sid"]},
        "user_id": "DRV_1",
        "conversation_config_override": {"agent": {"prompt": {"prompt": "Be brief."}, "first_message": "Hello!"}},
    }


@pytest.mark.parametrize("provider", ["twilio", "sip_trunk", "exotel"])
def test_every_provider_has_its_address_and_its_sid_becomes_a_name(stub, dial, site, may, provider):
    stub.behaviour.endless, stub.behaviour.live = True, "none"
    told = dial(provider=provider).json()
    assert f"/{provider.replace('_', '-')}/" in stub.requests[0][1]
    [conversation] = stub.conversations.values()
    by_sid = site.api("GET", f"/api/calls/{conversation.call.provider_sid}/", may("view_call"))
    assert by_sid.json()["call_sid"] == told["call_sid"]


@pytest.mark.parametrize("unanswered", [False, True])
@pytest.mark.parametrize("create", [False, True])
def test_webhooks_that_overtake_the_answer_are_of_the_same_call(stub, dial, settings, unanswered, create):
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = create
    stub.behaviour.overtakes, stub.behaviour.unanswered = True, unanswered
    answer = dial()
    assert answer.status_code == 201
    told = answer.json()
    assert told["status"] == ("failed" if unanswered else "completed")
    assert told["conversation_id"] in stub.conversations
    assert Call.objects.get().call_sid == told["call_sid"]


@pytest.mark.parametrize(
    ("fault", "status"),
    [("422", 422), ("429", 503), ("busy", 503), ("401", 502), ("404", 502), ("500", 502), ("success-false", 502)],
)
def test_a_refusal_leaves_a_failed_call_that_says_why(stub, dial, fault, status):
    stub.fail("outbound-call", fault)
    answer = dial()
    assert answer.status_code == status
    call = Call.objects.get()
    assert answer.json() == {"detail": call.failure_reason, "call_sid": call.call_sid}
    assert (call.status, call.dial_state) == ("failed", "refused")
    assert call.failure_reason
    assert len(dials(stub)) == 1


def test_a_call_that_rang_although_its_dial_was_refused_was_placed(stub, dial):
    stub.fail("outbound-call", "500", acts=True)
    assert dial().status_code in (201, 502)
    until(lambda: Call.objects.get().status == "completed", seconds=15)
    assert Call.objects.get().dial_state == "placed"


def test_the_wait_that_elevenlabs_asks_for_is_handed_on(stub, dial):
    stub.fail("outbound-call", "429")
    assert dial().headers["Retry-After"] == "1"


def test_a_server_that_is_not_there_leaves_a_failed_call(stub, dial, settings):
    settings.ELEVENLABS_API_URL = "http://127.0.0.1:9"
    assert dial().status_code == 502
    assert Call.objects.get().status == "failed"


@pytest.mark.parametrize("fault", ["hang", "drop", "garbage", "504"])
def test_without_a_whole_answer_the_call_stays_in_progress_and_is_not_dialled_again(stub, dial, monkeypatch, fault):
    monkeypatch.setattr(client_module, "ANSWER_SECONDS", 0.5)
    stub.behaviour.outcome, stub.behaviour.live = "never", "none"
    stub.fail("outbound-call", fault)
    answer = dial()
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["dial_state"]) == ("in_progress", "unknown")
    assert len(dials(stub)) == 1


def test_an_answer_that_the_database_does_not_take_is_not_dialled_for_again(stub, dial, monkeypatch, only_postgresql):
    stub.behaviour.outcome, stub.behaviour.live = "never", "none"
    answer_of, held, answered = stub._dial, threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            Call.objects.select_for_update().get()
            held.set()
            answered.wait(30)
        connection.close()

    def answer_late(*asked):
        threading.Thread(target=hold).start()
        held.wait(30)
        return answer_of(*asked)

    monkeypatch.setattr(stub, "_dial", answer_late)
    try:
        answers = [dial(key="order-1") for _ in range(2)]
    finally:
        answered.set()
    told = answers[0].json()
    assert [answer.status_code for answer in answers] == [202, 202]
    assert (told["status"], told["dial_state"]) == ("in_progress", "asking")
    assert answers[1].json() == told
    assert len(dials(stub)) == 1


@pytest.mark.parametrize("outcome", ["late", "twice"])
@pytest.mark.parametrize("live", ["history", "turns"])
def test_webhooks_that_come_late_or_twice_complete_the_call_once(stub, dial, outcome, live):
    stub.behaviour.outcome, stub.behaviour.live, stub.behaviour.late_seconds = outcome, live, 0.5
    told = dial().json()
    until(lambda: CallRecording.objects.exists(), seconds=15)
    call = Call.objects.get()
    assert (call.call_sid, call.status) == (told["call_sid"], "completed")
    [conversation] = stub.conversations.values()
    assert call.last_sequence_number == conversation.call.told > 0
    until(
        lambda: WebhookDelivery.objects.filter(times_received=2 if outcome == "twice" else 1).count() >= 2, seconds=15
    )
    assert set(WebhookDelivery.objects.values_list("times_applied", flat=True)) == {1}


def test_an_agent_that_is_called_is_known_from_conversation_init_on(stub, dial):
    stub.behaviour.endless = True
    conversation = stub.call_agent()
    call = Call.objects.get_by_conversation_id(conversation.call.conversation_id)
    assert (call.status, call.direction, call.dial_state) == ("in_progress", "inbound", "")
    assert call.last_sequence_number == conversation.call.told > 0


def test_a_webhook_settles_what_was_unknown(stub, dial):
    stub.behaviour.pace_seconds = 0.05
    stub.fail("outbound-call", "garbage")
    assert dial().status_code == 202
    until(lambda: Call.objects.get().status == "completed", seconds=15)
    assert Call.objects.get().dial_state == "placed"


def test_the_row_is_committed_before_elevenlabs_is_asked(stub, dial, monkeypatch):
    seen = []
    answer_of = stub._dial

    def look(provider, body):
        sid = body["conversation_initiation_client_data"]["dynamic_variables"]["call_sid"]
        seen.append(Call.objects.filter(call_sid=sid, dial_state="asking").exists())
        return answer_of(provider, body)

    monkeypatch.setattr(stub, "_dial", look)
    dial()
    assert seen == [True]


@pytest.mark.parametrize(
    ("number", "region", "dialled"),
    [
        ("+1 (555) 010-0003", "", NUMBER),
        ("555 010 0003", "US", NUMBER),
        ("+1555010000x", "", None),
        ("555 010 0003", "", None),
        ("+1555", "", None),
        ("call +15550100003", "", None),
    ],
)
def test_numbers_are_dialled_as_e164_and_what_is_none_fails(stub, dial, settings, number, region, dialled):
    settings.DIAL_DEFAULT_REGION = region
    answer = dial(to_number=number)
    assert [body["to_number"] for body in dials(stub)] == ([dialled] if dialled else [])
    if dialled is None:
        call = Call.objects.get()
        assert (answer.status_code, answer.json()["call_sid"]) == (422, call.call_sid)
        assert (call.status, call.failure_reason) == ("failed", answer.json()["detail"])


@pytest.mark.parametrize("prefixes", [[], ["+49"], ["+15551"]])
def test_a_number_that_no_prefix_allows_is_not_dialled(stub, dial, settings, prefixes):
    settings.DIAL_ALLOWED_PREFIXES = prefixes
    answer = dial()
    assert answer.status_code == 403
    assert "DIAL_ALLOWED_PREFIXES" in answer.json()["detail"]
    assert (stub.requests, Call.objects.count()) == ([], 0)


def test_without_the_permission_nothing_is_dialled(stub, dial, may):
    assert dial(token=may("view_call", "add_call", "change_call")).status_code == 403
    assert dial(token="nonsense").status_code == 401
    assert (stub.requests, Call.objects.count()) == ([], 0)


def test_who_may_not_view_calls_gets_the_identifiers_alone(stub, dial, may):
    assert set(dial(token=may("dial_call")).json()) == {"call_sid", "conversation_id", "dial_state"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"driver_id": None}, "driver_id"),
        ({"to_number": None}, "to_number"),
        ({"provider": "carrier_pigeon"}, "provider"),
        ({"dynamic_variables": {"call_sid": "mine"}}, "dynamic_variables"),
        ({"dynamic_variables": {"list": []}}, "dynamic_variables"),
        ({"to": NUMBER}, "to"),
    ],
)
def test_a_field_that_is_wrong_is_named(stub, dial, changes, named):
    answer = dial(**changes)
    assert (answer.status_code, list(answer.json())) == (400, [named])
    assert Call.objects.count() == 0


def test_a_query_parameter_that_is_none_is_named(stub, site, may):
    answer = site.api("POST", "/api/calls/dial/?dry_run=true", may("dial_call"), json=ASKED)
    assert (answer.status_code, list(answer.json())) == (400, ["dry_run"])
    assert (stub.requests, Call.objects.count()) == ([], 0)


@pytest.mark.parametrize(
    ("setting", "field"), [("ELEVENLABS_AGENT_ID", "agent_id"), ("ELEVENLABS_PHONE_NUMBER_ID", "phone_number_id")]
)
def test_an_agent_or_number_that_nobody_names_is_asked_for(stub, dial, settings, setting, field):
    setattr(settings, setting, "")
    assert list(dial().json()) == [field]


def test_without_a_key_of_elevenlabs_it_says_so(stub, dial, settings):
    settings.ELEVENLABS_API_KEY = ""
    answer = dial()
    assert answer.status_code == 503
    assert "ELEVENLABS_API_KEY" in answer.json()["detail"]


# --- Idempotency-Key ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [None, "500", "garbage"])
def test_the_same_again_gets_the_same_answer_and_rings_once(stub, dial, fault):
    stub.behaviour.endless, stub.behaviour.live = True, "none"  # no webhook comes when the test is over
    if fault:
        stub.fail("outbound-call", fault)
    first, second = dial(key="k1"), dial(key="k1")
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert len(dials(stub)) == 1


def test_a_key_with_another_body_is_refused_and_another_user_has_keys_of_their_own(stub, dial, may):
    assert dial(key="k1").status_code == 201
    assert dial(key="k1", driver_id="DRV_2").status_code == 422
    assert dial(key="k1", token=may("dial_call", name="another")).status_code == 201
    assert len(dials(stub)) == 2


def test_while_the_first_is_under_way_the_second_gets_409(stub, dial):
    stub.latency_seconds = 1.5
    answers = []
    first = threading.Thread(target=lambda: answers.append(dial(key="k1").status_code))
    first.start()
    until(lambda: DialRequest.objects.exists(), seconds=15)
    assert dial(key="k1").status_code == 409
    first.join()
    assert answers == [201]
    assert len(dials(stub)) == 1


def test_after_a_day_a_key_is_free_again(stub, dial):
    dial(key="k1")
    DialRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert dial(key="k1", driver_id="DRV_2").status_code == 201
    assert len(dials(stub)) == 2


def test_a_dial_whose_process_ended_is_answered_as_unknown_and_not_repeated(stub, dial, monkeypatch):
    monkeypatch.setattr("upstream.views.place", lambda *_: (_ for _ in ()).throw(SystemError("killed")))
    assert dial(key="k1").status_code == 500
    DialRequest.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    answer = dial(key="k1")
    assert (answer.status_code, answer.json()["dial_state"]) == (202, "unknown")
    assert dial(key="k1").json() == answer.json()
    assert dials(stub) == []
