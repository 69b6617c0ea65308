"""Calls of which nothing is heard any more are ended, and no others, whoever else is at work on them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from calls import silence
from calls.management.commands import end_silent_calls as command
from calls.models import Call, CallTranscription
from calls.outcome import CallFailure, PostCallData
from calls.silence import end_silent_calls, silent_since
from lab.stack.webserver import CHECKOUT

HOURS = 6


def ago(**duration):
    return timezone.now() - timedelta(**duration)


def old(call_sid, **fields):
    """A call that was registered seven hours ago."""
    call = Call.register(call_sid=call_sid, **fields)
    Call.objects.filter(pk=call.pk).update(created_at=ago(hours=7))
    return call


def heard(call, **duration):
    """A turn that came so long ago."""
    number = call.transcriptions.count() + 1
    CallTranscription.objects.create(
        call=call, sequence_number=number, speaker_type="agent", message_text="?", timestamp=ago(days=3),
        created_at=ago(**duration),
    )  # fmt: skip
    Call.objects.filter(pk=call.pk).update(last_sequence_number=number)


def in_progress():
    return set(Call.objects.filter(status="in_progress").values_list("call_sid", flat=True))


def test_the_last_turn_or_else_the_start_decides(db):
    Call.register(call_sid="new")
    Call.register(call_sid="began long ago", call_start_time=ago(hours=7))
    old("registered long ago")
    old("began lately", call_start_time=ago(hours=1))
    old("will begin", call_start_time=timezone.now() + timedelta(days=1))
    heard(old("heard lately"), hours=5)
    heard(old("heard long ago"), hours=6.5)
    several = old("a history brought an older turn last")
    heard(several, hours=5)
    heard(several, hours=6.5)
    assert end_silent_calls(HOURS) == 3
    assert in_progress() == {
        *("new", "began lately", "will begin", "heard lately", "a history brought an older turn last"),
    }
    for call in Call.objects.filter(status="failed"):
        assert call.failure_reason == "Nothing was heard of this call for 6 hours, so callsite ended it."
        assert call.call_end_time > ago(minutes=1)
    assert end_silent_calls(HOURS) == 0


def test_threads_and_text_only_conversations_may_be_silent(site):
    for name, call_sid in (("thread", ""), ("phone", "CA1")):
        site.init(caller_id="+1", agent_id="a", called_number="", call_sid=call_sid, conversation_id=name)
    for name, metadata in (("text", {"text_only": True}), ("wa", {"whatsapp": {"id": 1}}), ("sms", {"sms": {}})):
        old(name, metadata_json=metadata)
    for name, metadata in (("voice", {"text_only": False, "whatsapp": None, "sms": None}), ("odd", []), ("none", None)):
        old(name, metadata_json=metadata)
    Call.objects.update(created_at=ago(days=9))
    assert end_silent_calls(HOURS) == 4
    assert in_progress() == {"thread", "text", "wa", "sms"}


def test_what_has_ended_stays_as_it_is(db):
    old("completed").update_post_call_data(PostCallData(event_time=ago(hours=6.5)))
    old("failed").record_failed(CallFailure(event_time=ago(hours=6.5), failure_reason="busy"))
    before = list(Call.objects.order_by("pk").values())
    assert end_silent_calls(HOURS) == 0
    assert list(Call.objects.order_by("pk").values()) == before


def test_many_are_ended_in_steps(db, monkeypatch):
    monkeypatch.setattr(silence, "STEP", 3)
    for number in range(8):
        old(f"EL_{number}")
    assert end_silent_calls(HOURS) == 8


def test_two_at_once_share_the_work(site, monkeypatch):
    monkeypatch.setattr(silence, "STEP", 7)
    for number in range(40):
        old(f"EL_{number}")

    def work(_):
        try:
            return end_silent_calls(HOURS)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as both:
        assert sum(both.map(work, range(2))) == 40
    assert not in_progress()


def test_a_call_that_speaks_again_before_its_lock_is_left_alone(db):
    call = old("EL_1")
    moment = ago(hours=HOURS)
    assert list(silent_since(moment)) == [call]
    heard(call, minutes=1)
    assert not silence._end_if_silent(call.pk, moment, "silent")
    assert in_progress() == {"EL_1"}


def test_a_call_that_somebody_holds_is_not_waited_for(on_postgresql, site, caplog):
    held, free = old("held"), old("free")
    holds, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            Call.objects.select_for_update().get(pk=held.pk)
            holds.set()
            done.wait(30)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert holds.wait(10)
        assert end_silent_calls(HOURS) == 1
    finally:
        done.set()
        thread.join()
    assert in_progress() == {"held"}
    assert "could not be ended" not in caplog.text, "nor was its lock asked for"
    free.refresh_from_db()
    assert end_silent_calls(HOURS) == 1


def test_a_call_that_cannot_be_ended_holds_up_no_other(db, monkeypatch):
    bad = old("bad").pk
    for number in range(3):
        old(f"EL_{number}")
    end = silence.end

    def fails(call, reason):
        if call.pk == bad:
            raise OperationalError("disk full")
        return end(call, reason)

    monkeypatch.setattr(silence, "end", fails)
    assert end_silent_calls(HOURS) == 3
    assert in_progress() == {"bad"}


def test_the_look_up_walks_calls_in_progress_in_their_index(on_postgresql):
    """On a table where calls in progress are few."""
    Call.objects.bulk_create(
        Call(call_sid=f"EL_{n}", status="completed", final_sequence_number=0) for n in range(5_000)
    )
    old("EL_old")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE calls_call")
    plan = silent_since(ago(hours=HOURS)).order_by("pk")[:500].explain()
    assert "call_status" in plan, plan
    assert "Seq Scan on calls_call " not in plan, plan


def test_the_command_says_how_many_and_nothing_is_ended_with_zero_hours(db, settings, capsys):
    old("EL_1")
    settings.CALLS_END_AFTER_SILENT_HOURS = 0
    call_command("end_silent_calls")
    assert "CALLS_END_AFTER_SILENT_HOURS is 0, so no call is ended." in capsys.readouterr().out
    assert in_progress() == {"EL_1"}
    for hours in (8, 99_999_999, 10**18 - 1):
        settings.CALLS_END_AFTER_SILENT_HOURS = hours
        call_command("end_silent_calls")
        assert "Ended 0 calls" in capsys.readouterr().out
    settings.CALLS_END_AFTER_SILENT_HOURS = 6
    call_command("end_silent_calls")
    assert "Ended 1 calls" in capsys.readouterr().out


@pytest.mark.parametrize("every", [0, -1, 86_401])
def test_an_interval_out_of_range_is_refused(db, every):
    with pytest.raises(CommandError, match="between 1 and 86400"):
        call_command("end_silent_calls", every=every)


def test_a_round_that_fails_is_followed_by_the_next(db, settings, monkeypatch):
    settings.CALLS_END_AFTER_SILENT_HOURS = 6
    old("EL_1")
    rounds = iter([OperationalError("away"), ValueError("a fault"), None, KeyboardInterrupt()])

    def fail_first(hours):
        if failure := next(rounds):
            raise failure
        return end_silent_calls(hours)

    monkeypatch.setattr(command, "end_silent_calls", fail_first)
    monkeypatch.setattr(command, "close_old_connections", lambda: None)
    monkeypatch.setattr(command, "waited", lambda *_: True)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    call_command("end_silent_calls", every=1)
    assert not in_progress()


def test_the_loop_ends_calls_and_ends_with_the_process_that_started_it(site, starts_programs, only_postgresql):
    """As `make run` starts it: beside the server, which takes the place of the shell."""
    old("EL_1")
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    loop = f"{sys.executable} manage.py end_silent_calls --every 60 --parent $$"
    script = f"{loop} & exec {sys.executable} -c 'import sys; sys.stdin.read()'"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        ["sh", "-c", script], cwd=CHECKOUT, env={**os.environ, "DATABASE_URL": database}, **pipes
    ) as parent:
        deadline = time.monotonic() + 60
        while in_progress() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert parent.poll() is None
        parent.communicate(timeout=30)  # until the loop, which has the output too, is gone
    assert not in_progress()
