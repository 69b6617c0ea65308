"""`simulate_call` against a real server, and the truthfulness of what it sends."""

from __future__ import annotations

import base64
import json
from threading import Event
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from elevenlabs import ElevenLabs as Sdk
from elevenlabs.types.get_conversation_response_model import GetConversationResponseModel
from rest_framework_simplejwt.tokens import AccessToken

from calls.models import Call
from lab.stack.ports import free_port
from simulator.call import SCENARIOS, new_call
from simulator.dialogues import NEW_SLOT, VOICEMAIL
from simulator.events import audio, transcription
from simulator.player import Player
from simulator.server import Server, signature
from webhooks.models import WebhookDelivery


@pytest.fixture
def clerk(transactional_db: None) -> Any:
    """A user who may add calls."""
    user = get_user_model().objects.create_user("clerk", password="clerk")
    user.user_permissions.add(Permission.objects.get(codename="add_call"))
    return user


def simulate(site: Any, **options: Any) -> None:
    call_command("simulate_call", url=site.url, **{"pace": 0.0, "turns": 4} | options)


def test_a_simulated_call_is_registered_spoken_and_completed(site, clerk, capsys):
    simulate(site, turns=12, live="turns")
    call = Call.objects.get()
    assert (call.status, call.last_sequence_number, call.final_sequence_number) == ("completed", 12, 12)
    assert call.call_sid.startswith(f"EL_{call.driver_id}_")
    assert call.conversation_id.startswith("conv_")
    assert call.direction == "outbound"
    assert all((call.from_number, call.to_number, call.agent_id, call.agent_name, call.transcript_summary))
    assert call.call_successful is not None
    assert call.cost > call.cost_usd > 0
    assert call.analysis_data["evaluation_criteria_results"]
    assert call.analysis_data["data_collection_results"]
    live = list(call.transcriptions.order_by("sequence_number").values_list("message_text", flat=True))
    assert live == [turn["message"] for turn in call.final_transcript if turn["message"]]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 12 + 1
    assert call.call_sid in lines[0]
    assert "completed" in lines[-1]


def test_several_calls_are_played_at_once_with_different_drivers(site, clerk):
    simulate(site, calls=6, turns=3, live="turns")
    calls = Call.objects.all()
    assert [call.status for call in calls] == ["completed"] * 6
    assert {call.last_sequence_number for call in calls} == {3}
    assert len({call.driver_id for call in calls}) > 3
    assert {call.metadata_json["phone_call"]["type"] for call in calls} == {"twilio", "sip_trunking"}


@pytest.mark.parametrize("turns", [1, 2, 11, 13, 40])
def test_a_call_has_just_as_many_turns_as_asked(turns):
    for scenario in [s for s in SCENARIOS if s.can_last(turns)]:
        lines = scenario.lines(new_call(scenario).details, turns)
        assert len(lines) == turns
        assert all(line.text and "{" not in line.text for line in lines)


def test_an_answering_machine_is_not_drawn_out():
    assert VOICEMAIL.can_last(3)
    assert not VOICEMAIL.can_last(12)


def test_failing_calls_fail_at_initiation_each_in_its_way(site, clerk):
    simulate(site, calls=4, fail=True)
    calls = Call.objects.all()
    assert {call.status for call in calls} == {"failed"}
    assert {call.failure_reason for call in calls} == {"busy", "no-answer", "unknown"}
    assert {call.metadata_json["type"] for call in calls} == {"twilio", "sip"}
    assert all(call.last_sequence_number == 0 and call.to_number for call in calls)


def test_a_token_can_be_given(site, clerk):
    token = str(AccessToken.for_user(clerk))
    simulate(site, token=token)
    assert Call.objects.get().direction == "outbound"


@pytest.mark.parametrize("options", [{}, {"fail": True}], ids=["answered", "failed"])
def test_where_nobody_may_add_calls_they_come_in_by_conversation_init(site, options):
    simulate(site, calls=2, **options)
    assert WebhookDelivery.objects.filter(route="conversation-init").count() == 2
    for call in Call.objects.all():
        assert call.status == ("failed" if options else "completed")
        assert call.conversation_id.startswith("conv_")
        assert call.call_sid.startswith(("CA", "SCL_"))


def test_a_refused_token_leaves_the_conversation_init_webhook(site, token):
    simulate(site, token=token)  # of somebody who may view calls, no more
    assert Call.objects.get().status == "completed"
    assert Call.objects.get().direction == "inbound"


def test_a_different_webhook_secret_is_said_in_a_sentence(site, clerk):
    player = Player(Server(site.url, "wrong", "wrong"), 0, lambda: str(AccessToken.for_user(clerk)), print)
    with pytest.raises(Exception, match=r"ELEVENLABS_TOOL_SECRET of this checkout.* must be the one"):
        player.play(call := new_call(NEW_SLOT), call.scenario.lines(call.details))
    with pytest.raises(Exception, match=r"401.*\n.*ELEVENLABS_WEBHOOK_SECRET of this checkout.* must be the one"):
        player.fail(new_call(NEW_SLOT), "busy")


def test_no_server_is_said_in_a_sentence(transactional_db):
    with pytest.raises(CommandError, match=r"No server answers at http://127.0.0.1:\d+ .*make run"):
        call_command("simulate_call", url=f"http://127.0.0.1:{free_port()}", calls=3)


def test_another_server_is_said_in_a_sentence(site):
    with pytest.raises(CommandError, match="is it callsite"):
        call_command("simulate_call", url=f"{site.url}/elsewhere", pace=0.0)


@pytest.mark.parametrize("url", ["callsite", "ftp://127.0.0.1", "http://", "http://127.0.0.1:port"])
def test_what_is_no_address_is_said_in_a_sentence(transactional_db, url):
    with pytest.raises(CommandError, match="is not the address of a server"):
        call_command("simulate_call", url=url)


@pytest.mark.parametrize("option", ["--calls=0", "--calls=many", "--turns=-1", "--pace=nan", "--pace=inf", "--pace=-1"])
def test_values_that_make_no_sense_are_refused(option):
    with pytest.raises(CommandError, match="is not a"):
        call_command("simulate_call", option)


def test_a_call_that_is_stopped_midway_ends_as_if_the_driver_hung_up(site, clerk):
    stop = Event()

    def tell(call, word, text):
        if word == "driver":
            stop.set()

    player = Player(Server.with_local_secrets(site.url), 0, lambda: str(AccessToken.for_user(clerk)), tell, stop)
    player.play(call := new_call(NEW_SLOT), call.scenario.lines(call.details))
    stored = Call.objects.get()
    assert (stored.status, stored.last_sequence_number, stored.call_successful) == ("completed", 2, None)
    assert stored.metadata_json["termination_reason"] == "Call ended by remote party"


def test_a_recorded_call_can_be_heard(site, clerk, supervisor_token):
    player = Player(
        Server.with_local_secrets(site.url), 0.02, lambda: str(AccessToken.for_user(clerk)), lambda *_: None
    )
    call = new_call(NEW_SLOT)
    player.play(call, call.scenario.lines(call.details, 3), recorded=True)
    answer = site.api("GET", f"/api/calls/{call.call_sid}/recording/", supervisor_token)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "audio/mpeg"
    assert answer.content.startswith(b"\xff\xf3")


def test_a_recording_is_mp3_frame_after_frame_and_lasts_as_long_as_the_call():
    call = spoken_call()
    mp3 = base64.b64decode(audio(call)["data"]["full_audio"])
    frames = [mp3[start : start + 36] for start in range(0, len(mp3), 36)]
    assert {frame[:4] for frame in frames} == {b"\xff\xf3\x18\xc0"}
    assert {len(frame) for frame in frames} == {36}
    assert len(set(frames)) == 3  # the agent's pitch, the driver's, silence
    seconds = call.said[-1][1] + 1 - call.said[0][1]
    assert len(frames) * 0.036 == pytest.approx(seconds, abs=0.036 * len(call.said))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_a_transcription_has_the_shape_of_the_official_sdk(scenario):
    event = transcription(spoken_call(scenario), audio=True)
    parsed = GetConversationResponseModel.model_validate(event["data"])
    assert parsed.status == "done"
    assert parsed.metadata.phone_call.type in ("twilio", "sip_trunking")
    assert parsed.analysis.call_successful == scenario.verdict
    assert "{" not in json.dumps(event["data"]["analysis"]["transcript_summary"])


def test_the_official_sdk_accepts_the_signature():
    body = json.dumps(transcription(spoken_call())).encode()
    event = Sdk(api_key="unused").webhooks.construct_event(body.decode(), signature("wsec_1", body), "wsec_1")
    assert event["type"] == "post_call_transcription"


def spoken_call(scenario: Any = NEW_SLOT) -> Any:
    """A call in which everything has been said, three seconds a turn."""
    call = new_call(scenario)
    lines = scenario.lines(call.details)
    call.started_at -= 3 * len(lines)
    call.said = [(line, call.started_at + 3 * number) for number, line in enumerate(lines)]
    return call
