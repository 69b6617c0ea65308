"""Fetching a call: by the API, the terminal and the admin, against a real HTTP server in ElevenLabs' place."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.forms.models import model_to_dict
from django.test import Client as Browser

from calls.models import Call, CallRecording
from calls.registration import register

EVENT_TIMES = {"call_end_time", "transcription_time"}


def ended(stub, **told):
    """A conversation that is over, with its call, whose webhooks never came."""
    stub.behaviour.live, stub.behaviour.outcome = "none", "never"
    conversation = stub.place(stub.new_conversation())
    names = {"call_sid": conversation.call.provider_sid, "conversation_id": conversation.call.conversation_id}
    register(**names, driver_id="DRV_1", **told)
    conversation.client_data = {}
    conversation.run(stub.callsite, stub.stop)
    return conversation


def state(identifier):
    call = Call.objects.get_by_identifier(identifier)
    row = {name: value for name, value in model_to_dict(call).items() if name not in {"id", *EVENT_TIMES}}
    hidden = ("final_sequence_number", "last_sequence_number", "party_sources", "name_rank")
    recording = CallRecording.objects.filter(call=call).values_list("sha256", "size_bytes").first()
    return row | {name: getattr(call, name) for name in hidden} | {"recording": recording}


@pytest.fixture
def fetch(site, may):
    token = may("change_call", "view_call")
    return lambda identifier, token=token: site.api("POST", f"/api/calls/{identifier}/fetch/", token)


def test_a_call_whose_webhooks_never_came_is_completed_with_its_recording(stub, fetch):
    conversation = ended(stub)
    answer = fetch(conversation.call.conversation_id)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["status"], told["has_recording"], told["note"]) == ("completed", True, "")
    assert {"status", "final_transcript", "transcript_summary", "cost", "recording"} <= set(told["changed"])
    assert not [name for name in told["changed"] if "words" in name], "nobody reads those but search"
    again = fetch(conversation.call.provider_sid).json()
    assert again["changed"] == []


def test_both_ways_end_in_the_same_state_but_for_the_times_of_the_events(stub, fetch):
    by_fetch = ended(stub)
    fetch(by_fetch.call.conversation_id)
    fetched = state(by_fetch.call.conversation_id)
    Call.objects.all().delete()
    register(call_sid=by_fetch.call.provider_sid, conversation_id=by_fetch.call.conversation_id, driver_id="DRV_1")
    by_fetch.tell(stub.callsite)
    told = state(by_fetch.call.conversation_id)
    assert told.pop("recording") is not None
    assert fetched.pop("recording") is not None
    assert fetched == told


def test_a_webhook_that_comes_later_wins_and_a_fetch_after_it_changes_nothing(stub, fetch):
    conversation = ended(stub)
    fetch(conversation.call.conversation_id)
    conversation.data["analysis"]["transcript_summary"] = "As the webhook says."
    for event in conversation.events:
        event["event_timestamp"] += 60
    conversation.tell(stub.callsite)
    assert Call.objects.get().transcript_summary == "As the webhook says."
    conversation.data["analysis"]["transcript_summary"] = "As the API says."
    assert fetch(conversation.call.conversation_id).json()["changed"] == []
    assert Call.objects.get().transcript_summary == "As the webhook says."


@pytest.mark.parametrize("status", ["initiated", "in-progress", "processing", "something-new"])
def test_what_still_runs_is_409_and_nothing_is_changed(stub, fetch, status):
    conversation = ended(stub)
    before = state(conversation.call.conversation_id)
    conversation.data["status"] = status
    answer = fetch(conversation.call.conversation_id)
    assert (answer.status_code, status in answer.json()["detail"]) == (409, True)
    assert state(conversation.call.conversation_id) == before


@pytest.mark.parametrize(("query", "body"), [("?force=true", None), ("", {"force": True})])
def test_what_fetching_does_not_know_is_named(stub, site, may, query, body):
    identifier = ended(stub).call.conversation_id
    before = Call.objects.values().get()
    path, token = f"/api/calls/{identifier}/fetch/{query}", may("change_call", "view_call")
    answer = site.api("POST", path, token, **({"json": body} if body else {}))
    assert (answer.status_code, list(answer.json())) == (400, ["force"])
    assert Call.objects.values().get() == before


def test_a_recording_that_cannot_be_fetched_costs_the_transcript_nothing(stub, fetch):
    conversation = ended(stub)
    stub.fail("/audio", "500")
    told = fetch(conversation.call.conversation_id).json()
    assert (told["status"], told["has_recording"]) == ("completed", False)
    assert "recording" in told["note"]
    assert fetch(conversation.call.conversation_id).json()["changed"] == ["recording"]


def test_a_conversation_without_audio_is_not_asked_for_it(stub, fetch):
    stub.behaviour.recorded = False
    conversation = ended(stub)
    told = fetch(conversation.call.conversation_id).json()
    assert (told["status"], told["has_recording"], told["note"]) == ("completed", False, "")
    assert not [path for _, path, _ in stub.requests if path.endswith("/audio")]


@pytest.mark.parametrize(("fault", "status"), [("429", 503), ("401", 502), ("garbage", 502), ("404", 409)])
def test_what_elevenlabs_refuses_is_told_and_changes_nothing(stub, fetch, fault, status):
    conversation = ended(stub)
    before = state(conversation.call.conversation_id)
    stub.fail("/conversations/", fault)
    answer = fetch(conversation.call.conversation_id)
    assert (answer.status_code, bool(answer.json()["detail"])) == (status, True)
    assert state(conversation.call.conversation_id) == before


def test_a_dial_without_an_answer_is_found_by_its_call_sid(stub, fetch, site, may, settings):
    settings.DIAL_ALLOWED_PREFIXES = ["+1555"]
    stub.behaviour.live, stub.behaviour.outcome, stub.behaviour.overtakes = "none", "never", True
    stub.fail("outbound-call", "garbage")
    body = {"driver_id": "DRV_1", "to_number": "+15550100003"}
    told = site.api("POST", "/api/calls/dial/", may("dial_call", "view_call", name="dialler"), json=body).json()
    assert (told["dial_state"], told["conversation_id"]) == ("unknown", None)
    told = fetch(told["call_sid"]).json()
    assert (told["status"], told["dial_state"]) == ("completed", "placed")


def test_who_may_not_change_calls_fetches_nothing(stub, fetch, may):
    conversation = ended(stub)
    assert fetch(conversation.call.conversation_id, token=may("view_call")).status_code == 403
    assert fetch("nobody").status_code == 404
    assert stub.requests == []


def test_the_command_says_what_changed_and_fails_while_it_runs(stub, capsys):
    conversation = ended(stub)
    call_command("fetch_call", conversation.call.conversation_id)
    assert f"{conversation.call.provider_sid}: completed; changed: " in capsys.readouterr().out
    conversation.data["status"] = "processing"
    with pytest.raises(CommandError, match="2 of 2"):
        call_command("fetch_call", conversation.call.conversation_id, "nobody")


def test_staff_fetch_chosen_calls_in_the_admin(stub):
    conversation = ended(stub)
    user = get_user_model().objects.create_superuser("boss")
    browser = Browser()
    browser.force_login(user)
    form = {"action": "fetch_calls", "_selected_action": [Call.objects.get().pk]}
    page = browser.post("/admin/calls/call/", form, follow=True)
    assert f"{conversation.call.provider_sid}: " in page.text
    assert Call.objects.get().status == "completed"


def test_calls_that_are_named_like_these_routes_can_be_read(stub, site, may):
    register(call_sid="dial")
    register(call_sid="a/fetch")
    token = may("view_call")
    for name in ("dial", "a/fetch"):
        assert site.api("GET", f"/api/calls/{name}/", token).json()["call_sid"] == name


def test_staff_who_may_not_change_calls_have_no_such_action(stub, django_user_model):
    conversation = ended(stub)
    user = django_user_model.objects.create_user("reader", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_call"))
    browser = Browser()
    browser.force_login(user)
    browser.post("/admin/calls/call/", {"action": "fetch_calls", "_selected_action": [Call.objects.get().pk]})
    assert "Fetch from ElevenLabs" not in browser.get("/admin/calls/call/").text
    assert Call.objects.get_by_conversation_id(conversation.call.conversation_id).status == "in_progress"
