"""A note on a turn stays with it: when turns are numbered anew, calls merge, or the transcript comes or comes again."""

from __future__ import annotations

import re

import pytest
from django.db import transaction

from calls.call_page.turns import conversation_of
from calls.merging import merge
from calls.models import Call, ReviewNote
from calls.record_history import NewHistory, record_history
from calls.review.places import Places, key_of, row_at, second_in
from calls.sentences import Sentence
from calls.tests.page_cases import address, ended, entry
from calls.tests.test_review import note
from calls.turns import live_reference, record_turn
from conftest import payload, staff

pytestmark = pytest.mark.django_db


def said(call, *texts):
    for text in texts:
        record_turn(call, speaker_type="driver", message_text=text)


def told(call, *texts):
    """The agent's history."""
    names = live_reference(call.call_sid, call.conversation_id, "")
    record_history(NewHistory(call=names, sentences=tuple(Sentence("driver", text) for text in texts)))


def on_turn(client, call, text, words):
    """A note on the turn with these words, as the page's script sends it."""
    rows = conversation_of(Call.objects.get(pk=call.pk)).rows
    key = next(key_of(row) for row in rows if row.text == words)
    assert key in re.search(r'data-keys="([^"]+)"', client.get(address(call)).text)[1].split()
    note(client, call, text, turn=key)
    return ReviewNote.objects.latest("pk")


def turn_of(client, call, written):
    """What is said in the turn that the page shows the note under; None below the conversation."""
    turns, _, around = client.get(address(call)).text.partition("<aside")
    assert f'"note-{written.pk}"' in turns + around
    assert around.count(f"#note-{written.pk}") == 1
    listed = r'<p dir=auto>([^<]*)</li>\s*<li class="noted">(?:(?!</li>).)*'
    found = re.search(rf'{listed}<article class="note" id="note-{written.pk}"', turns, re.DOTALL)
    return found and found[1]


def test_a_note_stays_when_a_history_numbers_the_turns_anew(reviewer, call):
    told(call, "Three", "Four")
    written = on_turn(reviewer, call, "x", "Three")
    told(call, "One", "Two", "Three", "Four")
    call.refresh_from_db()
    assert call.numbering == 1
    assert turn_of(reviewer, call, written) == "Three"


def test_a_form_that_was_opened_before_names_the_same_turn(reviewer, call):
    told(call, "Three", "Four")
    key = key_of(conversation_of(call).rows[0])
    told(call, "One", "Two", "Three", "Four")
    note(reviewer, call, "x", turn=key)
    assert turn_of(reviewer, call, ReviewNote.objects.get()) == "Three"


def test_two_reviewed_rows_that_become_one_call_keep_both_reviews(reviewer, call):
    other = Call.register(call_sid="EL_other")
    said(call, "One", "Two")
    said(other, "One", "Three")
    notes = [on_turn(reviewer, one, "x", words) for one, words in ((call, "Two"), (other, "One"), (other, "Three"))]
    note(reviewer, other, "Of the whole call")
    whole = ReviewNote.objects.latest("pk")
    call.labels.create(name="late")
    for name in ("late", "rude"):
        other.labels.create(name=name)
    Call.objects.filter(pk=other.pk).update(reviewed_at=other.created_at, reviewed_by="ada")
    with transaction.atomic():
        merge(*Call.objects.select_for_update().order_by("pk"))
    call = Call.objects.get()
    assert [turn_of(reviewer, call, one) for one in (*notes, whole)] == ["Two", "One", "Three", None]
    assert list(call.labels.order_by("name").values_list("name", flat=True)) == ["late", "rude"]
    assert (call.reviewed_at, call.reviewed_by) == (other.created_at, "ada")


def test_a_turn_that_a_merge_joins_to_another_hands_its_note_over(reviewer, call):
    other = Call.register(call_sid="EL_other", conversation_id="conv_other")
    told(call, "One")
    told(other, "One")
    written = on_turn(reviewer, other, "x", "One")
    with transaction.atomic():
        merge(*Call.objects.select_for_update().order_by("pk"))
    call = Call.objects.get()
    assert call.transcriptions.count() == 1
    assert written.turn_key != call.transcriptions.get().pk, "the note's own turn went"
    assert turn_of(reviewer, call, written) == "One"


@pytest.mark.django_db(transaction=True)
def test_the_webhook_that_rewrites_a_call_leaves_its_review(site):
    call = Call.register(call_sid="EL_1", conversation_id="conv_review")
    client = staff("view_call", "review_call")
    said(call, "At sixty fifty")
    live = on_turn(client, call, "x", "At sixty fifty")
    call.labels.create(name="late")
    Call.objects.filter(pk=call.pk).update(reviewed_at=call.created_at, reviewed_by="ada")

    def post(time, *entries):
        body = payload("transcription_docs_sample", call.conversation_id)
        body["event_timestamp"] = time
        body["data"]["transcript"] = list(entries)
        assert site.post_call(body).status_code == 200

    post(1_790_000_000, entry("user", "At sixteen fifty", 5), entry("agent", "Goodbye", 9), entry("agent", "Hm", 11))
    rewritten = on_turn(client, call, "y", "Goodbye")
    gone = on_turn(client, call, "z", "Hm")
    assert rewritten.turn_key is None
    post(1_790_000_100, entry("user", "At sixteen fifty", 5), entry("agent", "So", 7), entry("agent", "goodbye!", 10))
    call.refresh_from_db()
    assert (call.reviewed_by, call.labels.count(), call.final_transcript[2]["message"]) == ("ada", 1, "goodbye!")
    text = client.get(address(call)).text
    reworded = r'afterwards: </span>sixteen</ins>[^<]*</p>\s*</li>\s*<li class="noted">'
    assert re.search(rf'{reworded}<article class="note" id="note-{live.pk}"', text)
    assert turn_of(client, call, rewritten) == "goodbye!"
    assert turn_of(client, call, gone) is None
    assert re.search(
        rf'id="note-{gone.pk}".*?<blockquote dir="auto"><span class="soft">0:11</span> Hm</blockquote>', text, re.DOTALL
    )


def test_short_words_are_not_taken_for_the_beginning_of_others():
    call = ended([entry("user", "No", 3), entry("user", "Nobody told me", 5), entry("user", "No.", 9)])
    places = Places(conversation_of(call).rows)

    def found(words, second, speaker="driver"):
        row = places.row_of(ReviewNote(words=words, second=second, speaker=speaker))
        return row and row.seconds

    assert [found("No", 3), found("no", 8), found("Nobody", 5), found("No", 3, "agent")] == [3, 9, None, None]
    assert found("", None, "") is None


def test_a_note_on_a_row_without_words_finds_it_by_its_second(reviewer):
    tool = {"tool_calls": [{"request_id": "r", "tool_name": "slot"}]}
    call = ended([entry("agent", None, 3, **tool), entry("agent", None, 5, **tool)])
    note(reviewer, call, "x", at="0:05")
    row = Places(conversation_of(call).rows).row_of(ReviewNote.objects.get())
    assert row
    assert row.seconds == 5


@pytest.mark.parametrize(
    ("clock", "second"),
    [
        ("0:48", 48),
        (" 48 ", 48),
        ("1:02:09", 3729),
        ("", None),
        ("-1", None),
        ("1:", None),
        ("9" * 9, None),
        ("٣", None),
    ],
)
def test_a_typed_time_is_read_or_not_at_all(clock, second):
    assert second_in(clock) == second


def test_the_turn_of_a_second_is_the_first_of_those_that_were_said_last():
    call = ended([entry("user", text, second) for text, second in (("a", 1), ("b", 4), ("c", 4), ("d", 9))])
    rows = conversation_of(call).rows
    assert [row and row.text for row in (row_at(rows, second) for second in (0, 1, 4, 8, 99))] == [
        None, "a", "b", "b", "d"
    ]  # fmt: skip
