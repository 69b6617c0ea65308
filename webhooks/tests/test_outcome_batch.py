"""Post-call webhooks that come together: each has its own answer, and none waits for another's call."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import transaction
from django.db.models import F
from django.db.models.signals import post_save

from calls.models import Call
from conftest import payload
from webhooks import post_call_batch
from webhooks.inbox import receive
from webhooks.models import WebhookDelivery


def bodies_of(count, first=0):
    return [payload("transcription_docs_sample", f"conv_{n}") for n in range(first, first + count)]


def registered(count):
    return [Call.register(call_sid=f"EL_{n}", conversation_id=f"conv_{n}") for n in range(count)]


def test_a_batch_is_taken_in_one_transaction_and_each_outcome_is_kept_and_answered(transactional_db):
    registered(3)
    raw = [json.dumps(body).encode() for body in bodies_of(3)]
    answers = post_call_batch.take_batch(raw)
    assert [answer.body["call_sid"] for answer in answers] == ["EL_0", "EL_1", "EL_2"]
    assert {answer.status for answer in answers} == {200}
    for delivery in WebhookDelivery.objects.all():
        assert (delivery.outcome, delivery.times_received, delivery.times_applied) == ("applied", 1, 1)
        assert delivery.answer_body["conversation_id"] == delivery.call.conversation_id == delivery.conversation_id
        assert bytes(delivery.body) in raw
        assert delivery.call.status == "completed"
        assert delivery.call.final_transcript


def test_outcomes_leave_the_same_rows_together_as_alone(transactional_db):
    """Whatever the values are: the statement for many binds them in its own way."""
    said = [
        {"cost": 0.1, "cost_fiat": 12345.678901, "call_duration_secs": 0, "big": 2**70, "small": 5e-324, "no": None},
        {"cost": 10**14, "start_time_unix_secs": 1784966400.123456, "texts": ['"', "\\", "\t\u2028 é 😀", "{}", ""]},
        {"cost": None, "call_duration_secs": "no number", "phone_call": {"direction": "inbound"}},
        None,
    ]
    bodies = [payload("transcription_docs_sample", f"conv_{n}") for n in range(len(said))]
    for body, metadata in zip(bodies, said, strict=True):
        body["data"] |= {"metadata": metadata, "analysis": None}
    bodies[0]["data"]["analysis"] = {"call_successful": "failure"}
    bodies[2]["data"] |= {"status": "failed", "transcript": None, "agent_name": "Zoë \\ 'x'"}
    raw = [json.dumps(body).encode() for body in bodies]

    def rows(model, order):
        left_out = {"id", "call_id", "updated_at", "created_at", "received_at", "applied_at"}
        rows = model.objects.order_by(order).values(*(f.attname for f in model._meta.concrete_fields))
        return [{name: value for name, value in row.items() if name not in left_out} for row in rows]

    taken = []
    for take in (
        post_call_batch.take_batch,
        lambda raw: [*post_call_batch.take_batch(raw[:1]), *post_call_batch.take_batch(raw[1:])],  # all NULL
        lambda raw: [receive("post-call", body) for body in raw],
    ):
        registered(len(said))
        answers = take(raw)
        assert all(answers)
        taken.append((answers, rows(Call, "call_sid"), rows(WebhookDelivery, "digest")))
        assert isinstance(taken[-1][1][0]["cost"], Decimal)
        assert Call.objects.filter(updated_at__gt=F("created_at")).count() == len(said)
        assert not WebhookDelivery.objects.exclude(call__conversation_id=F("conversation_id")).exists()
        WebhookDelivery.objects.all().delete()
        Call.objects.all().delete()
    together, in_two, alone = taken
    assert repr(together) == repr(in_two) == repr(alone)
    assert together[1][0]["metadata_json"]["big"] == 2**70
    assert together[1][0]["search_words"]


@pytest.mark.parametrize("together", [True, False])
def test_every_call_that_changes_is_announced_with_what_changed(together, transactional_db):
    registered(3)
    failed, older, newest = bodies_of(3)
    failed = payload("transcription_docs_sample", "conv_1")
    failed["data"]["status"], failed["event_timestamp"] = "failed", older["event_timestamp"] + 1
    receive("post-call", json.dumps(failed).encode())
    first = Call.objects.get(call_sid="EL_1")
    told, saved = [bodies_of(1)[0], older, newest], {}

    def hear(instance, created, update_fields, raw, **_):
        saved[instance.call_sid] = sorted(update_fields), created, raw

    post_save.connect(hear, sender=Call)
    try:
        raw = [json.dumps(body).encode() for body in told]
        assert all(post_call_batch.take_batch(raw) if together else [receive("post-call", body) for body in raw])
    finally:
        post_save.disconnect(hear, sender=Call)
    part = ["final_sequence_number", "status", "updated_at"]
    assert saved["EL_1"] == (part, False, False)
    assert saved["EL_0"] == saved["EL_2"]
    assert {"final_transcript", "search_words", "transcription_time", *part} < set(saved["EL_0"][0])
    call = Call.objects.get(call_sid="EL_1")
    assert (call.status, call.call_end_time, call.final_transcript) == (
        "completed",
        first.call_end_time,
        first.final_transcript,
    )


def test_what_is_not_usual_is_left_to_be_taken_alone(transactional_db):
    registered(3)
    usual, repeated, later = (json.dumps(body).encode() for body in bodies_of(3))
    post_call_batch.take_batch([repeated])
    unknown = json.dumps(payload("transcription_docs_sample", "conv_nobody")).encode()
    failure = json.dumps(payload("failure_twilio", "conv_2")).encode()
    others = [unknown, failure, b"{", b'{"type": "voice_removed"}']
    again = usual + b" "  # the same conversation, told once more
    answers = post_call_batch.take_batch([usual, repeated, *others, later, usual, again])
    assert [bool(answer) for answer in answers] == [True, False, *[False] * 4, True, False, False]
    assert WebhookDelivery.objects.count() == 3


def test_where_anything_is_in_the_way_nothing_is_kept_and_all_are_taken_alone(site, monkeypatch):
    def fail(*_):
        raise RuntimeError("made by the test")

    calls = registered(2)
    with monkeypatch.context() as patch:
        patch.setattr(post_call_batch, "_tellings", fail)
        assert post_call_batch.take_batch([b"{}"]) == [None]
        for body in bodies_of(2):
            assert site.post_call(body).status_code == 200
    assert {call.status for call in Call.objects.all()} == {"completed"}
    assert WebhookDelivery.objects.filter(outcome="applied").count() == len(calls)


def test_nobody_waits_for_a_call_that_is_held(site):
    held, *_ = registered(4)
    with ThreadPoolExecutor() as threads, transaction.atomic():
        Call.objects.select_for_update().get(pk=held.pk)
        waiting = threads.submit(site.post_call, bodies_of(1)[0])
        for body in bodies_of(3, first=1):
            assert threads.submit(site.post_call, body).result(4).status_code == 200
        assert not waiting.done()
    assert waiting.result(10).status_code == 200
