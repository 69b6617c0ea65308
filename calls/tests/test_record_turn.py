"""record_turn: numbers without gaps, at a price that does not grow with the call."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calls.models import Call, CallTranscription
from calls.turn import NewTurn
from calls.turns import record_turn, record_turns


def grown_to(call, turns):
    """Give a call many turns in one go; no signal is sent, and nobody need hear of them."""
    call.refresh_from_db()
    first = call.last_sequence_number + 1
    CallTranscription.objects.bulk_create(
        CallTranscription(
            call=call, sequence_number=n, speaker_type="agent", message_text="x", timestamp=timezone.now(), turn_id=n
        )
        for n in range(first, turns + 1)
    )
    Call.objects.filter(pk=call.pk).update(last_sequence_number=turns)


def queries_of(call, **turn):
    with CaptureQueriesContext(connection) as captured:
        record_turn(call, speaker_type="agent", message_text="Hello", **turn)
    return [query["sql"] for query in captured]


@pytest.mark.parametrize("turn_id", [None, "the next"])
def test_turn_5000_costs_what_turn_1_costs(call, turn_id):
    at_first = queries_of(call, turn_id=turn_id and "the first")
    grown_to(call, 4_999)
    at_last = queries_of(call, turn_id=turn_id)
    assert call.transcriptions.order_by("-sequence_number").first().sequence_number == 5_000
    assert len(at_last) == len(at_first), at_last
    for sql in at_last:
        assert "COUNT(" not in sql.upper()
        assert "MAX(" not in sql.upper()


def test_what_a_turn_costs(on_postgresql, transactional_db, call):
    begin, find, lock, insert, update, commit = queries_of(call)
    assert (begin, commit) == ("BEGIN", "COMMIT")
    assert "alias.name IN" in find
    assert "FOR NO KEY UPDATE" in lock
    assert insert.startswith('INSERT INTO "calls_calltranscription"')
    assert update.startswith('UPDATE "calls_call"')
    assert len(queries_of(call, turn_id="t-1")) == 7  # and one look for the turn_id


def test_turns_are_numbered_one_by_one_each_call_for_itself(db):
    calls = [Call.register(call_sid=f"EL_{n}") for n in range(2)]
    for wanted in (1, 2, 3):
        for call in calls:
            turn, created = record_turn(call, speaker_type="driver", message_text="Hello")
            assert (turn.sequence_number, created) == (wanted, True)
    assert [Call.objects.get(pk=call.pk).last_sequence_number for call in calls] == [3, 3]


def test_a_turn_that_fails_leaves_no_gap(call):
    record_turn(call, speaker_type="agent", message_text="one")
    with pytest.raises(Exception, match="turn_speaker_known"), transaction.atomic():
        record_turn(call, speaker_type="robot", message_text="never")
    turn, _ = record_turn(call, speaker_type="agent", message_text="two")
    assert turn.sequence_number == 2


def test_a_stale_instance_numbers_correctly(call):
    stale = Call.objects.get(pk=call.pk)
    for _ in range(3):
        record_turn(call, speaker_type="agent", message_text="Hello")
    assert record_turn(stale, speaker_type="agent", message_text="Hello")[0].sequence_number == 4


def test_a_turn_id_twice_in_one_batch_is_one_turn(call):
    other = Call.register(call_sid="EL_other")
    calls_and_ids = [(call, "t-1"), (other, "t-1"), (call, "t-1"), (call, None), (call, None), (call, "t-2")]
    batch = [
        NewTurn(call_sid=of.call_sid, speaker_type="agent", message_text=f"said {n}", turn_id=turn_id)
        for n, (of, turn_id) in enumerate(calls_and_ids)
    ]
    for _ in range(2):
        recorded = record_turns(batch)
        assert [turn.message_text for turn, _ in recorded][:3] == ["said 0", "said 1", "said 0"]
        assert recorded[0][0].pk == recorded[2][0].pk
    assert [created for _, created in recorded] == [False, False, False, True, True, False]
    numbers = call.transcriptions.order_by("sequence_number").values_list("sequence_number", "message_text")
    assert list(numbers) == [(1, "said 0"), (2, "said 3"), (3, "said 4"), (4, "said 5"), (5, "said 3"), (6, "said 4")]


def test_a_turn_finds_only_the_call_that_it_names(call):
    Call.register(call_sid="EL_no_conversation")
    new = NewTurn(call_sid="EL_not_there", speaker_type="agent", message_text="Hello")
    assert record_turns([new]) == [None]
    assert record_turns([NewTurn(conversation_id="conv_no", speaker_type="agent", message_text="Hello")]) == [None]
