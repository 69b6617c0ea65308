"""The file that the list of calls is exported as: what is in it, who gets it, and what the access log says of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError
from django.test import Client

from calls import access_log
from calls.export.places import Place
from calls.models import AccessLogEntry, AgentAccess, CallRecording
from calls.tests.export_cases import EXPORT, LIST, column, cookie, someone, table
from calls.tests.page_cases import START, ended, entry, judged


def test_a_row_a_call_says_what_the_calls_page_says(export, settings):
    settings.CALLS_TIME_ZONE = "America/New_York"
    fields = {
        "driver_id": "D",
        "agent_id": "a",
        "agent_name": "Dispatch",
        "from_number": "+4930",
        "direction": "inbound",
    }
    fields |= {"call_successful": False, "cost": -5, "cost_usd": "0.5", "call_duration_seconds": 61}
    call = ended(None, analysis_data=judged(delivery_time="failure"), transcript_summary="=SUM(A1)", **fields)
    CallRecording.objects.create(call=call, file="a", size_bytes=1, sha256="0" * 64, event_time=START)
    response = export()
    assert response.content.startswith(b'\xef\xbb\xbf"Call SID",')
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    today = datetime.now(ZoneInfo("America/New_York")).date()
    assert response.headers["Content-Disposition"] == f'attachment; filename="callsite-calls-{today}.csv"'
    (row,) = table(response)
    page = row.pop("Page")
    assert page.endswith(f"/admin/calls/call/{call.pk}/change/")
    assert row == {
        "Call SID": "EL_0",
        "Conversation ID": "",
        "Started (America/New_York)": "2026-09-21 10:13:20",
        "Ended (America/New_York)": "",
        "Agent": "Dispatch",
        "Agent ID": "a",
        "Driver ID": "D",
        "Direction": "Inbound",
        "From": "'+4930",
        "To": "",
        "Answered by": "",
        "Status": "Not successful",
        "Goal reached": "No",
        "Failure reason": "",
        "How it ended": "Not met: Delivery time. Because of delivery_time.",
        "Duration (s)": "61",
        "Cost (credits)": "-5",
        "Cost (USD)": "0.5",
        "Summary": "'=SUM(A1)",
        "Criteria": "Delivery time: Not met (Because of delivery_time.)",
        "Collected data": "",
        "Live turns": "0",
        "Recording": "Yes",
    }


def test_a_row_a_turn_has_both_wordings_in_the_order_of_the_calls_page(export):
    asked = {"request_id": "r", "tool_name": "slot", "params_as_json": '{"gate": 3}'}
    answered = {"request_id": "r", "tool_name": "slot", "result_value": "free", "tool_latency_secs": 0.5}
    final = [
        entry("agent", "When?", 0),
        entry("user", "Sixteen fifteen", 5, interrupted=True),
        entry("agent", None, 6, tool_calls=[asked]),
        entry("agent", None, 7, tool_results=[answered]),
    ]
    ended(final, live=[("agent", "When?"), ("driver", "sixty fifty"), ("agent", "Thanks")], driver_id="D")
    ended(None, n=1, status="failed", failure_reason="no-answer")
    silent, *rows = table(export(rows="turns"))
    assert [tuple(row.values())[10:] for row in rows] == [
        ("1", "0", "2026-09-21 14:13:20", "Agent", "When?", "When?", "", "", "", ""),
        (
            *("2", "5", "2026-09-21 14:13:25", "Driver", "sixty fifty", "Sixteen fifteen"),
            *("Worded otherwise", "Interrupted", "", ""),
        ),
        ("3", "3", "2026-09-21 14:13:23", "Agent", "Thanks", "", "Heard only live", "", "", ""),
        (
            *("4", "6", "2026-09-21 14:13:26", "Agent", "", "", "", "", ""),
            'slot, 0.50 s\nAsked: {\n  "gate": 3\n}\nAnswered: free',
        ),
    ]
    assert {row["Driver ID"] for row in rows} == {"D"}
    assert (silent["Failure reason"], silent["Turn"], silent["Told afterwards"]) == ("No answer", "", "")


@pytest.mark.usefixtures("pages")
def test_the_file_has_the_calls_of_the_list_on_all_of_its_pages_in_its_order(export, site, user):
    for n in range(60):
        ended(None, n=n, status="failed" if n % 2 else "completed", call_duration_seconds=n % 7 or None)
    listed = site.client.get(f"{LIST}?status__exact=failed&p=2", headers=cookie(user)).text
    assert f"{EXPORT}?status__exact=failed&amp;rows=calls" in listed
    assert f"{EXPORT}?status__exact=failed&amp;rows=turns" in listed
    failed = [f"EL_{n}" for n in range(60) if n % 2][::-1]
    assert column(export("status__exact=failed")) == failed
    assert column(export("status__exact=failed"), "Call SID") == column(export("status__exact=failed&p=2&all="))
    assert column(export("q=EL_7", rows="turns")) == ["EL_7"]


@pytest.mark.parametrize("order", ["1", "-1", "2", "4.-1", "-6", "7", "99"])
def test_the_file_is_sorted_as_the_list_is(export, user, order):
    for n in range(5):
        fields = {"driver_id": f"D{n * 2 % 5}", "call_duration_seconds": n % 2 or None}
        ended(None, n=n, call_start_time=START + timedelta(hours=n * 3 % 5), **fields)
    client = Client()
    client.force_login(user)
    listed = client.get(f"{LIST}?o={order}").context["cl"].queryset
    assert column(export(f"o={order}")) == [call.call_sid for call in listed]


def test_what_the_list_does_not_know_is_refused(export):
    ended(None)
    for filters in ("colour=red", "final_transcript__icontains=x", "id__gte=1", "call_successful__exact=%00"):
        assert export(filters).status_code == 400, filters
    answer = export(rows="words")
    assert (answer.status_code, answer.text) == (400, "rows is one of: calls, turns.\n")
    assert not AccessLogEntry.objects.exists()
    assert not Place._taken


@pytest.mark.parametrize("codenames", [["view_call"], ["export_call"], ["view_call", "view_calltranscription"]])
def test_who_may_not_export_gets_neither_file_nor_link(export, site, codenames):
    ended(None)
    other = someone("other", *codenames)
    assert export(user=other).status_code == 403
    assert EXPORT not in site.client.get(LIST, headers=cookie(other)).text
    assert site.client.get(EXPORT).status_code == 302
    assert not AccessLogEntry.objects.exists()


def test_nothing_but_get_is_answered(site, user):
    for method in ("HEAD", "OPTIONS"):
        assert site.client.request(method, EXPORT, headers=cookie(user)).status_code == 405


@pytest.mark.parametrize("rows", ["calls", "turns"])
def test_who_is_limited_gets_the_calls_of_these_agents(export, user, rows):
    for n, agent in enumerate(["agent_a", "agent_b", ""]):
        ended(None, n=n, agent_id=agent)
    AgentAccess.objects.create(user=user, agent_id="agent_a")
    assert column(export(rows=rows)) == ["EL_0"]


@pytest.mark.parametrize("rows", ["calls", "turns"])
def test_no_secret_is_in_the_file(export, rows):
    url = "https://u:S3CRET@crm.example/?token=S3CRET"
    tool = {"tool_name": "crm", "params_as_json": '{"token": "S3CRET"}', "tool_details": {"headers": {"X": "S3CRET"}}}
    result = {"tool_name": "crm", "result_value": '{"auth": {"token": "S3CRET"}}', "is_error": True}
    final = [entry("agent", f"See {url}", 1, tool_calls=[tool], tool_results=[result | {"raw_error_message": url}])]
    analysis = judged(x="failure")
    analysis["evaluation_criteria_results"]["x"]["rationale"] = url
    analysis["data_collection_results"] = {"api_key": {"data_collection_id": "api_key", "value": "S3CRET"}}
    ended(final, analysis_data=analysis, transcript_summary=url, live=[("agent", "Hello")])
    metadata = {"body": {"error_reason": url}, "error": {"reason": url}}
    ended(final, n=1, status="failed", failure_reason=url, metadata_json=metadata)
    response = export(rows=rows)
    assert len(table(response)) >= 2
    assert "S3CRET" not in response.text
    assert "***" in response.text


def test_the_access_log_has_the_export_with_its_filter_and_each_call(export, user):
    ended(None, conversation_id="conv_0", status="failed")
    ended(None, n=1)
    assert column(export("status__exact=failed", rows="turns")) == ["EL_0"]
    whole, of_call = AccessLogEntry.objects.order_by("pk")
    assert (whole.kind, whole.user_name, whole.call_id) == ("export", user.username, None)
    assert whole.detail == "A row a turn, 1 calls, status__exact=failed"
    assert (of_call.kind, of_call.call_sid, of_call.conversation_id) == ("export", "EL_0", "conv_0")
    assert of_call.detail == "A row a turn"
    export("status__exact=failed", rows="turns")
    assert AccessLogEntry.objects.count() == 4, "each export has its own rows"


def test_without_the_access_log_there_is_no_file(export, monkeypatch):
    ended(None)

    def fail(entries):
        raise OperationalError("made by the test")

    monkeypatch.setattr(access_log, "write", fail)
    assert export().status_code == 503
    assert not Place._taken
