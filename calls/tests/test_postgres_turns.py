"""The statement that stores a batch of turns leaves the same rows, and returns the same, as the ordinary way."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest
from django.db import connection

from calls.models import Call, CallTranscription
from calls.postgres import turns as fast
from calls.turn import NewTurn
from calls.turns import record_turns

TIME = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=5, minutes=30)))


def turn(text="Hello", **fields):
    return NewTurn(**{"speaker_type": "agent", "message_text": text, **fields})


BATCHES = {
    "one": [turn(call_sid="EL_1")],
    "by either identifier": [turn(call_sid="EL_1"), turn(conversation_id="conv_1"), turn(conversation_id="conv_2")],
    "both identifiers of a call": [turn(call_sid="EL_1", conversation_id="conv_1")],
    "a call_sid that is another call's conversation_id": [turn(call_sid="twin"), turn(conversation_id="twin")],
    "no such call among others": [turn(call_sid="EL_no"), turn(call_sid="EL_1"), turn(conversation_id="conv_no")],
    "an ended call": [turn(call_sid="EL_ended")],
    "a turn_id that is known": [turn("another text", call_sid="EL_1", turn_id="known", speaker_type="driver")],
    "a turn_id twice": [
        turn("first", call_sid="EL_1", turn_id="t"),
        turn("second", conversation_id="conv_1", turn_id="t"),
    ],
    "a turn_id of two calls": [turn(call_sid="EL_1", turn_id="t"), turn(call_sid="EL_ended", turn_id="t")],
    "known and new mixed": [
        turn("a", call_sid="EL_1"),
        turn("b", call_sid="EL_1", turn_id="known"),
        turn("c", call_sid="EL_1", turn_id="new"),
        turn("d", call_sid="EL_ended"),
        turn("e", call_sid="EL_1", turn_id="new"),
        turn("f", call_sid="EL_1"),
    ],
    "times": [turn(call_sid="EL_1", timestamp=TIME), turn(call_sid="EL_1", timestamp=TIME.astimezone(UTC))],
    "odd texts": [
        turn(text, call_sid="EL_1") for text in ('"', "\\", "\t\n\u2028", "é😀", "{}", "'; --", " ", "%s %(a)s")
    ],
    "odd identifiers": [turn(call_sid='a "b" {c}'), turn(conversation_id="con\u2028v\\")],
    "an agent": [
        turn(call_sid="EL_agent", agent_id="agent_1"),
        turn(call_sid="EL_agent"),
        turn(call_sid="EL_agent", agent_id="another"),
        turn(conversation_id="conv_agent", agent_id="another"),
    ],
    "many": [turn(f"turn {n}", call_sid=("EL_1", "EL_ended")[n % 2]) for n in range(50)],
}


@pytest.fixture
def prepare(transactional_db):
    def prepare():
        CallTranscription.objects.all().delete()
        Call.objects.all().delete()
        Call.register(call_sid="EL_1", conversation_id="conv_1")
        Call.register(call_sid="EL_2", conversation_id="conv_2")
        Call.register(call_sid="twin", conversation_id="conv_twin")
        Call.register(call_sid="EL_twin", conversation_id="twin")
        Call.register(call_sid='a "b" {c}', conversation_id="con\u2028v\\")
        Call.register(call_sid="EL_agent", conversation_id="conv_agent", agent_id="agent_1")
        ended = Call(call_sid="EL_ended", status="completed", final_sequence_number=0)
        ended.save()
        record_turns([turn("known text", call_sid="EL_1", turn_id="known", timestamp=TIME)])

    return prepare


def through_the_statement(batch):
    async def store():
        parameters = connection.get_connection_params() | {"autocommit": True}
        for ours in ("cursor_factory", "context"):
            del parameters[ours]
        async with await psycopg.AsyncConnection.connect(**parameters) as own:
            return await fast.record_turns(own, batch)

    return asyncio.run(store())


def state():
    """What was stored, without keys, and without the times of the clock."""
    calls = Call.objects.order_by("call_sid").values_list("call_sid", "last_sequence_number", "status")
    rows = CallTranscription.objects.order_by("call__call_sid", "sequence_number").values_list(
        "call__call_sid", "sequence_number", "speaker_type", "message_text", "turn_id", "timestamp"
    )
    return list(calls), [(*row, at if at == TIME else "now") for *row, at in rows]


def results(recorded):
    """What was returned, likewise."""
    return [
        item
        and (
            item[0].call.call_sid,
            item[0].call.conversation_id,
            item[0].call.ended,
            item[0].sequence_number,
            item[0].speaker_type,
            item[0].message_text,
            item[0].timestamp == TIME,
            item[1],
        )
        for item in recorded
    ]


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_both_ways_store_and_return_the_same(prepare, batch):
    outcomes = []
    for store in (record_turns, through_the_statement):
        prepare()
        recorded = store(batch)
        stored = {row.pk: row.sequence_number for row in CallTranscription.objects.all()}
        assert all(stored[item[0].pk] == item[0].sequence_number for item in recorded if item)
        outcomes.append((results(recorded), state()))
    assert outcomes[0] == outcomes[1]
    assert any(outcomes[0][0])


def test_both_ways_store_nothing_of_a_batch_that_fails(prepare):
    batch = [turn(call_sid="EL_1"), turn(call_sid="EL_1", speaker_type="robot")]
    for store in (record_turns, through_the_statement):
        prepare()
        before = state()
        with pytest.raises(Exception, match="turn_speaker_known"):
            store(batch)
        assert state() == before


NEEDS_THE_ORDINARY_WAY = {
    "identifiers of two calls": turn(call_sid="EL_1", conversation_id="conv_2"),
    "a name to learn": turn(call_sid="EL_no", conversation_id="conv_2"),
    "a conversation, and the call_sid of another agent": turn(
        call_sid="EL_agent", conversation_id="conv_agent", agent_id="another"
    ),
    "an agent to learn": turn(call_sid="EL_1", agent_id="agent_1"),
}


@pytest.mark.parametrize("new", NEEDS_THE_ORDINARY_WAY.values(), ids=NEEDS_THE_ORDINARY_WAY)
def test_a_turn_that_has_something_to_tell_of_its_call_is_left_to_the_ordinary_way(prepare, new):
    prepare()
    assert through_the_statement([new]) == [None]
    assert record_turns([new]) != [None]
