"""A call whose row somebody holds costs itself alone: one wait, then 500. Its turns keep their order."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from calls.models import Call
from conftest import payload, register_call
from webhooks.models import WebhookDelivery

pytestmark = pytest.mark.usefixtures("on_postgresql")
OF_A_CALL = ("failure_bare", "transcription_docs_sample", "audio_small_mp3")
UNAVAILABLE = "Database temporarily unavailable"


def say(site, call, message):
    return site.turn(call_sid=call.call_sid, speaker="agent", message=message)


@contextmanager
def held(*calls):
    """Their rows are held by another connection, as by a transaction that hangs."""
    with transaction.atomic():
        assert list(Call.objects.select_for_update().filter(pk__in=[call.pk for call in calls]))
        yield


@contextmanager
def locked(table):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.fixture
def threads():
    with ThreadPoolExecutor(60) as threads:
        yield threads


def texts(call):
    return list(call.transcriptions.order_by("sequence_number").values_list("message_text", flat=True))


def settled(waiting):
    """Wait until whatever was sent has reached its place behind the held call."""
    time.sleep(0.5)
    assert not any(future.done() for future in waiting)


def test_turns_of_other_calls_are_stored_while_a_call_is_held(site, call, threads):
    other = register_call()
    with held(call):
        waiting = threads.submit(say, site, call, "held")
        for n in range(10):
            assert threads.submit(say, site, other, f"Turn {n}").result(4).status_code == 201
        assert not waiting.done()
    assert waiting.result(10).status_code == 201


def test_turns_of_a_held_call_are_stored_in_the_order_in_which_they_came(site, call, threads):
    with held(call):
        waiting = []
        for n in range(12):
            waiting.append(threads.submit(say, site, call, f"Turn {n}"))
            time.sleep(0.05)
        settled(waiting)
    assert {future.result(10).status_code for future in waiting} == {201}
    assert texts(call) == [f"Turn {n}" for n in range(12)]


def test_turns_keep_their_order_where_the_call_has_something_to_learn_from_each(site, call, threads):
    """They go through the inbox one by one, with what each tells of the call."""
    with held(call):
        waiting = []
        for n in range(8):
            ids = {"call_sid": call.call_sid, "conversation_id": call.conversation_id, "agent_id": "agent_1"}
            waiting.append(threads.submit(site.turn, speaker="agent", message=f"Turn {n}", **ids))
            time.sleep(0.05)
        settled(waiting)
    assert {future.result(10).status_code for future in waiting} == {201}
    assert texts(call) == [f"Turn {n}" for n in range(8)]


def test_a_turn_of_a_call_that_stays_held_is_answered_500_and_nothing_of_it_is_stored(site, call, threads):
    with held(call):
        first, second = threads.submit(say, site, call, "first"), threads.submit(say, site, call, "second")
        answers = [first.result(9), second.result(9)]
    assert {answer.status_code for answer in answers} == {500}
    assert {answer.json()["details"] for answer in answers} == {UNAVAILABLE}
    assert texts(call) == []
    assert not WebhookDelivery.objects.exists()
    assert say(site, call, "afterwards").json()["sequence_number"] == 1


def test_webhooks_of_others_are_applied_while_many_calls_are_held(site, threads):
    *calls, other = [register_call() for _ in range(13)]
    with held(*calls):
        waiting = [threads.submit(say, site, call, "held") for call in calls]
        for call in calls:
            failure = payload("failure_bare", call.conversation_id)
            waiting.append(threads.submit(site.post_call, failure))
        settled(waiting)
        assert threads.submit(say, site, other, "Hello").result(4).status_code == 201
        for name in OF_A_CALL:
            body = payload(name, other.conversation_id)
            assert threads.submit(site.post_call, body).result(4).status_code == 200
        assert threads.submit(site.init, call_sid="CA_1").result(4).status_code == 200
        assert WebhookDelivery.objects.filter(call__call_sid="CA_1").exists()
        assert not any(future.done() for future in waiting)
    assert {future.result(15).status_code for future in waiting} <= {200, 201, 500}


def test_what_waits_for_a_held_call_is_limited_and_the_rest_is_told_to_come_again_at_once(
    site, call, threads, monkeypatch
):
    monkeypatch.setattr("webhooks.held_calls.LIMIT", 2)
    monkeypatch.setattr("webhooks.batching.group_commit.BEHIND", 3)
    failures = [{**payload("failure_bare", call.conversation_id), "event_timestamp": 1700000000 + n} for n in range(5)]
    with held(call):
        turns = [threads.submit(say, site, call, f"Turn {n}") for n in range(6)]
        refused = [future for future in turns if wait_briefly(future)]
        assert {future.result().status_code for future in refused} == {500}
        assert len(refused) == 2, "one waits for the call, three behind it"
        outcomes = [threads.submit(site.post_call, body) for body in failures]
        refused = [future for future in outcomes if wait_briefly(future)]
        assert {future.result().status_code for future in refused} == {500}
        assert len(refused) == 4, "a turn waits already"
    assert sorted(future.result(15).status_code for future in turns) == [201] * 4 + [500] * 2
    assert sorted(future.result(15).status_code for future in outcomes) == [200] + [500] * 4


def wait_briefly(future):
    """Whether it is answered long before a lock has been waited for."""
    try:
        future.result(0.5)
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("table", ["calls_call", "calls_calltranscription"])
def test_a_locked_table_is_waited_for_once(site, call, threads, table):
    """Longer than the server's threads would wait one after the other, were each to begin anew."""
    answers = []
    with locked(table):
        began = time.monotonic()
        waiting = [threads.submit(say, site, call, f"Turn {n}") for n in range(20)]
        if table == "calls_call":
            bodies = [payload(name, call.conversation_id) for name in OF_A_CALL]
            waiting += [threads.submit(site.post_call, body) for body in bodies]
        answers = [future.result(15) for future in waiting]
        assert time.monotonic() - began < 12
    assert {answer.status_code for answer in answers} == {500}
    assert texts(call) == []
    assert say(site, call, "afterwards").status_code == 201


def test_a_turn_whose_sender_waits_no_longer_lets_those_behind_it_go_on(site, call, threads, monkeypatch):
    """The server answers in time whatever the inbox does; nothing stays behind a turn that nobody waits for."""
    monkeypatch.setattr("webhooks.views.LiveTurn.longest_seconds", 1)
    with held(call):
        assert threads.submit(say, site, call, "too long").result(8).status_code == 500
        behind = threads.submit(say, site, call, "behind")
        time.sleep(0.2)
    assert behind.result(8).status_code == 201
    assert texts(call) == ["behind"]


def test_a_call_that_is_held_all_the_time_by_different_transactions_loses_no_turn(site, call, threads):
    over = threading.Event()

    def hold_again_and_again():
        while not over.is_set():
            with held(call):
                time.sleep(0.1)
        connection.close()

    holder = threads.submit(hold_again_and_again)
    sent = [threads.submit(say, site, call, f"Turn {n}") for n in range(20)]
    statuses = [future.result(15).status_code for future in sent]
    over.set()
    holder.result(10)
    assert statuses == [201] * 20
    assert sorted(call.transcriptions.values_list("sequence_number", flat=True)) == list(range(1, 21))
