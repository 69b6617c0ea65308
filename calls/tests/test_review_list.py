"""The list of calls by review and by label, and many calls marked at once."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from calls.models import AccessLogEntry, Call, CallLabel
from calls.review import admin as review_admin
from calls.review.labels import NEWEST_LOOKED_AT
from conftest import staff

pytestmark = pytest.mark.django_db
LIST = "/admin/calls/call/"


@pytest.fixture
def calls():
    made = [Call.register(call_sid=f"EL_{n}") for n in range(4)]
    Call.objects.filter(pk=made[0].pk).update(reviewed_at=made[0].created_at)
    for n, name in ((0, "late"), (1, "late"), (1, "rude"), (2, "a&b")):
        CallLabel.objects.create(call=made[n], name=name)
    return made


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("reviewed=yes", [0]), ("reviewed=no", [3, 2, 1]), ("reviewed=x", []), ("label=late", [1, 0]),
        ("label=LATE", [1, 0]), ("label=a%26b", [2]), ("label=nothing", []), ("label=", [3, 2, 1, 0]),
        ("reviewed=no&label=late", [1]), ("label=" + "x" * 300, []), ("label=%F0%9F%98%80", []),
    ],
)  # fmt: skip
def test_calls_are_found_by_review_and_by_label(reviewer, calls, query, found):
    shown = reviewer.get(f"{LIST}?{query}").context["cl"].result_list
    assert [call.call_sid for call in shown] == [f"EL_{n}" for n in found]


def test_labels_in_use_are_offered_and_the_chosen_one_too(reviewer, calls):
    def offered(query):
        (spec,) = [one for one in reviewer.get(LIST + query).context["cl"].filter_specs if one.title == "label"]
        return [choice["display"] for choice in spec.choices(reviewer.get(LIST + query).context["cl"])]

    assert offered("") == ["Any", "a&b", "late", "rude"]
    assert offered("?label=Unknown") == ["Any", "a&b", "late", "rude", "unknown"]


def test_labels_that_were_not_given_lately_cost_nothing(reviewer, calls):
    CallLabel.objects.bulk_create(
        CallLabel(call=Call.register(call_sid=f"EL_new_{n}"), name="new") for n in range(NEWEST_LOOKED_AT)
    )
    text = reviewer.get(LIST).text
    assert "?label=new" in text
    assert "?label=late" not in text


def test_many_calls_are_marked_in_one_action_each_with_a_row_in_the_log(reviewer, calls, monkeypatch):
    monkeypatch.setattr(review_admin, "AT_ONCE", 2)
    everything = {"action": "mark_reviewed", "select_across": "1", "_selected_action": ["1"]}
    first = reviewer.post(LIST, everything, follow=True).text
    assert "Marked 2 calls as reviewed. At most 2 are marked at once; do it again for the others." in first
    assert "Marked 1 call as reviewed.<" in reviewer.post(LIST, everything, follow=True).text
    assert "Marked 0 calls as reviewed.<" in reviewer.post(LIST, everything, follow=True).text
    assert not Call.objects.filter(reviewed_at=None).exists()
    assert set(Call.objects.values_list("call_sid", "reviewed_by")) == {("EL_0", "")} | {
        (f"EL_{n}", "staff") for n in (1, 2, 3)
    }
    assert AccessLogEntry.objects.filter(kind="change", detail="reviewed").count() == 3


def test_without_the_permission_the_action_is_neither_offered_nor_done(calls):
    client = staff("view_call")
    assert "mark_reviewed" not in client.get(LIST).text
    client.post(LIST, {"action": "mark_reviewed", "_selected_action": [call.pk for call in calls]})
    assert Call.objects.filter(reviewed_at=None).count() == 3


def test_the_filters_cost_the_same_with_few_labels_and_with_many(reviewer, calls):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert reviewer.get(f"{LIST}?label=late&reviewed=no").status_code == 200
        return len(captured)

    queries()
    few = queries()
    CallLabel.objects.bulk_create(CallLabel(call=calls[3], name=f"label {n}") for n in range(60))
    assert queries() == few
