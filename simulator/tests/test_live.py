"""Both ways in which a simulated call is told while it runs, as a subscriber hears it."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from elevenlabs.types.get_conversation_response_model import GetConversationResponseModel
from rest_framework_simplejwt.tokens import AccessToken

from calls.models import Call
from simulator.call import SCENARIOS, new_call
from simulator.dialogues import NEW_SLOT, VOICEMAIL
from simulator.events import transcription
from simulator.live import LIVE, by_history, is_interrupted
from simulator.player import Player
from simulator.server import Server
from simulator.subscriber import Subscriber


def heard_of(site, dispatcher, call, lines, live):
    """What a subscriber hears of a call that is played."""
    clerk = get_user_model().objects.create_user("clerk")
    clerk.user_permissions.add(Permission.objects.get(codename="add_call"))
    heard = []
    subscriber = Subscriber(Server(site.url), dispatcher.username, "dispatcher", heard.append)

    def tell(call, word, text):
        if word == "registered":
            subscriber.listen_to(call.call_sid)

    try:
        server = Server.with_local_secrets(site.url)
        Player(server, 0, lambda: str(AccessToken.for_user(clerk)), tell).play(call, lines, live=live)
        deadline = time.monotonic() + 10
        while subscriber.listening:
            assert time.monotonic() < deadline, "waited 10 s"
            time.sleep(0.02)
    finally:
        subscriber.close()
    return [message for message in heard if message["type"] == "transcription"]


@pytest.mark.parametrize("scenario", [NEW_SLOT, VOICEMAIL], ids=lambda scenario: scenario.title)
@pytest.mark.parametrize("live", LIVE)
def test_a_subscriber_hears_each_sentence_that_was_told_once_and_in_order(site, dispatcher, live, scenario):
    call = new_call(scenario)
    lines = scenario.lines(call.details)
    heard = heard_of(site, dispatcher, call, lines, live)
    assert [message["sequence_number"] for message in heard] == list(range(1, call.told + 1))
    roles = {"agent": "agent", "driver": "user"}
    assert [(roles[message["speaker_type"]], message["message_text"]) for message in heard] == lines[: call.told]


def test_by_history_the_last_sentences_and_what_was_cut_short_come_with_the_post_call_transcript(site, dispatcher):
    call = new_call(NEW_SLOT)
    lines = NEW_SLOT.lines(call.details)
    heard = [message["message_text"] for message in heard_of(site, dispatcher, call, lines, "history")]
    final = [turn for turn in Call.objects.get().final_transcript if turn["message"]]
    assert (len(heard), len(final)) == (len(lines) - 2, len(lines))
    cut = [turn for turn in final if turn["interrupted"]]
    assert cut
    for turn in cut:
        assert turn["original_message"] in heard
        assert turn["original_message"].startswith(turn["message"])
        assert turn["message"] not in heard


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_histories_grow_have_the_tools_own_runs_and_shorten_what_was_interrupted(scenario):
    call = new_call(scenario)
    lines = scenario.lines(call.details, 40 if scenario.small_talk else None)
    told = []
    for line in lines:
        call.says(line)
        told += [request.get("parameters", request) for request in by_history(call, lines)]
    assert {tuple(request) for request in told} == {("conversation_id", "agent_id", "history")}
    histories = [json.loads(request["history"])["entries"] for request in told]
    spoken = [[entry for entry in entries if "message" in entry] for entries in histories]
    assert all(len(one) < len(other) for one, other in pairwise(spoken))
    assert len(spoken[-1]) < len(lines)
    for runs, entries in enumerate(histories, start=1):
        assert sum("tool_requests" in entry for entry in entries) == runs
        assert sum("tool_results" in entry for entry in entries) == runs - 1
        assert all(len({"message", "tool_requests", "tool_results"} & set(entry)) == 1 for entry in entries)
    interrupted = [number for number in range(1, len(lines) + 1) if is_interrupted(lines, number)]
    assert sorted(call.interrupted) == interrupted
    for number in interrupted:
        tellings = [messages[number - 1]["message"] for messages in spoken if len(messages) >= number]
        assert tellings[0] == lines[number - 1].text
        assert all(tellings[0].startswith(text) and text != tellings[0] for text in tellings[1:])
    GetConversationResponseModel.model_validate(transcription(call)["data"])


def test_a_long_call_is_interrupted_now_and_then():
    call = new_call(NEW_SLOT)
    lines = NEW_SLOT.lines(call.details, 60)
    assert 3 <= sum(is_interrupted(lines, number) for number in range(len(lines) + 1)) <= 15


@pytest.mark.parametrize(("live", "heard"), [("history", 10), ("turns", 12)])
def test_simulate_call_tells_calls_as_asked(site, transactional_db, live, heard):
    call_command("simulate_call", url=site.url, pace=0.0, calls=3, live=live)
    for call in Call.objects.all():
        assert (call.status, call.last_sequence_number) == ("completed", heard)
        assert call.transcriptions.exclude(turn_id=None).exists() == (live == "turns")


def test_simulate_call_tells_by_history_where_nothing_is_asked(site, transactional_db):
    call_command("simulate_call", url=site.url, pace=0.0)
    assert Call.objects.get().last_sequence_number == 10


def test_another_way_is_refused():
    with pytest.raises(CommandError, match="invalid choice: 'thought'"):
        call_command("simulate_call", "--live=thought")
