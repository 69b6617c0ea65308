"""Which call an event is about: who may link, which name is the best, and what it costs."""

from __future__ import annotations

import itertools

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from calls.linking import Name, NameRank, Reference, link
from calls.models import Call, CallTranscription
from calls.record_history import NewHistory, record_history
from calls.sentences import Sentence
from calls.turn import NewTurn
from calls.turns import live_reference, record_turns


def turn(**names):
    return NewTurn(speaker_type="agent", message_text="Hello", **names)


def queries(work):
    with CaptureQueriesContext(connection) as captured:
        work()
    return [query["sql"] for query in captured]


# --- who may link ------------------------------------------------------------------------------------------------


@pytest.fixture
def foreign(db):
    """The call of another agent."""
    return Call.register(call_sid="EL_1", agent_id="agent_1")


def test_something_live_follows_its_conversation_where_its_call_sid_is_another_agents(foreign):
    own = Call.register(call_sid="EL_2", conversation_id="conv_2", agent_id="agent_2")
    said = {"call_sid": "EL_1", "conversation_id": "conv_2", "agent_id": "agent_2"}
    ((recorded, _),) = record_turns([turn(**said)])
    assert recorded.call.pk == own.pk
    history = NewHistory(call=live_reference(*said.values()), sentences=(Sentence("driver", "I am late."),))
    assert record_history(history)[0] == own
    assert not CallTranscription.objects.filter(call=foreign).exists()
    foreign.refresh_from_db()
    assert (foreign.conversation_id, Call.objects.count()) == (None, 2)


@pytest.mark.parametrize("create", [True, False])
def test_something_live_of_another_agent_is_about_no_known_call(foreign, create):
    assert record_turns([turn(call_sid="EL_1", agent_id="agent_2")], create=create) == [None]
    found = record_turns([turn(call_sid="EL_1", conversation_id="conv_2", agent_id="agent_2")], create=create)
    assert [bool(one) for one in found] == [create]
    assert Call.objects.count() == 1 + create
    assert not Call.objects.filter(conversation_id="conv_2", call_sid="EL_1").exists()


@pytest.mark.parametrize(("known", "told"), [("", "agent_1"), ("agent_1", ""), ("agent_1", "agent_1")])
def test_something_live_links_within_one_agent_or_where_one_is_not_known(db, known, told):
    call = Call.register(call_sid="EL_1", agent_id=known)
    ((recorded, _),) = record_turns([turn(call_sid="EL_1", conversation_id="conv_1", agent_id=told)])
    call.refresh_from_db()
    assert (recorded.call.pk, call.conversation_id, call.agent_id) == (call.pk, "conv_1", "agent_1")


# --- which name is the best --------------------------------------------------------------------------------------


def linked(*names, conversation_id="conv_1"):
    return Reference(conversation_id=conversation_id, names=tuple(Name(text, rank) for text, rank in names))


A, B, LONGER = ("CA_a", NameRank.PROVIDER), ("CA_b", NameRank.PROVIDER), ("CA_a1", NameRank.PROVIDER)


@pytest.mark.parametrize(
    "events",
    [
        [linked(A), linked(B), linked(LONGER)],
        [linked(A, conversation_id=None), linked(B, conversation_id=None), linked(A, B)],
        [linked(A, LONGER), linked(B, conversation_id=None), linked(B)],
        [linked(("conv_1", NameRank.CLAIMED), conversation_id=None), linked(A), linked(B, LONGER)],
        [linked(A, conversation_id=None), linked(("CA_a", NameRank.INITIATION)), linked(B)],
        [linked(A, ("conv_1", NameRank.CLAIMED)), linked(B)],
    ],
    ids=range(6),
)
def test_names_of_one_rank_end_in_the_same_call_sid_in_every_order(db, events):
    ends = set()
    for order in itertools.permutations(events):
        for event in order:
            link(event, create=True)
        call = Call.objects.get()
        ends.add((call.call_sid, call.name_rank, *sorted(call.aliases.values_list("name", flat=True))))
        Call.objects.all().delete()
    assert len(ends) == 1
    assert ends.pop()[0] == "CA_a"


def test_of_two_that_were_registered_the_older_one_stays(db):
    older = Call.register(call_sid="EL_b")
    Call.register(call_sid="EL_a", conversation_id="conv_1")
    call = link(linked(("EL_b", NameRank.CLAIMED))).call
    assert (call, call.call_sid, call.conversation_id) == (older, "EL_b", "conv_1")


def test_the_agent_that_one_of_two_rows_was_told_is_the_agent_of_both(db):
    told = link(live_reference("EL_b", None, "agent_1"), create=True).call
    link(live_reference("CA_a", "conv_1", ""), create=True)
    call = link(live_reference("EL_b", "conv_1", "")).call
    assert not Call.objects.filter(pk=told.pk).exists()
    assert (call.call_sid, call.agent_id) == ("CA_a", "agent_1")


# --- what it costs -----------------------------------------------------------------------------------------------


@pytest.fixture
def calls(transactional_db, on_postgresql):
    for n in range(10):
        call = Call.register(call_sid=f"EL_{n}", conversation_id=f"conv_{n}")
        link(linked((f"CA_{n}", NameRank.PROVIDER), conversation_id=f"conv_{n}"))
    return call


@pytest.mark.parametrize(
    "reference",
    [
        linked(conversation_id="conv_1"),
        linked(("CA_1", NameRank.CLAIMED), conversation_id=None),
        linked(("EL_1", NameRank.CLAIMED), ("CA_1", NameRank.PROVIDER), conversation_id="conv_1"),
    ],
    ids=["its conversation", "a former name", "three names"],
)
def test_an_event_that_tells_nothing_new_costs_two_queries_however_many_names_it_has(calls, reference):
    begin, look_up, lock, commit = queries(lambda: link(reference))
    assert (begin, commit) == ("BEGIN", "COMMIT")
    assert "UNION ALL" in look_up
    assert "FOR NO KEY UPDATE" in lock
    assert "final_transcript" not in lock


def test_an_event_without_a_call_costs_one_query(calls):
    _, look_up, _ = queries(lambda: link(linked(A, B, conversation_id="conv_no")))
    assert "UNION ALL" in look_up


def test_a_verb_takes_the_row_that_linking_locked(calls):
    call = link(linked(conversation_id="conv_1")).call
    _, update, _ = queries(lambda: call.learn_who_answered("human"))
    assert update.startswith("UPDATE")


def test_turns_of_ten_calls_are_linked_by_two_queries(calls):
    new = [turn(**named) for n in range(10) for named in ({"call_sid": f"CA_{n}"}, {"conversation_id": f"conv_{n}"})]
    asked = queries(lambda: record_turns(new))
    numbers = [sql for sql in asked if sql.startswith('UPDATE "calls_call"')]
    _, look_up, lock, insert, _ = [sql for sql in asked if sql not in numbers]
    assert len(numbers) == 10
    assert "UNION ALL" in look_up
    assert "FOR NO KEY UPDATE" in lock
    assert insert.startswith("INSERT")
