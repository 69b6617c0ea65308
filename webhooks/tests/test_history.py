"""Live turns from histories: whatever comes, in whatever order and however often, each sentence is stored once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calls.models import Call
from calls.sentences import Sentence, aligned, joined, same
from lab.stack.depth import examples

SPOKEN = [
    ("agent", "Hello, this is the depot."),
    ("user", "Hi."),
    ("agent", "Where are you?"),
    ("user", "On the A2, near Hannover."),
    ("agent", "When will you be here?"),
    ("user", "Yes."),
    ("agent", "Sorry?"),
    ("user", "Yes."),
    ("user", "At six."),
]


def entries(spoken, tools=False):
    told = [{"role": role, "message": message} for role, message in spoken]
    if tools:
        request = {"role": "agent", "tool_requests": [{"tool_name": "live", "params_as_json": {}}]}
        result = {"role": "tool", "tool_results": [{"tool_name": "live", "result_value": "ok"}]}
        told = [part for entry in told for part in (entry, request, result)]
    return {"x-elevenlabs-history": True, "entries": told}


def tell(site, call, spoken, *, as_text=True, tools=False, **more):
    history = entries(spoken, tools)
    response = site.turn(
        conversation_id=call.conversation_id, history=json.dumps(history) if as_text else history, **more
    )
    assert response.status_code == 200, response.text
    return response.json()


def stored(call):
    turns = call.transcriptions.order_by("sequence_number").values_list(
        "sequence_number", "speaker_type", "message_text"
    )
    numbers = [number for number, _, _ in turns]
    assert numbers == list(range(1, len(numbers) + 1))
    return [("agent" if speaker == "agent" else "user", text) for _, speaker, text in turns]


def test_a_history_is_stored_as_turns_and_answered_with_their_number(site, call):
    answer = tell(site, call, SPOKEN[:3], tools=True)
    assert answer == {
        "status": "success",
        "message": "Conversation history stored successfully",
        "conversation_id": call.conversation_id,
        "call_sid": call.call_sid,
        "last_sequence_number": 3,
        "stored": 3,
    }
    assert tell(site, call, SPOKEN[:5], as_text=False, agent_id="agent_7")["stored"] == 2
    assert stored(call) == SPOKEN[:5]


def test_a_repeat_and_an_older_history_that_comes_late_change_nothing(site, call):
    tell(site, call, SPOKEN[:6])
    for length in (6, 3, 1, 0, 5):
        assert tell(site, call, SPOKEN[:length])["stored"] == 0
    assert stored(call) == SPOKEN[:6]


def test_an_interrupted_sentence_is_the_same_and_what_is_stored_stays(site, call):
    tell(site, call, [("agent", "Where are you now, and when will you")])
    tell(site, call, [("agent", "where are  you now…"), ("user", "Here.")])
    assert stored(call) == [("agent", "Where are you now, and when will you"), ("user", "Here.")]


def test_a_history_that_was_cut_at_its_front_goes_on_where_it_overlaps(site, call):
    tell(site, call, SPOKEN[:5])
    assert tell(site, call, SPOKEN[3:8])["stored"] == 3
    assert tell(site, call, SPOKEN[1:4])["stored"] == 0, "an old one"
    assert stored(call) == SPOKEN[:8]
    assert tell(site, call, [("agent", "Another call"), ("user", "altogether")])["stored"] == 0
    assert stored(call) == SPOKEN[:8]


def test_a_single_turn_stands_for_the_one_sentence_that_is_the_same(site, call):
    site.turn(call_sid=call.call_sid, speaker="user", message="hi")
    assert tell(site, call, SPOKEN[:4])["stored"] == 3
    answer = site.turn(call_sid=call.call_sid, speaker="agent", message="Where are you?", turn_id="t")
    assert (answer.status_code, call.transcriptions.count()) == (200, 4)
    assert site.turn(call_sid=call.call_sid, speaker="agent", message="Where are you?", turn_id="t").status_code == 200
    assert site.turn(call_sid=call.call_sid, speaker="user", message="At six.").status_code == 201
    assert tell(site, call, SPOKEN)["stored"] == 4
    assert sorted(stored(call)) == sorted([("user", "hi"), *(s for s in SPOKEN if s[1] != "Hi.")])


@pytest.mark.parametrize(
    ("history", "says"),
    [
        ("not JSON", "history"),
        ("[]", "history"),
        ({"entries": 5}, "entries"),
        ({}, "entries"),
        ({"entries": ["x"]}, "entries[0]"),
        ({"entries": [{"role": "robot", "message": "x"}]}, "entries[0].role"),
        ({"entries": [{"role": "user", "message": 5}]}, "entries[0].message"),
    ],
)
def test_a_history_that_is_none_is_refused_by_field(site, call, history, says):
    response = site.turn(conversation_id=call.conversation_id, history=history)
    assert response.status_code == 400
    assert says in response.json()["details"]


def test_a_history_waits_for_its_call_and_keeps_the_time_at_which_it_came(site, transactional_db):
    assert site.turn(conversation_id="conv_late", history=entries(SPOKEN[:2])).status_code == 404
    assert site.turn(conversation_id="conv_late", history=entries(SPOKEN[:4])).status_code == 404
    call = Call.register(call_sid="EL_late", conversation_id="conv_late")
    assert stored(call) == SPOKEN[:4]
    assert all(turn.timestamp < call.created_at for turn in call.transcriptions.all())


def test_histories_and_turns_that_wait_are_applied_in_the_order_in_which_they_came(site, transactional_db):
    assert site.turn(conversation_id="conv_late", history=entries(SPOKEN[:3])).status_code == 404
    assert site.turn(conversation_id="conv_late", speaker="user", message="At the dock.").status_code == 404
    assert site.turn(conversation_id="conv_late", speaker="agent", message="Fine.").status_code == 404
    call = Call.register(call_sid="EL_late", conversation_id="conv_late")
    assert stored(call) == [*SPOKEN[:3], ("user", "At the dock."), ("agent", "Fine.")]


def test_histories_at_once_leave_neither_gap_nor_repeat(site, call):
    with ThreadPoolExecutor(8) as senders:
        list(senders.map(lambda length: tell(site, call, SPOKEN[: length % 10]), range(40)))
    assert stored(call) == SPOKEN


@settings(deadline=None, max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, len(SPOKEN)), max_size=8))
def test_any_prefixes_in_any_order_store_the_longest(site, token, transactional_db, lengths):
    call = Call.register(conversation_id=None)
    for length in lengths:
        response = site.turn(call_sid=call.call_sid, history=entries(SPOKEN[:length]))
        assert response.status_code == 200
    assert stored(call) == SPOKEN[: max(lengths, default=0)]


async def test_a_subscriber_hears_each_sentence_once_and_in_order(site, call, token):
    import asyncio

    async with site.socket(token) as socket:
        await socket.subscribe(call.call_sid)
        for length in (2, 5, 3, 5, 9, 1):
            await asyncio.to_thread(tell, site, call, SPOKEN[:length])
        heard = await socket.take(len(SPOKEN))
        assert [message["sequence_number"] for message in heard] == list(range(1, 10))
        assert [message["message_text"] for message in heard] == [text for _, text in SPOKEN]
        assert await socket.hears_nothing()


def test_a_history_above_the_cap_is_413(site, call, settings):
    settings.WEBHOOK_TURN_MAX_BYTES = 300
    assert site.turn(conversation_id=call.conversation_id, history=entries(SPOKEN)).status_code == 413


# --- sentences -------------------------------------------------------------------------------------------------


def say(*texts):
    return [Sentence("agent", text) for text in texts]


def test_sentences_are_the_same_by_their_letters():
    assert same(*say("Ünïted, NOW!", "u\u0308ni\u0308ted now and"))
    assert same(*say("四千 七百", "四千七百十一"))
    assert not same(*say("no", "yes"))
    assert not same(Sentence("agent", "no"), Sentence("driver", "no"))
    assert same(*say("…", "… "))
    assert not same(*say("…", "yes"))


def test_alignment_finds_as_many_pairs_as_there_can_be():
    assert aligned(say("yes", "a", "yes"), say("a", "yes")) == [(1, 0), (2, 1)]
    assert aligned(say("a", "b"), say("c")) == []


def new_in(stored, told):
    """Those of `told` that are new, before, between or behind the stored ones."""
    places = joined(stored, told)
    return None if places is None else [told[j] for i, j in places if i is None]


def test_what_a_history_tells_beyond_the_stored_ones():
    stored = say("a", "b", "c", "d")
    assert new_in([], say("x")) == say("x")
    assert new_in(stored, say("a", "b", "c", "d", "e")) == say("e")
    assert new_in(stored, say("c", "d", "e", "f")) == say("e", "f")
    assert new_in(stored, say("b", "c")) == []
    assert new_in(stored, say("d", "e")) is None, "one sentence is no overlap"
    assert new_in(stored, say("x", "y")) is None
