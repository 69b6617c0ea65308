"""Post-call webhooks that come together leave the same rows as alone, each has its own answer, and none waits."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.db import transaction
from django.db.models import F
from django.db.models.signals import post_save

from calls.models import Call, effects
from calls.postgres.outcomes import JSON_COLUMNS, PLAIN_COLUMNS
from conftest import payload
from webhooks.batching import outcomes
from webhooks.inbox import receive
from webhooks.models import WebhookDelivery

GOOD = "transcription_docs_sample"
# by an outcome; what links a call is written when it is linked
LEFT_ALONE = {
    *("id", "call_sid", "conversation_id", "driver_id", "last_sequence_number", "created_at"),
    *("name_rank", "numbering", "answered_by", "has_history", "reviewed_at", "reviewed_by"),
    "dial_state",  # a call whose conversation is known has been placed already
}


@pytest.fixture
def together(transactional_db, on_postgresql):
    """Gives bodies to the batch at the same moment; the answers."""

    async def take(bodies):
        return await asyncio.gather(*map(outcomes.take, bodies))

    return lambda bodies: asyncio.run(take(bodies))


@pytest.fixture
def as_served(together):
    """The same, and what the batch leaves goes to the inbox: of SAID the one that names another call."""

    def take(bodies):
        answers = together(bodies)
        assert answers.count(None) <= 1
        return [answer or receive("post-call", body) for answer, body in zip(answers, bodies, strict=True)]

    return take


def alone(bodies):
    return [receive("post-call", body) for body in bodies]


def body_of(number, **changes):
    body = payload(GOOD, f"conv_{number}")
    metadata = body["data"]["metadata"] | changes.pop("metadata", {})
    body["data"] |= {"metadata": metadata, **changes}
    return body


def raw(*bodies):
    return [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]


def registered(count):
    return [Call.register(call_sid=f"EL_{n}", conversation_id=f"conv_{n}") for n in range(count)]


def rows(model, order):
    """All that is stored, without keys, and without the times of the clock."""
    left_out = {"id", "call_id", "updated_at", "created_at", "received_at", "applied_at"}
    rows = model.objects.order_by(order).values(*(f.attname for f in model._meta.concrete_fields))
    return [{name: value for name, value in row.items() if name not in left_out} for row in rows]


SAID = {
    "as in the documentation": body_of(0),
    "numbers": body_of(
        1,
        metadata={"cost": 0.1, "cost_fiat": 12345.678901, "call_duration_secs": 0, "big": 2**70, "small": 5e-324},
    ),
    "a large cost, a time with a fraction": body_of(
        2, metadata={"cost": 10**14, "start_time_unix_secs": 1784966400.123456}
    ),
    "odd texts": body_of(
        3,
        metadata={"texts": ['"', "\\", "\t\u2028 é 😀", "{}", "", "%s %(a)s", "'; --", "\x00", "\ud800"]},
        agent_name="Zoë \\ 'x' %s",
        analysis={"transcript_summary": "NUL \x00, half a pair \ud800, {a,b} \\x00 NULL"},
    ),
    "no numbers": body_of(4, metadata={"cost": None, "call_duration_secs": "no number", "cost_fiat": True}),
    "inbound": body_of(
        5, metadata={"phone_call": {"direction": "inbound", "agent_number": "+1", "external_number": "+2"}}
    ),
    "failed": body_of(6, status="failed", transcript=None, metadata={"termination_reason": "no \\ answer"}),
    "nothing but the ids": {
        "type": "post_call_transcription",
        "event_timestamp": 1784966400,
        "data": {"conversation_id": "conv_7"},
    },
    "JSON of another kind": body_of(8, transcript=[1, None, "x", {"message": 5}], analysis={}) | {"more": [[]]},
    "long": body_of(
        9,
        agent_name="n" * 300,
        transcript=[{"role": "agent", "message": f"word{n} " * 40, "tool_calls": [{"n": n}]} for n in range(300)],
    ),
    "a call_sid of its own": body_of(
        10, conversation_initiation_client_data={"dynamic_variables": {"call_sid": "EL_0"}}
    ),
    "the time as text": body_of(11) | {"event_timestamp": "2026-01-02T03:04:05.678901+05:30"},
}


def test_outcomes_leave_the_same_rows_together_as_alone(as_served):
    bodies = raw(*SAID.values())
    left = []
    for take in (as_served, alone, lambda bodies: [*as_served(bodies[7:8]), *as_served(bodies[:7] + bodies[8:])]):
        registered(len(bodies))
        failed = payload("failure_twilio", "conv_6")
        failed["event_timestamp"] = 1
        assert alone(raw(failed, payload("failure_twilio", "conv_0")))[0].status == 200
        answers = sorted(take(bodies), key=lambda answer: answer.body["conversation_id"])
        left.append((answers, rows(Call, "call_sid"), rows(WebhookDelivery, "digest")))
        assert isinstance(Call.objects.get(call_sid="EL_1").cost, Decimal)
        assert not Call.objects.filter(updated_at__lte=F("created_at")).exists()
        assert not WebhookDelivery.objects.exclude(call__conversation_id=F("conversation_id")).exists()
        assert not WebhookDelivery.objects.exclude(applied_at__gte=F("received_at")).exists()
        WebhookDelivery.objects.all().delete()
        Call.objects.all().delete()
    for other in left[1:]:
        assert repr(left[0]) == repr(other)
    answers, calls, kept = left[0]
    assert {answer.status for answer in answers} == {200}
    assert calls[1]["metadata_json"]["big"] == 2**70
    assert calls[3]["search_words"]
    assert len({delivery["digest"] for delivery in kept}) == len(bodies) + 2


def test_each_column_of_a_call_is_written_by_an_outcome_or_left_alone_on_purpose():
    """A column that is new has to be put into the statement, or into the list above."""
    columns = {field.column for field in Call._meta.concrete_fields}
    assert columns == {*PLAIN_COLUMNS, *JSON_COLUMNS, "search_words"} | LEFT_ALONE


def test_each_column_of_a_delivery_is_written():
    columns = {field.column for field in WebhookDelivery._meta.concrete_fields}
    assert columns == {*outcomes.COLUMNS, "body", "id"}


def test_every_call_that_changes_is_announced_as_alone_with_what_changed(as_served):
    told = []

    def hear(instance, **signal):
        told[-1][instance.call_sid] = {**signal, "signal": None}, instance.former_status, instance.status

    for take in (as_served, alone):
        registered(len(SAID))
        told.append({})
        post_save.connect(hear, sender=Call)
        try:
            assert all(take(raw(*SAID.values())))
        finally:
            post_save.disconnect(hear, sender=Call)
        WebhookDelivery.objects.all().delete()
        Call.objects.all().delete()
    assert told[0] == told[1]
    assert len(told[0]) == len(SAID)
    written = {*PLAIN_COLUMNS, *JSON_COLUMNS, "search_words"}
    assert all(signal["update_fields"] <= written for signal, *_ in told[0].values())


def test_what_is_not_usual_is_left_to_the_inbox(together):
    registered(5)
    usual, repeated, refreshed, failing, later = raw(*(body_of(n) for n in range(5)))
    alone([repeated, refreshed])
    newer, older = body_of(2), body_of(2)
    newer["event_timestamp"] += 1
    older["event_timestamp"] -= 1
    others = raw(
        repeated,
        newer,
        older,
        payload(GOOD, "conv_nobody"),
        payload("failure_twilio", "conv_3"),
        payload("audio_small_mp3", "conv_3"),
        b"{",
        b"\xff",
        b'{"type": "voice_removed"}',
        failing.ljust(outcomes.MAX_BYTES + 1),
    )
    again = usual + b" "  # the same conversation, told once more
    before = rows(WebhookDelivery, "id")
    answers = together([usual, *others, later, usual, again])
    assert [bool(answer) for answer in answers] == [True, *[False] * len(others), True, False, False]
    assert rows(WebhookDelivery, "id")[: len(before)] == before
    assert WebhookDelivery.objects.count() == len(before) + 2
    assert Call.objects.filter(status="in_progress").get().conversation_id == "conv_3"


def test_a_webhook_that_was_kept_as_failed_leaves_its_batch_to_the_inbox_when_it_comes_again(together, monkeypatch):
    """Its row is there, though its call has no transcription, so the insertion of a second row undoes the batch."""
    registered(2)
    first, other = raw(*(body_of(n) for n in range(2)))
    with monkeypatch.context() as patch:
        patch.setattr(effects, "take_post_call_data", lambda *_: 1 / 0)
        assert alone([first])[0].status == 500
    assert together([first, other]) == [None, None]
    assert [answer.status for answer in alone([first, other])] == [200, 200]
    assert sorted(WebhookDelivery.objects.values_list("times_received", flat=True)) == [1, 2]


def test_elsewhere_than_on_postgresql_nothing_is_batched(monkeypatch):
    monkeypatch.setattr(outcomes, "connection", SimpleNamespace(vendor="sqlite"))
    monkeypatch.setattr(outcomes, "_group", None)
    assert asyncio.run(outcomes.take(b"{}")) is None


@pytest.mark.parametrize("place", ["webhooks.batching.outcomes.execute", "calls.postgres.outcomes.execute"])
def test_a_batch_that_fails_leaves_nothing_and_the_inbox_takes_each(together, site, monkeypatch, place):
    def fail(*_):
        raise RuntimeError("made by the test")

    registered(3)
    with monkeypatch.context() as patch:
        patch.setattr(place, fail)
        assert together(raw(body_of(0), body_of(1))) == [None, None]
        assert not WebhookDelivery.objects.exists()
        assert {call.status for call in Call.objects.all()} == {"in_progress"}
        for n in range(3):
            assert site.post_call(body_of(n)).status_code == 200
    assert {call.status for call in Call.objects.all()} == {"completed"}
    assert WebhookDelivery.objects.filter(outcome="applied").count() == 3


def test_nobody_waits_for_a_call_that_is_held(site, on_postgresql):
    held, *_ = registered(4)
    with ThreadPoolExecutor() as threads, transaction.atomic():
        Call.objects.select_for_update().get(pk=held.pk)
        waiting = threads.submit(site.post_call, body_of(0))
        for n in range(1, 4):
            assert threads.submit(site.post_call, body_of(n)).result(4).status_code == 200
        assert not waiting.done()
    assert waiting.result(10).status_code == 200
