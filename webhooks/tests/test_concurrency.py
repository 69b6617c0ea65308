"""At the same moment: copies of one webhook, a webhook and its call, many turns. Nothing is lost or done twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from calls.models import Call
from calls.turns import record_turn
from conftest import payload
from webhooks.models import WebhookDelivery


def at_once(*work):
    """Run these in threads that start together; their results in order, the first exception raised."""
    barrier = threading.Barrier(len(work))

    def run(one):
        barrier.wait(10)
        try:
            return one()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(work)) as threads:
        return [future.result(30) for future in [threads.submit(run, one) for one in work]]


def test_copies_of_one_webhook_are_one_delivery_and_one_effect(site, call):
    body = payload("transcription_docs_sample", call.conversation_id)
    responses = at_once(*[lambda: site.post_call(body)] * 12)
    assert {r.status_code for r in responses} == {200}
    assert len({str(sorted(r.json().items())) for r in responses}) == 1
    delivery = WebhookDelivery.objects.get()
    assert (delivery.times_received, delivery.times_applied) == (12, 1)


@pytest.mark.parametrize("name", ["transcription_docs_sample", "failure_twilio"])
def test_a_webhook_and_its_calls_registration_never_miss_each_other(site, name):
    answers = []
    for n in range(40):
        conversation_id = f"conv_{n}"
        response, _ = at_once(
            lambda c=conversation_id: site.post_call(payload(name, c)),
            lambda n=n, c=conversation_id: Call.register(call_sid=f"EL_{n}", conversation_id=c),
        )
        answers.append(response.status_code)
    assert set(answers) <= {200, 404}
    assert not Call.objects.filter(status="in_progress").exists(), answers
    assert set(WebhookDelivery.objects.values_list("outcome", "times_applied")) == {("applied", 1)}


def test_a_turn_and_its_calls_registration_never_miss_each_other(site):
    for n in range(40):
        call_sid = f"EL_{n}"
        at_once(
            lambda s=call_sid: site.turn(call_sid=s, speaker="agent", message="Hello"),
            lambda s=call_sid: Call.register(call_sid=s),
        )
    counts = [call.transcriptions.count() for call in Call.objects.all()]
    assert counts == [1] * 40


def test_a_waiting_webhook_that_is_sent_again_while_its_call_is_registered_is_applied_once(site):
    """Both want the delivery's row and the call's identifier: the order of locks keeps them from a deadlock."""
    for n in range(25):
        body = payload("transcription_docs_sample", f"conv_{n}")
        assert site.post_call(body).status_code == 404
        *repeats, _ = at_once(
            *[lambda b=body: site.post_call(b)] * 3,
            lambda n=n: Call.register(call_sid=f"EL_{n}", conversation_id=f"conv_{n}"),
        )
        assert {r.status_code for r in repeats} <= {200, 404}
    assert not Call.objects.exclude(status="completed").exists()
    assert set(WebhookDelivery.objects.values_list("outcome", "times_applied")) == {("applied", 1)}


def test_fifty_turns_at_once_are_numbered_1_to_50(site, call):
    responses = at_once(
        *[lambda n=n: site.turn(call_sid=call.call_sid, speaker="user", message=f"Turn {n}") for n in range(50)]
    )
    assert {r.status_code for r in responses} == {201}
    assert sorted(r.json()["sequence_number"] for r in responses) == list(range(1, 51))
    stored = call.transcriptions.order_by("id").values_list("sequence_number", flat=True)
    assert list(stored) == list(range(1, 51)), "ids and numbers grow together"
    call.refresh_from_db()
    assert call.last_sequence_number == 50


def test_turns_that_several_processes_record_are_numbered_without_gaps(transactional_db, call):
    """Not through one server, whose one writer would put them in order: the lock on the call does it."""
    recorded = at_once(*[lambda: record_turn(call, speaker_type="agent", message_text="Hello")] * 10)
    assert sorted(turn.sequence_number for turn, _ in recorded) == list(range(1, 11))


def test_one_turn_id_at_once_is_one_turn(site, call):
    turn = {"call_sid": call.call_sid, "speaker": "agent", "message": "Hello", "turn_id": "t-1"}
    responses = at_once(*[lambda: site.turn(**turn)] * 10)
    assert sorted(r.status_code for r in responses) == [200] * 9 + [201]
    assert {r.json()["sequence_number"] for r in responses} == {1}
    assert call.transcriptions.count() == 1


def test_everything_about_one_call_at_once_ends_in_the_same_state(site):
    for n in range(10):
        call = Call.register(call_sid=f"EL_{n}", conversation_id=f"conv_{n}")
        bodies = [payload(name, call.conversation_id) for name in ("transcription_docs_sample", "failure_twilio")]
        bodies += [payload("audio_small_mp3", call.conversation_id)]
        responses = at_once(
            *[lambda b=body: site.post_call(b) for body in bodies],
            *[lambda s=call.call_sid: site.turn(call_sid=s, speaker="agent", message="Hello")] * 3,
        )
        assert [r.status_code for r in responses] == [200, 200, 200, 201, 201, 201]
        call.refresh_from_db()
        assert (call.status, call.cost, call.last_sequence_number) == ("completed", 296, 3)
        assert call.recording.size_bytes


def test_one_inbound_call_announced_many_times_at_once_is_one_call(site):
    responses = at_once(*[lambda: site.init(call_sid="CA1", caller_id="+15550100002")] * 8)
    assert {r.status_code for r in responses} == {200}
    assert Call.objects.count() == 1
