"""Reconciling against a real HTTP server in ElevenLabs' place, which knows more than callsite was told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from calls.models import Call, CallRecording
from calls.registration import register
from conftest import until
from lab.stack.webserver import CHECKOUT
from upstream import patience, reconciling
from upstream.alone import Taken, alone
from upstream.client import Client
from upstream.dialing import new_order, place
from upstream.dialing import register as register_dial
from upstream.models import MissingRecording, ReconcileRound
from upstream.reconciling import reconcile

EVENT_TIMES = {"call_end_time", "transcription_time"}


@pytest.fixture(autouse=True)
def elevenlabs(lonely_stub, transactional_db, settings, monkeypatch):
    """No webhook of it arrives."""
    monkeypatch.setattr(patience, "FIRST_PAUSE_SECONDS", 0.05)
    lonely_stub.behaviour.live = "none"
    settings.DIAL_ALLOWED_PREFIXES = ["+1555"]
    return lonely_stub


def run(**kwargs):
    return reconcile(Client.from_settings(), **kwargs)


def known(conversation):
    register(call_sid=conversation.call.provider_sid, conversation_id=conversation.call.conversation_id)
    return conversation


def running(stub):
    conversation = stub.place(stub.new_conversation())
    conversation.status = "in-progress"
    return conversation


def state():
    """All that calls are, but for keys and the times at which they were told."""
    hidden = {"id", "created_at", "updated_at", "search_words", *EVENT_TIMES}
    rows = [{name: value for name, value in row.items() if name not in hidden} for row in Call.objects.values()]
    recordings = CallRecording.objects.values_list("call__call_sid", "sha256")
    return sorted(rows, key=lambda row: row["call_sid"]), sorted(recordings)


def test_one_round_repairs_a_dead_webhook(elevenlabs):
    over = [known(elevenlabs.call_agent()) for _ in range(3)]
    missed, still = elevenlabs.call_agent(), known(running(elevenlabs))
    untold = running(elevenlabs)
    done = run()
    assert (done.ended_calls, done.created_calls, done.linked_calls, done.recordings) == (3, 2, 1, 4)
    assert (done.seen, done.running, done.failed, done.error) == (6, 2, 0, "")
    for conversation in [*over, missed]:
        call = Call.objects.get_by_conversation_id(conversation.call.conversation_id)
        assert (call.status, call.final_transcript is None) == ("completed", False)
        assert CallRecording.objects.filter(call=call).exists()
    for conversation in (still, untold):
        assert Call.objects.get_by_conversation_id(conversation.call.conversation_id).status == "in_progress"


def test_a_second_round_changes_nothing_and_asks_little(elevenlabs):
    for _ in range(3):
        known(elevenlabs.call_agent())
    run()
    before = state()
    again = run()
    assert state() == before
    assert (again.ended_calls, again.created_calls, again.recordings, again.failed) == (0, 0, 0, 0)
    assert again.requests == 2, "the two lists"


def test_calls_that_no_list_has_are_asked_for_one_by_one(elevenlabs, monkeypatch):
    conversation = known(elevenlabs.call_agent())
    conversation.call.started_at -= 30 * 86_400
    assert run().ended_calls == 1
    assert Call.objects.get().status == "completed"


def test_many_pages_are_read_to_their_end(elevenlabs, monkeypatch):
    monkeypatch.setattr(reconciling, "PAGE_SIZE", 2)
    for _ in range(5):
        elevenlabs.call_agent()
    assert run().created_calls == 5


def test_conversations_of_agents_that_callsite_does_not_know_are_left_alone(elevenlabs, settings):
    elevenlabs.call_agent()
    settings.ELEVENLABS_AGENT_ID = "agent_of_ours"
    assert (run().of_others, Call.objects.count()) == (1, 0)
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = True
    assert run(since=timezone.now() - timedelta(days=1)).created_calls == 1


@pytest.mark.parametrize("over", [True, False])
def test_a_dial_without_an_answer_is_settled_by_its_conversation(elevenlabs, over):
    elevenlabs.behaviour.endless, elevenlabs.behaviour.overtakes = not over, True
    elevenlabs.fail("outbound-call", "garbage")
    order = new_order(driver_id="DRV_1", to_number="+15550100003")
    assert place(order, register_dial(order), Client.from_settings()).status == 202
    run()
    call = Call.objects.get()
    assert (call.status, call.dial_state) == ("completed" if over else "in_progress", "placed")
    assert call.conversation_id in elevenlabs.conversations


@pytest.mark.parametrize("state", ["asking", "unknown"])
def test_a_dial_that_elevenlabs_knows_nothing_of_fails_after_a_while(elevenlabs, state):
    order = new_order(driver_id="DRV_1", to_number="+15550100003")
    call = register_dial(order)
    Call.objects.filter(pk=call.pk).update(dial_state=state)
    run()
    assert Call.objects.get().status == "in_progress", "it may not be listed yet"
    Call.objects.filter(pk=call.pk).update(created_at=timezone.now() - timedelta(minutes=11))
    assert run().dials_settled == 1
    call.refresh_from_db()
    assert (call.status, call.dial_state, bool(call.failure_reason)) == ("failed", "refused", True)


def test_a_failure_that_the_webhook_told_better_stays(elevenlabs):
    elevenlabs.behaviour.unanswered = True
    conversation = known(elevenlabs.call_agent())
    Call.objects.update(status="failed", failure_reason="no-answer", final_sequence_number=0)
    assert run().ended_calls == 0
    assert Call.objects.get().failure_reason == "no-answer"
    assert conversation.status == "failed"


def test_a_conversation_without_audio_is_asked_for_it_once(elevenlabs):
    elevenlabs.behaviour.recorded = False
    known(elevenlabs.call_agent())
    run()
    Call.objects.update(call_end_time=timezone.now() - timedelta(hours=1))
    assert MissingRecording.objects.count() == 0, "it may still come"
    run()
    assert MissingRecording.objects.count() == 1
    assert run().requests == 2


def test_a_recording_that_is_too_large_is_asked_for_once(elevenlabs, settings):
    elevenlabs.behaviour.recorded = True
    settings.WEBHOOK_MAX_BYTES = 100
    known(elevenlabs.call_agent())
    run()
    Call.objects.update(call_end_time=timezone.now() - timedelta(hours=1))
    elevenlabs.requests.clear()
    run()
    assert sum(path.endswith("/audio") for _, path, _ in elevenlabs.requests) == 1
    assert (MissingRecording.objects.count(), run().requests) == (1, 2)


def test_recordings_that_cannot_be_had_do_not_hold_the_watermark(elevenlabs, monkeypatch):
    elevenlabs.behaviour.recorded = True
    known(elevenlabs.call_agent())
    monkeypatch.setattr(patience, "PAUSES_SECONDS", 0.01)
    elevenlabs.fail("/audio", "500", None)
    done = run()
    assert (done.ended_calls, done.error) == (1, "Internal server error")
    assert done.watermark == done.started_at - reconciling.LIST_LAG


def test_reconciling_backs_off_while_elevenlabs_has_too_many_requests(elevenlabs):
    known(elevenlabs.call_agent())
    elevenlabs.fail("/conversations", "429", 3, headers={})
    elevenlabs.fail("/conversations/", "500", 2)
    done = run()
    assert (done.ended_calls, done.error) == (1, "")
    assert done.requests > 5


def test_a_round_that_may_ask_no_more_says_so_and_the_watermark_stays(elevenlabs, monkeypatch):
    known(elevenlabs.call_agent())
    run()
    watermark = ReconcileRound.objects.get().watermark
    monkeypatch.setattr(patience, "PAUSES_SECONDS", 0.1)
    elevenlabs.fail("/conversations", "429", None)
    with pytest.raises(CommandError, match="Too many calls at once"):
        call_command("reconcile_calls")
    assert ReconcileRound.objects.first().watermark is None
    elevenlabs.faults.clear()
    assert run().since == watermark


def test_a_wrong_key_ends_the_round_at_once(elevenlabs, settings):
    settings.ELEVENLABS_API_KEY = "sk_wrong"
    done = run()
    assert (done.error, done.requests) == ("Invalid API key. Check ELEVENLABS_API_KEY.", 1)


def test_one_conversation_that_cannot_be_read_costs_no_other_and_is_tried_again(elevenlabs):
    bad, good = known(elevenlabs.call_agent()), known(elevenlabs.call_agent())
    elevenlabs.fail(bad.call.conversation_id, "500", None)
    done = run()
    assert done.failed >= 1
    assert done.watermark.timestamp() <= bad.call.started_at
    status = dict(Call.objects.values_list("conversation_id", "status"))
    assert (status[bad.call.conversation_id], status[good.call.conversation_id]) == ("in_progress", "completed")
    elevenlabs.faults.clear()
    assert run().ended_calls == 1


def test_the_next_round_begins_at_the_watermark(elevenlabs):
    first = run()
    assert first.watermark == first.started_at - reconciling.LIST_LAG
    assert run().since == first.watermark
    assert f"call_start_after_unix={int(first.watermark.timestamp())}" in elevenlabs.requests[-2][1]


def test_only_one_reconciles_at_a_time(elevenlabs, only_postgresql):
    with alone(), pytest.raises(Taken):
        run()
    assert run().error == ""


def test_a_round_that_is_killed_half_way_and_run_twice_ends_in_the_same_state(
    elevenlabs, only_postgresql, starts_programs, settings
):
    conversations = [elevenlabs.call_agent() for _ in range(8)]
    for conversation in conversations[:5]:
        known(conversation)
    elevenlabs.latency_seconds = 0.1
    database = connection.settings_dict
    url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
    env = {
        **os.environ,
        "DATABASE_URL": url,
        "ELEVENLABS_API_URL": settings.ELEVENLABS_API_URL,
        "ELEVENLABS_API_KEY": settings.ELEVENLABS_API_KEY,
        "ELEVENLABS_AGENT_ID": settings.ELEVENLABS_AGENT_ID,
    }
    process = subprocess.Popen([sys.executable, "manage.py", "reconcile_calls"], cwd=CHECKOUT, env=env)
    try:
        until(lambda: Call.objects.filter(status="completed").count() >= 3, 60)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    assert Call.objects.filter(status="completed").count() < 8, "it was killed half-way"
    assert ReconcileRound.objects.get().ended_at is None
    elevenlabs.latency_seconds = 0
    until(lambda: not _is_taken(), seconds=15)
    run(since=timezone.now() - timedelta(days=1))
    run(since=timezone.now() - timedelta(days=1))
    interrupted = state()
    assert {row["status"] for row in interrupted[0]} == {"completed"}
    Call.objects.all().delete()
    for conversation in conversations[:5]:
        known(conversation)
    run(since=timezone.now() - timedelta(days=1))
    assert state() == interrupted


def _is_taken():
    try:
        with alone():
            return False
    except Taken:
        return True


def test_the_command_goes_on_every_so_often_until_it_is_stopped(elevenlabs, monkeypatch):
    rounds, handlers = [], {}
    monkeypatch.setattr("signal.signal", lambda number, handler: handlers.setdefault(number, handler))

    def count(self, since, stop):
        rounds.append(since)
        if len(rounds) == 2:
            raise RuntimeError("a round fails")
        if len(rounds) == 3:
            handlers[signal.SIGTERM](signal.SIGTERM, None)
        return ""

    monkeypatch.setattr("upstream.management.commands.reconcile_calls.Command.round", count)
    monkeypatch.setattr(threading.Event, "wait", lambda self, timeout=None: self.is_set())
    call_command("reconcile_calls", "--every", "300", "--since", "2h")
    assert [since is None for since in rounds] == [False, True, True]


def test_its_numbers_are_printed_and_stand_in_the_metrics_and_the_admin(elevenlabs, capsys, admin_client):
    known(elevenlabs.call_agent())
    call_command("reconcile_calls")
    assert "ended calls 1" in capsys.readouterr().out
    from upstream.round_metrics import LAST_ROUND

    LAST_ROUND._read_at = 0
    metrics = admin_client.get("/metrics").text
    assert 'callsite_reconcile_last_round{count="ended_calls"} 1.0' in metrics
    assert "callsite_reconcile_complete 1.0" in metrics
    assert admin_client.get("/admin/upstream/reconcileround/").status_code == 200


def test_without_a_key_it_says_what_to_set(settings):
    settings.ELEVENLABS_API_KEY = ""
    with pytest.raises(CommandError, match="ELEVENLABS_API_KEY"):
        call_command("reconcile_calls")


def test_where_no_list_can_be_had_calls_in_progress_are_asked_for_all_the_same(elevenlabs):
    known(elevenlabs.call_agent())
    elevenlabs.fail("/v1/convai/conversations", "404", 2)
    done = run()
    assert (done.ended_calls, done.recordings, done.watermark) == (1, 1, None)
    assert "cannot be listed" in done.error
