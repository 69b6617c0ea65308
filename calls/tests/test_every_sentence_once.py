"""Whatever tells a conversation, in whatever order and however often, each sentence is a turn, once."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from calls.linking import link
from calls.models import Call
from calls.record_history import NewHistory, record_history
from calls.sentences import Sentence
from calls.turn import NewTurn
from calls.turns import live_reference, record_turns

pytestmark = pytest.mark.django_db
SPEAKERS = ("agent", "driver")


class Conversation:
    """What is said, and the two names by which it is told: until `merge`, callsite takes them for two calls."""

    def __init__(self, texts):
        self.said = [Sentence(SPEAKERS[n % 2], text) for n, text in enumerate(texts)]
        mark = uuid.uuid4().hex
        self.names = [{"call_sid": f"EL_{mark}"}, {"conversation_id": f"conv_{mark}"}]
        for name in self.names:
            link(self._reference(name), create=True)

    def _reference(self, name):
        return live_reference(name.get("call_sid"), name.get("conversation_id"), "")

    def history(self, row, begin, end):
        record_history(NewHistory(call=self._reference(self.names[row]), sentences=tuple(self.said[begin:end])))

    def single(self, row, place):
        sentence = self.said[place]
        record_turns([NewTurn(**self.names[row], speaker_type=sentence.speaker_type, message_text=sentence.text)])

    def merge(self):
        link(self._reference({**self.names[0], **self.names[1]}))

    def stored(self):
        rows = Call.objects.get_by_identifier(self.names[0]["call_sid"]).transcriptions.order_by("sequence_number")
        assert [row.sequence_number for row in rows] == list(range(1, len(rows) + 1))
        return [Sentence(row.speaker_type, row.message_text) for row in rows]

    def play(self, events):
        """Events are ("history", row, begin, end), ("single", row, place) and ("merge",)."""
        for name, *given_ in events:
            getattr(self, name)(*given_)


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


# examples are short as they are; to make them shorter takes a minute
BOUNDED = settings(
    deadline=None,
    max_examples=30,
    derandomize=True,
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
    """The order is that of arrival, where single turns came before what histories told."""
    texts, events = telling
    conversation = Conversation(texts)
    conversation.play(events)
    assert Counter(conversation.stored()) == Counter(conversation.said)


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
