"""The live turns and the final transcript as one record."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from calls.conversation import WINDOW, Heard, Row, record_of
from calls.sentences import Sentence

SENTENCES = st.builds(
    Sentence,
    st.sampled_from(["agent", "driver"]),
    st.sampled_from(["Yes", "yes.", "no", "", "…", "sixty fifty", "sixteen fifteen", "Gate 3", "Gate 3 is closed"]),
)


def places(rows, telling):
    return [place for row in rows if (place := getattr(row, telling)) is not None]


@settings(max_examples=300, deadline=None)
@given(st.lists(SENTENCES, max_size=70), st.lists(SENTENCES | st.none(), max_size=70))
def test_each_turn_of_both_tellings_is_there_exactly_once_and_in_order(live, final):
    rows = record_of(live, final)
    assert places(rows, "live") == list(range(len(live)))
    assert places(rows, "final") == list(range(len(final)))
    for row in rows:
        if row.live is not None and row.final is not None:
            assert row.heard in (Heard.SAME, Heard.REWORDED)
            assert live[row.live].speaker_type == final[row.final].speaker_type
        else:
            assert row.heard is (Heard.LIVE if row.final is None else Heard.AFTERWARDS)


def agent(text):
    return Sentence("agent", text)


def driver(text):
    return Sentence("driver", text)


def test_a_sentence_in_other_words_is_one_row():
    live = [agent("When will you arrive?"), driver("sixty fifty"), agent("Thank you")]
    final = [agent("When will you arrive?"), driver("sixteen fifteen"), agent("Thank you!")]
    assert record_of(live, final) == [Row(0, 0, Heard.SAME), Row(1, 1, Heard.REWORDED), Row(2, 2, Heard.SAME)]


def test_of_several_sentences_the_one_that_is_most_alike_is_the_same_in_other_words():
    live = [agent("Hello"), driver("I am at gate fifty")]
    final = [agent("Hello"), driver("One moment please"), driver("I am at gate fifteen"), driver("Over there")]
    assert [(row.live, row.final) for row in record_of(live, final)] == [(0, 0), (None, 1), (1, 2), (None, 3)]


def test_what_one_telling_alone_has_stands_between_its_neighbours():
    live = [agent("a1"), driver("only live"), agent("b2")]
    final = [agent("a1"), None, agent("b2"), driver("only afterwards")]
    rows = [(row.live, row.final) for row in record_of(live, final)]
    assert rows == [(0, 0), (1, None), (None, 1), (2, 2), (None, 3)]


def test_tellings_that_agree_nowhere_are_compared_a_stretch_at_a_time():
    live = [agent(f"live {n} a") for n in range(WINDOW * 20)]
    rows = record_of(live, [agent(f"b {n} afterwards") for n in range(WINDOW * 20)])
    assert {row.heard for row in rows} == {Heard.REWORDED}
