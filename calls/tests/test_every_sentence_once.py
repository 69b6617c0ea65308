"""Whatever tells a conversation, in whatever order and however often, each sentence is a turn, once."""

from __future__ import annotations

from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from calls.models import Call
from calls.tests.tellings import MERGE, Conversation, history, single
from calls.turn import NewTurn
from calls.turns import record_turns
from lab.stack.depth import examples

pytestmark = pytest.mark.django_db


@st.composite
def tellings(draw, *, repeats, cuts, singles):
    """(texts, events). The last event is a history of everything; singles come in the order of the conversation."""
    words = st.sampled_from(["Yes.", "No."]) if repeats else st.nothing()
    size = draw(st.integers(2, 9))
    texts = [draw(words | st.just(f"{chr(97 + n)} sentence")) for n in range(size)]
    events, said = [], 0
    for _ in range(draw(st.integers(1, 9))):
        row = draw(st.integers(0, 1))
        if singles and draw(st.booleans()):
            said += draw(st.sampled_from([0, 0, 0, 1, 2]))  # some sentences never come singly
            if said < size:
                events.append(("single", row, said))
                said += 1
        else:
            begin = draw(st.integers(0, size - 1)) if cuts and draw(st.booleans()) else 0
            events.append(("history", row, begin, draw(st.integers(begin, size))))
    events.insert(draw(st.integers(0, len(events))), ("merge",))
    return texts, [*events, ("history", 0, 0, size)]


# the same examples every time; they are short as they are, and to make them shorter takes a minute
BOUNDED = settings(
    deadline=None,
    derandomize=True,
    max_examples=examples(30),
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)


@BOUNDED
@given(tellings(repeats=False, cuts=True, singles=False) | tellings(repeats=True, cuts=False, singles=False))
def test_histories_in_any_order_of_two_rows_are_one_conversation(telling):
    texts, events = telling
    conversation = Conversation(texts)
    conversation.play(events)
    assert conversation.stored() == conversation.said


@BOUNDED
@given(tellings(repeats=False, cuts=True, singles=True) | tellings(repeats=True, cuts=False, singles=True))
def test_single_turns_among_histories_double_and_lose_nothing(telling):
    """The order is that of arrival, where single turns came before what histories told.

    Until the last history, which tells everything, a sentence may be stored twice, or a short one that was said
    several times may stand for another: nobody can tell which of them came singly.
    """
    texts, events = telling
    conversation = Conversation(texts)
    conversation.play(events)
    assert Counter(conversation.stored()) == Counter(conversation.said)


@pytest.mark.parametrize(
    ("texts", "events"),
    [
        (
            "abcd",
            [
                *(history(0, 0, 1), single(0, 0), history(1, 2, 4), history(1, 0, 3), MERGE, single(1, 1)),
                *(single(1, 2), history(0, 0, 3), single(1, 3), history(0, 3, 4), history(0, 0, 4)),
            ],
        ),
        ("abcdef", [history(0, 2, 4), single(0, 1), single(1, 2), MERGE, single(0, 3), history(0, 0, 6)]),
        ("abc", [single(0, 1), single(1, 2), history(0, 0, 2), MERGE, history(0, 0, 3)]),
        ("abcde", [single(1, 1), history(0, 0, 1), history(1, 4, 5), single(0, 4), MERGE, history(0, 0, 5)]),
        ("abcd", [single(0, 0), history(0, 3, 4), history(1, 0, 1), MERGE, history(0, 0, 4)]),
        ("abcd", [single(1, 2), history(0, 1, 4), single(1, 3), history(1, 3, 4), MERGE, history(0, 0, 4)]),
        ("abcdef", [history(0, 4, 6), single(0, 1), single(0, 4), history(1, 0, 6), MERGE, history(0, 0, 6)]),
        ("YbYde", [history(0, 0, 3), single(0, 0), history(1, 0, 4), single(1, 2), MERGE, history(0, 0, 5)]),
        ("YYNYeNg", [single(1, 1), MERGE, history(0, 0, 4), single(1, 2), history(0, 0, 7)]),
        ("NNcYNN", [single(1, 2), history(0, 0, 3), single(1, 5), history(1, 0, 2), MERGE, history(0, 0, 6)]),
        ("NbcNNN", [MERGE, history(1, 0, 1), single(0, 1), single(0, 4), history(0, 0, 6)]),
        ("YNcYeNNN", [history(0, 0, 6), single(1, 1), MERGE, single(1, 3), history(0, 0, 8)]),
        ("YNYNefgN", [single(1, 0), single(0, 2), history(0, 0, 6), MERGE, history(0, 0, 8)]),
        ("YbYde", [single(1, 0), history(0, 0, 1), single(1, 1), single(0, 2), MERGE, history(0, 0, 5)]),
        ("YbYNeYg", [history(0, 2, 5), MERGE, single(1, 0), single(0, 1), history(0, 0, 5), history(0, 0, 7)]),
        (["Yes", "b", "Yes, please", "d"], [single(0, 2), history(0, 0, 4)]),
    ],
    ids=[
        "a place that an earlier one gets late",
        "a place that was told before",
        "a merge that changes the order",
        "two rows with nothing in common",
        "a single turn of what has no place",
        "a single turn before a cut history",
        "a single turn behind a cut history",
        "the same one in both rows",
        "the last of several alike",
        "a wrong one of two rows",
        "a later one that came first",
        "one that comes again at the end",
        "two alike in two rows",
        "one that a history of another row had told",
        "one that a cut history had told as a later one",
        "one that begins as an earlier one",
    ],
)
def test_a_whole_history_puts_right_which_single_turn_was_which(texts, events):
    conversation = Conversation(texts)
    conversation.play(events)
    assert Counter(conversation.stored()) == Counter(conversation.said)


def test_a_turn_id_goes_along_with_a_single_turn_that_was_taken_for_another_sentence():
    conversation = Conversation("NNNNef")
    conversation.play([MERGE, history(0, 1, 4), history(0, 2, 6)])
    for place in range(4):
        conversation.single(0, place, f"t{place}")
    conversation.history(0, 0, 6)
    assert conversation.stored() == conversation.said
    assert [conversation.single(0, place, f"t{place}").sequence_number for place in range(4)] == [1, 2, 3, 4]
    assert conversation.stored() == conversation.said


@pytest.mark.parametrize(
    ("texts", "events"),
    [
        ("abcdefghi", [history(0, 3, 4), history(1, 8, 9), MERGE, history(0, 0, 9)]),
        ("abcdefghi", [history(1, 5, 9), history(0, 0, 5), MERGE, history(0, 0, 9)]),
    ],
)
def test_rows_with_nothing_in_common_get_the_order_of_a_whole_history(texts, events):
    conversation = Conversation(texts)
    conversation.play(events)
    assert conversation.stored() == conversation.said


@pytest.mark.parametrize("ended", [False, True])
def test_a_double_that_goes_starts_the_listeners_again(ended):
    conversation = Conversation("abcdef")
    conversation.play([history(0, 0, 4), single(0, 0), single(0, 5), single(0, 2)])
    assert [sentence.text for sentence in conversation.stored()] == list("abcdfc")
    row = Call.objects.filter(call_sid=conversation.names[0]["call_sid"])
    row.update(words_upto=6, **({"status": "completed", "final_sequence_number": 6} if ended else {}))
    conversation.history(0, 0, 5)
    assert [sentence.text for sentence in conversation.stored()] == list("abcdfe")
    call = Call.objects.get_by_identifier(conversation.names[0]["call_sid"])
    assert (call.numbering, call.words_upto, call.last_sequence_number) == (1, 0, 6)
    assert call.final_sequence_number == (5 if ended else None)


@pytest.mark.parametrize(
    ("texts", "events"),
    [
        ("abcdef", [("history", 0, 0, 4), ("history", 1, 0, 6), ("merge",)]),
        ("abcdef", [("history", 0, 0, 4), ("history", 1, 2, 6), ("merge",)]),
        ("abcdef", [("history", 1, 2, 4), ("history", 0, 0, 3), ("merge",), ("history", 0, 0, 6)]),
        ("abcdef", [("single", 0, 1), ("single", 0, 2), ("history", 1, 0, 6), ("merge",)]),
        ("abcdef", [("history", 1, 0, 6), ("single", 0, 1), ("single", 0, 5), ("merge",)]),
    ],
)
def test_two_rows_become_what_one_would_have_been(texts, events):
    conversation = Conversation(texts)
    conversation.play(events)
    assert Counter(conversation.stored()) == Counter(conversation.said)


def test_a_merge_takes_no_turn_for_another_that_stands_at_the_same_place():
    first, second = Conversation("abc"), Conversation("xyz")
    second.names[0] = first.names[0]
    first.history(0, 0, 3)
    second.history(1, 0, 3)
    second.merge()
    assert Counter(first.stored()) == Counter(first.said + second.said)


@pytest.mark.parametrize(
    ("texts", "events"),
    [
        (["Hello", "Hi", "a", "b", "Hello", "Hi", "c"], [("history", 0, 0, 6), ("history", 0, 4, 7)]),
        ("abcdef", [("history", 0, 2, 5), ("history", 0, 0, 3), ("history", 0, 0, 4), ("history", 0, 0, 6)]),
        ("abcdef", [("history", 0, 3, 4), ("history", 0, 0, 6)]),
        (["a", "y", "n", "y", "n", "z"], [("history", 0, 0, 3), ("history", 0, 3, 6), ("history", 0, 0, 6)]),
    ],
    ids=["a cut that begins as the call did", "a cut before any whole one", "one sentence first", "taken too short"],
)
def test_a_cut_history_hides_nothing(texts, events):
    conversation = Conversation(texts)
    conversation.play(events)
    assert conversation.stored() == conversation.said


def test_a_short_sentence_that_is_said_again_is_no_repeat_of_a_late_history():
    conversation = Conversation(["a", "Yes", "b", "c", "d", "Yes", "e"])
    conversation.play([("single", 0, 0), ("single", 0, 2), ("single", 0, 3), ("history", 0, 0, 2), ("single", 0, 5)])
    assert len(conversation.stored()) == 5
    conversation.history(0, 0, 7)
    assert Counter(conversation.stored()) == Counter(conversation.said)


def test_hundreds_of_single_turns_are_found_in_one_history():
    conversation = Conversation([f"{n} times" for n in range(902)])
    sentences = conversation.said[1:901]
    name = conversation.names[0]
    record_turns([NewTurn(**name, speaker_type=s.speaker_type, message_text=s.text) for s in sentences])
    conversation.history(0, 0, 902)
    assert Counter(conversation.stored()) == Counter(conversation.said)


def test_a_single_turn_reads_no_more_behind_a_thousand_sentences():
    conversation = Conversation([f"{n} times" for n in range(1002)])
    conversation.history(0, 0, 1000)
    with CaptureQueriesContext(connection) as captured:
        conversation.single(0, 1001)
    read = [query["sql"] for query in captured if 'FROM "calls_calltranscription"' in query["sql"]]
    assert [sql.split(" LIMIT ")[1] for sql in read] == ["1", "101"]
