"""Staff find calls that are silent, and end one or many with a reason."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from calls import ending_admin
from calls.ending import end
from calls.models import Call
from conftest import staff

LIST = "/admin/calls/call/"


@pytest.fixture
def on_duty(db):
    return staff("view_call", "end_call")


def chosen(*calls, **more):
    return {"action": "end_calls", "_selected_action": [call.pk for call in calls], **more}


def test_calls_that_were_silent_are_found(on_duty, call):
    silent = Call.register(call_sid="EL_silent")
    Call.objects.filter(pk=silent.pk).update(created_at=timezone.now() - timedelta(hours=2))
    for query, found in (
        ("?silent=1", {silent}),
        ("?silent=6", set()),
        ("", {silent, call}),
        ("?silent=x", set()),
    ):
        assert set(on_duty.get(LIST + query).context["cl"].queryset) == found


def test_many_are_ended_with_a_reason_after_a_page_that_asks(on_duty, call):
    other, ended, untouched = (Call.register(call_sid=f"EL_{n}") for n in range(3))
    end(ended, "Before.")
    page = on_duty.post(LIST, chosen(call, other, ended))
    assert call.call_sid in page.text
    assert f">{ended.call_sid}<" not in page.text, "what has ended is not asked about"
    assert Call.objects.filter(status="in_progress").count() == 3
    assert "This field is required." in on_duty.post(LIST, chosen(call, reason=" ")).text
    done = on_duty.post(LIST, chosen(call, other, reason="Nobody there."), follow=True)
    assert "Ended 2 calls." in done.text
    reasons = dict(Call.objects.values_list("call_sid", "failure_reason"))
    assert reasons == {call.call_sid: "Nobody there.", "EL_0": "Nobody there.", "EL_1": "Before.", "EL_2": ""}
    assert set(LogEntry.objects.values_list("object_id", "user__username", "change_message")) == {
        (str(one.pk), "staff", "Ended by hand.") for one in (call, other)
    }
    assert "None of these calls is in progress." in on_duty.post(LIST, chosen(call, reason="x"), follow=True).text
    assert untouched.pk


def test_one_that_ends_meanwhile_is_said(on_duty, call, monkeypatch):
    other = Call.register(call_sid="EL_1")

    def late(one, reason):
        if one == other:
            end(one, "A moment before.")
        return end(one, reason)

    monkeypatch.setattr(ending_admin, "end", late)
    page = on_duty.post(LIST, chosen(call, other, reason="x"), follow=True)
    assert "Ended 1 call. 1 had ended by themselves, or could not be ended now." in page.text


def test_at_most_so_many_are_ended_at_once(on_duty, monkeypatch):
    monkeypatch.setattr(ending_admin, "AT_ONCE", 2)
    for number in range(3):
        Call.register(call_sid=f"EL_{number}")
    everything = {"action": "end_calls", "select_across": "1", "_selected_action": ["1"]}
    assert "At most 2 are ended at once" in on_duty.post(LIST, everything).text
    assert "Ended 2 calls." in on_duty.post(LIST, everything | {"reason": "x"}, follow=True).text
    assert Call.objects.filter(status="in_progress").count() == 1


def test_a_call_in_progress_has_a_button_that_leads_there(on_duty, call):
    url = reverse("admin:calls_call_change", args=[call.pk])
    assert "End this call" in on_duty.get(url).text
    end(call, "x")
    assert "End this call" not in on_duty.get(url).text


def test_without_the_permission_nothing_is_offered_and_nothing_ends(db, call):
    client = staff("view_call", "change_call")
    assert "end_calls" not in client.get(LIST).text
    assert "End this call" not in client.get(reverse("admin:calls_call_change", args=[call.pk])).text
    client.post(LIST, chosen(call, reason="x"))
    assert Call.objects.get().status == "in_progress"


def test_hostile_names_are_shown_as_text(on_duty):
    evil = "<script>alert(1)</script>\u202e"
    call = Call.register(call_sid=evil, driver_id=evil, agent_name=evil)
    page = on_duty.post(LIST, chosen(call)).text
    assert "<script>alert" not in page
    assert page.count("<bdi>&lt;script&gt;") == 3


def test_the_list_of_silent_calls_costs_the_same_with_one_and_with_forty(on_duty):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert on_duty.get(LIST + "?silent=1").status_code == 200
        return len(captured)

    counts = []
    for number in range(40):
        Call.register(call_sid=f"EL_{number}", call_start_time=timezone.now() - timedelta(days=1))
        if number in (0, 39):
            counts.append(queries())
    assert counts[0] == counts[1]
