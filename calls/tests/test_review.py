"""Staff review a call: the mark, labels, and notes on the call or on a turn."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from calls.models import AccessLogEntry, AgentAccess, Call, CallLabel, ReviewNote
from calls.review import reviewing
from calls.review.labels import LABELS_OF_CALL
from calls.tests.page_cases import address, ended, entry, plain, rows
from calls.tests.test_call_page import QUERIES, asked
from conftest import staff

pytestmark = pytest.mark.django_db
EVIL = "<script>alert(1)</script>\u202eevil"


@pytest.fixture
def story():
    return ended([entry("agent", "When?", 0), entry("user", "At five", 48)], live=[("agent", "When?")], agent_id="A")


def send(client, call, do, filters="", **fields):
    url = reverse("admin:calls_call_review", args=[call.pk])
    return client.post(url + (f"?_changelist_filters={filters}" if filters else ""), {"do": do, **fields})


def note(client, call, text, **place):
    return send(client, call, "write-note", note=text, **place)


def logged():
    return list(AccessLogEntry.objects.filter(kind="change").order_by("pk").values_list("user_name", "detail"))


def test_a_call_is_reviewed_by_somebody_and_it_can_be_taken_back(reviewer, story):
    assert "Mark as reviewed" in reviewer.get(address(story)).text
    done = send(reviewer, story, "mark", "status__exact%3Dcompleted")
    assert done["Location"] == address(story, "status__exact%3Dcompleted")
    send(reviewer, story, "mark")
    text = reviewer.get(address(story)).text
    assert "Mark as reviewed" not in text
    assert re.search(r"Reviewed by staff ?, \d+ \w+ \d{4}, \d\d:\d\d:\d\d Take back", plain(text))
    send(reviewer, story, "take-back")
    send(reviewer, story, "take-back")
    assert "Reviewed by" not in plain(reviewer.get(address(story)).text)
    assert logged() == [("staff", "reviewed"), ("staff", "review taken back")]


def test_in_a_list_of_calls_to_review_the_mark_leads_to_the_next_one(reviewer):
    calls = [ended(n=n) for n in range(3)]
    done = send(reviewer, calls[2], "mark", "reviewed%3Dno")
    assert done["Location"] == address(calls[1], "reviewed%3Dno")
    assert "EL_2 is reviewed. This is the next one." in plain(reviewer.get(done["Location"]).text)
    assert send(reviewer, calls[0], "mark", "reviewed%3Dno")["Location"] == address(calls[0], "reviewed%3Dno")


def test_labels_are_put_on_suggested_and_taken_off(reviewer, story):
    send(reviewer, story, "add-labels", label="Late,  asked  for a HUMAN , late,\u202e,")
    other = ended(n=1)
    assert set(story.labels.values_list("name", flat=True)) == {"late", "asked for a human"}
    assert re.findall(r'<option value="([^"]+)">', reviewer.get(address(other)).text) == ["asked for a human", "late"]
    assert "/admin/calls/call/?label=asked+for+a+human" in reviewer.get(address(story)).text
    send(reviewer, story, "take-label-off", label="late")
    assert list(story.labels.values_list("name", flat=True)) == ["asked for a human"]
    assert logged() == [("staff", "label added"), ("staff", "label taken off")]


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (" , ", "Type a label."),
        ("x" * 41, "A label has at most 40 characters."),
        (",".join(map(str, range(21))), "20"),
        ("late, https://x.example/?token=t0psecret", "A label cannot hold a secret"),
    ],
)
def test_labels_have_bounds_that_are_said(reviewer, story, label, said):
    send(reviewer, story, "add-labels", label=label)
    text = reviewer.get(address(story)).text
    assert said in plain(text)
    assert "t0psecret" not in text
    assert not CallLabel.objects.exists()
    send(reviewer, story, "add-labels", label=",".join(map(str, range(LABELS_OF_CALL))))
    send(reviewer, story, "add-labels", label="one more")
    assert story.labels.count() == LABELS_OF_CALL


def test_a_note_is_on_the_call_or_on_the_turn_of_a_second(reviewer, story):
    first = note(reviewer, story, "Ask\r\nhim  again ")
    second = note(reviewer, story, "Too late", at="0:50")
    third = note(reviewer, story, "Hm", at="soon")
    one, two, three = ReviewNote.objects.all()
    assert [done["Location"] for done in (first, second, third)] == [
        f"{address(story)}#note-{written.pk}" for written in (one, two, three)
    ]
    text = reviewer.get(address(story)).text
    assert "That turn was not found, so the note is on the whole call." in plain(text)
    turns, _, around = text.partition("<aside")
    assert re.search(rf'At five</li>\s*<li class="noted"><article class="note" id="note-{two.pk}">', turns)
    assert f'id="note-{one.pk}"' in around
    assert f'<a href="#note-{two.pk}">0:48</a>' in around
    assert "Ask\nhim  again<" in around
    assert logged() == [("staff", f"note {written.pk} written") for written in (one, two, three)]


def test_a_note_that_is_sent_twice_is_one(reviewer, story):
    assert note(reviewer, story, "Late")["Location"] == note(reviewer, story, "Late")["Location"]
    note(reviewer, story, "Late", at="48")
    assert ReviewNote.objects.count() == 2


def test_notes_have_bounds_that_are_said(reviewer, story, monkeypatch):
    for text, said in ((" ", "Type a note."), ("x" * 4_001, "A note has at most 4,000 characters.")):
        note(reviewer, story, text)
        assert said in plain(reviewer.get(address(story)).text)
    monkeypatch.setattr(reviewing, "NOTES_OF_CALL", 1)
    note(reviewer, story, "x" * 4_000)
    note(reviewer, story, "one more")
    assert ReviewNote.objects.count() == 1


def test_who_wrote_a_note_deletes_it_and_a_superuser_any(reviewer, admin_client, story):
    for text in ("mine", "hers"):
        note(reviewer, story, text)
    mine, hers = ReviewNote.objects.all()
    ReviewNote.objects.filter(pk=hers.pk).update(author_id=0, author_name="ada")
    text = reviewer.get(address(story)).text
    assert [f'value="{one.pk}">Delete this note' in text for one in (mine, hers)] == [True, False]
    for pk in (mine.pk, hers.pk, "x", ""):
        send(reviewer, story, "delete-note", note=pk)
    assert [*ReviewNote.objects.all()] == [hers]
    assert logged()[-1] == ("staff", f"note {mine.pk} deleted")
    send(admin_client, ended(n=1), "delete-note", note=hers.pk)
    assert ReviewNote.objects.exists(), "a note of another call"
    send(admin_client, story, "delete-note", note=hers.pk)
    assert not ReviewNote.objects.exists()


def test_those_who_may_only_view_calls_see_the_review_and_write_nothing(story):
    call, client = story, staff("view_call")
    for label in ("late",):
        CallLabel.objects.create(call=call, name=label)
    ReviewNote.objects.create(call=call, author_id=1, author_name="ada", text="Ask him")
    Call.objects.filter(pk=call.pk).update(reviewed_at=call.created_at, reviewed_by="ada")
    for do in ("mark", "take-back", "add-labels", "take-label-off", "write-note", "delete-note"):
        assert send(client, call, do, note="1", label="late").status_code == 403
    text = client.get(address(call)).text
    for shown in ("Reviewed by ada", "late", "Ask him"):
        assert shown in plain(text)
    for form in ("Take back", "<textarea", "Delete", "review.js", "data-keys"):
        assert form not in text


def test_who_is_limited_to_agents_reviews_their_calls_alone_and_gets_their_labels_suggested(reviewer, story):
    AgentAccess.objects.create(user=get_user_model().objects.get(username="staff"), agent_id="A")
    other = ended(n=1, agent_id="B")
    CallLabel.objects.create(call=other, name="secret customer")
    assert send(reviewer, other, "mark").status_code == 404
    assert "secret customer" not in reviewer.get(address(story)).text
    assert "secret customer" not in reviewer.get("/admin/calls/call/").text
    assert send(reviewer, story, "mark").status_code == 302


def test_the_page_of_who_is_limited_costs_no_more_than_others(story):
    client = staff("view_call", "review_call", "view_callrecording", "view_webhookdelivery", "view_accesslogentry")
    AgentAccess.objects.create(user=get_user_model().objects.get(username="staff"), agent_id="A")
    Call.objects.filter(pk=story.pk).update(driver_id="D")
    client.get(address(story))
    with CaptureQueriesContext(connection) as captured:
        client.get(address(story, "status__exact%3Dcompleted"))
    assert len(asked(captured)) <= QUERIES + 2, "two say what the user may do"


def test_a_form_needs_its_token_and_a_visit_changes_nothing(reviewer, story):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(get_user_model().objects.get(username="staff"))
    assert send(strict, story, "mark").status_code == 403
    assert reviewer.get(reverse("admin:calls_call_review", args=[story.pk]))["Location"] == address(story)
    assert send(reviewer, story, "drop")["Location"] == address(story)
    assert not Call.objects.exclude(reviewed_at=None).exists()


def test_words_of_reviewers_are_text_and_secrets_in_them_are_masked(reviewer, story):
    send(reviewer, story, "add-labels", label="<b>x</b>")
    note(reviewer, story, f"{EVIL} https://x.example/?token=T0PSECRET", at="0")
    note(reviewer, story, EVIL)
    text = reviewer.get(address(story)).text + reviewer.get("/admin/calls/call/").text
    for raw in ("<script>alert", "<b>x", "\u202e", "T0PSECRET"):
        assert raw not in text
    assert "U+202E" in text
    assert "token=***" in text


def test_nothing_is_written_where_the_access_log_cannot_be(reviewer, story, monkeypatch):
    def fail(*_):
        raise reviewing.access_log.NotLogged

    monkeypatch.setattr(reviewing.access_log, "note", fail)
    for do in ("mark", "add-labels", "write-note"):
        assert send(reviewer, story, do, label="late", note="x").status_code == 503
    assert (CallLabel.objects.count(), ReviewNote.objects.count(), Call.objects.get().reviewed_at) == (0, 0, None)


def test_a_deleted_call_takes_its_review_with_it(reviewer, story):
    send(reviewer, story, "add-labels", label="late")
    note(reviewer, story, "x")
    story.delete()
    assert (CallLabel.objects.count(), ReviewNote.objects.count()) == (0, 0)


def test_the_rows_of_the_conversation_are_as_they_were(reviewer, story):
    before = rows(reviewer.get(address(story)).text)
    note(reviewer, story, "x", at="48")
    assert rows(reviewer.get(address(story)).text) == before
