"""A call's page in the admin: how it ended, what belongs to it, and what it costs."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from calls.call_page.neighbours import LOOKED_AT
from calls.models import CallRecording
from calls.tests.page_cases import START, address, ended, entry, judged, staff, why
from conftest import PAYLOADS, payload

pytestmark = pytest.mark.django_db
LARGE = 2_000
QUERIES = 16


# --- how it ended ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ("failure_sip", "Busy. INVITE failed: sip status: 486: Busy here (SIP 486)."),
        ("failure_twilio", "Busy. The telephone provider says “busy” (SIP 487)."),
        ("failure_bare", None),
    ],
)
def test_a_failure_is_told_with_the_providers_words(page, sample, said):
    data = payload(sample)["data"]
    reason = data.get("failure_reason", "")
    call = ended(status="failed", failure_reason=reason, metadata_json=data.get("metadata"))
    assert why(page(call)) == (said or f"{reason.replace('-', ' ').capitalize()}.")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"analysis_data": judged(a=5, time_agreed="failure")}, "Not met: Time agreed. Because of time_agreed."),
        ({"analysis_data": judged(a="failure", b="failure")}, "Not met: A, B."),
        ({"analysis_data": judged(**dict.fromkeys("abcde", "failure"))}, "Not met: A, B, C and 2 more."),
        ({"analysis_data": judged(a="success", b="success")}, "All 2 criteria met."),
        ({"analysis_data": judged(a="success", b=None)}, "1 of 2 criteria met, 1 unknown."),
        ({"call_successful": False}, "The goal was not reached."),
        ({"metadata_json": {"termination_reason": "Hung up"}}, "The analysis gives no verdict. Hung up."),
        ({"metadata_json": {"error": {"code": 7}}, "call_successful": True}, "The goal was reached. Error (7)"),
    ],
)  # fmt: skip
def test_a_completed_call_is_told_by_its_criteria(page, fields, said):
    assert why(page(ended(**fields))) == said


def test_a_long_reason_is_folded_and_whole_when_it_is_opened(page):
    analysis = {"evaluation_criteria_results": {"polite": {"result": "failure", "rationale": "Rude, " * 500 + "bye"}}}
    text = page(ended(analysis_data=analysis))
    folded, whole = re.search(r'<details class="why".*?<summary.*?>(.*?)</summary><p.*?>(.*?)</p>', text).groups()
    assert folded.startswith("Not met: Polite. Rude, ")
    assert len(folded) < 300
    assert whole.endswith("Rude, bye")


def test_a_criterion_that_was_not_met_is_not_told_in_green(page):
    call = ended(call_successful=True, analysis_data=judged(polite="failure", greeted="success"))
    assert '<p class="why" data-state="bad"' in page(call)


def test_names_are_escaped_once(page):
    text = page(ended(driver_id="O'Neill", agent_name="Tom & Co"))
    assert '<h1 dir="auto">O&#x27;Neill</h1>' in text
    assert '<dd dir="auto">Tom &amp; Co</dd>' in text


def test_collected_lists_and_objects_are_json(page):
    collected = {"slots": {"value": {"gates": [3, None]}}}
    text = page(ended(analysis_data={"data_collection_results": collected}))
    assert '{"gates": [3, null]}' in html.unescape(text)


@pytest.mark.parametrize("odd", [5, "x", [], {"a": 1}, {"error": 5, "body": [], "termination_reason": {}}, None])
def test_metadata_and_analysis_of_another_shape_break_nothing(page, odd):
    analysis = {"evaluation_criteria_results": odd, "data_collection_results": {"a": odd, "b": {"value": odd}}}
    for n, (status, data) in enumerate([("failed", odd), ("completed", odd), ("completed", analysis)]):
        page(
            ended([odd, entry("user", odd), entry(odd, "x")], n=n, status=status, metadata_json=odd, analysis_data=data)
        )


@pytest.mark.parametrize("sample", sorted(path.stem for path in PAYLOADS.glob("transcription_*.json")))
def test_each_sample_of_a_transcript_has_its_page(page, sample):
    data = payload(sample)["data"]
    final, analysis, metadata = data.get("transcript"), data.get("analysis"), data.get("metadata")
    text = page(ended(final, analysis_data=analysis, metadata_json=metadata))
    with_words = [entry for entry in final if (entry.get("message") or "").strip()]
    assert text.count("<p dir=auto>") == len(with_words)


# --- what belongs to it ---------------------------------------------------------------------------------------


def recorded(call):
    CallRecording.objects.create(call=call, file="a.mp3", size_bytes=1, sha256="0" * 64, event_time=timezone.now())


def test_the_recording_is_shown_to_those_who_may_hear_it(page, client):
    call = ended([entry("agent", "Hello", 0)])
    recorded(call)
    url = reverse("call-recording", args=[call.call_sid])
    assert url in page(call)
    text = page(call, client=staff(client, "view_call"))
    assert url not in text
    assert "<audio" not in text


def test_nothing_leads_to_what_the_reader_may_not_see(page, client):
    call = ended(live=[("agent", "Hello")])
    assert "/calltranscription/" in page(call)
    text = page(call, client=staff(client, "view_call"))
    assert "/calltranscription/" not in text
    assert "/webhookdelivery/" not in text


def test_the_raw_parts_are_json_without_secrets(admin_client, client):
    call = ended([entry("agent", "Grüße", 0, tool_calls=[{"params_as_json": '{"token": "T0P"}'}])])
    response = admin_client.get(reverse("admin:calls_call_raw", args=[call.pk, "transcript"]))
    assert response.json()[0]["tool_calls"] == [{"params_as_json": '{"token": "***"}'}]
    assert "Grüße" in response.text
    for pk, part in ((call.pk, "search_words"), (call.pk + 1, "transcript")):
        assert admin_client.get(reverse("admin:calls_call_raw", args=[pk, part])).status_code == 404
    other = staff(client, "view_calltranscription")
    assert other.get(reverse("admin:calls_call_raw", args=[call.pk, "transcript"])).status_code == 403


def test_the_drivers_other_calls_are_listed(page):
    calls = [ended(n=n, driver_id="DRV 1&2", failure_reason="no-answer", status="failed") for n in range(9)]
    text = page(calls[0]).partition("Other calls of this driver")[2]
    assert [call.pk for call in calls if f'href="{address(call)}"' in text] == [call.pk for call in calls[3:]]
    assert "driver_id__exact=DRV+1%262" in text
    assert "No answer" in text


def neighbours(text):
    return [re.search(rf'rel="{rel}" href="([^"]+)"', text) for rel in ("prev", "next")]


def test_the_neighbours_are_those_of_the_list_with_its_filter_and_order(page):
    starts = [START + timedelta(minutes=n) for n in range(6)]
    calls = [
        ended(n=n, call_start_time=start, status="failed" if n % 2 else "completed") for n, start in enumerate(starts)
    ]
    before, behind = neighbours(page(calls[3], "status__exact%3Dfailed"))
    assert before[1] == address(calls[5], "status__exact%3Dfailed")
    assert behind[1] == address(calls[1], "status__exact%3Dfailed")
    before, behind = neighbours(page(calls[0], "o%3D1"))
    assert before is None
    assert behind[1] == address(calls[1], "o%3D1")
    assert neighbours(page(calls[2], "status__exact%3Dfailed")) == [None, None]


@pytest.mark.parametrize("odd", ["final_transcript__icontains%3DS", "o%3Dx", "p%3D9", "status%3D%2500", "%26%26"])
def test_filters_that_the_list_does_not_take_cost_nothing_but_the_neighbours(page, odd):
    page(ended(), odd)


def test_a_call_beyond_the_first_of_a_long_list_has_no_neighbours(page, monkeypatch):
    monkeypatch.setattr("calls.call_page.neighbours.LOOKED_AT", 2)
    calls = [ended(n=n) for n in range(4)]
    assert LOOKED_AT > 2
    assert neighbours(page(calls[0])) == [None, None]


# --- what it costs --------------------------------------------------------------------------------------------


def large():
    """2,000 turns of some 130 letters, heard live and told afterwards, with a tool call every 50."""
    said = "The truck waits at gate three and the driver asks whether the slot at sixteen fifteen is still free, or not"
    final, live = [], []
    for number in range(LARGE):
        role = "user" if number % 2 else "agent"
        final.append(entry(role, f"{number} {said} {number % 7}", number * 3))
        live.append(("driver" if number % 2 else "agent", f"{number} {said} {number % 7}"))
    for number in range(0, LARGE, 50):
        final[number]["tool_calls"] = [{"request_id": f"r{number}", "tool_name": "slot", "params_as_json": '{"a": 1}'}]
        final[number + 1]["tool_results"] = [{"request_id": f"r{number}", "result_value": '{"b": 2}'}]
    return final, live


def asked(captured):
    """What the database was asked: a savepoint is no question."""
    return [query["sql"][:150] for query in captured if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]


def test_a_long_call_costs_the_same_queries_and_stays_under_600_kilobytes(admin_client):
    final, live = large()
    short = ended(final[:2], n=1, live=live[:2], driver_id="D")
    long = ended(final, n=2, live=live, driver_id="D", analysis_data=judged(a="failure"))
    for call in (short, long):
        recorded(call)

    def measured(call):
        with CaptureQueriesContext(connection) as captured:
            response = admin_client.get(address(call, "status__exact%3Dcompleted"))
        assert response.status_code == 200
        return asked(captured), response

    measured(short)  # content types are cached from here on
    few, _ = measured(short)
    many, response = measured(long)
    assert len(many) == len(few), many
    assert len(many) <= QUERIES, many
    assert response.text.count('<li class="turn') == LARGE
    print(len(many), "queries,", len(response.content), "bytes")
    assert len(response.content) < 600_000


def test_a_long_call_of_which_only_the_beginning_was_heard_live_stays_under_600_kilobytes(admin_client):
    final, live = large()
    response = admin_client.get(address(ended(final, live=live[: LARGE // 5])))
    assert response.text.count("Only afterwards") == LARGE - LARGE // 5
    print(len(response.content), "bytes")
    assert len(response.content) < 600_000
