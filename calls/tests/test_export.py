"""The export of the list of calls: what is in the file, who gets it, and what the access log says of it."""

from __future__ import annotations

import asyncio
import csv
import io
import socket
from datetime import datetime
from zoneinfo import ZoneInfo

import httpx
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import OperationalError
from django.test import Client

from calls import access_log
from calls.export import places, selection, stream
from calls.export.places import Place
from calls.models import AccessLogEntry, AgentAccess, CallRecording
from calls.tests.page_cases import START, ended, entry, judged
from conftest import until

LIST, EXPORT = "/admin/calls/call/", "/admin/calls/call/export/"


def someone(name="ada", *codenames):
    """Staff who may export."""
    user = get_user_model().objects.create_user(name, is_staff=True)
    may = codenames or ("view_call", "export_call")
    user.user_permissions.set(Permission.objects.filter(codename__in=may))
    return user


def cookie(user):
    client = Client()
    client.force_login(user)
    return {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}


@pytest.fixture
def user(transactional_db):
    return someone()


@pytest.fixture
def export(site, user):
    """The response to an export of the list with these filters."""

    def get(filters="", rows="calls", user=user):
        return site.client.get(f"{EXPORT}?rows={rows}&{filters}", headers=cookie(user))

    return get


@pytest.fixture
def pages(monkeypatch):
    """Pages of one call."""
    for name, form in selection.FORMS.items():
        monkeypatch.setitem(selection.FORMS, name, form._replace(size=1))


def table(response):
    assert response.status_code == 200, response.text
    return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"), newline="")))


def column(response, name="Call SID"):
    return [row[name] for row in table(response)]


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


@pytest.mark.usefixtures("pages")
def test_a_file_that_ends_early_says_so_and_the_download_fails(site, user, monkeypatch):
    for n in range(3):
        ended(None, n=n)
    write, written = access_log.write, []

    def fail_later(entries):
        written.append(entries)
        if len(written) == 3:  # the export's own, the first call's, the second call's
            raise OperationalError("made by the test")
        write(entries)

    monkeypatch.setattr(access_log, "write", fail_later)
    got = b""
    with site.client.stream("GET", EXPORT, headers=cookie(user)) as response:
        with pytest.raises(httpx.RemoteProtocolError):  # noqa: PT012
            for part in response.iter_bytes():
                got += part
    text = got.decode()
    assert "EL_2" in text
    assert "EL_1" not in text
    assert text.endswith('"# Export ended early: the database failed. It has 1 of 3 calls."\r\n')
    until(lambda: not Place._taken)


@pytest.mark.usefixtures("pages")
def test_who_loses_the_permission_meanwhile_gets_no_more(site, user, monkeypatch):
    for n in range(3):
        ended(None, n=n)
    page_of, pages = stream.page_of, []

    def then_taken(*arguments):
        page = page_of(*arguments)
        pages.append(page)
        user.user_permissions.clear()
        return page

    monkeypatch.setattr(stream, "page_of", then_taken)
    with pytest.raises(httpx.RemoteProtocolError):
        site.client.get(EXPORT, headers=cookie(user))
    assert len(pages) == 1


@pytest.mark.usefixtures("pages")
def test_a_call_that_goes_meanwhile_is_left_out(export, monkeypatch):
    calls = [ended(None, n=n) for n in range(3)]
    keys_of = selection.keys_of

    def then_deleted(rows):
        keys = keys_of(rows)
        calls[1].delete()
        return keys

    monkeypatch.setattr("calls.export.admin.keys_of", then_deleted)
    assert column(export()) == ["EL_2", "EL_0"]


def test_so_many_are_under_way_at_once_for_a_user_and_for_all(export, user, monkeypatch):
    mine = [Place(user.pk) for _ in range(places.FOR_EACH_USER)]
    answer = export()
    assert (answer.status_code, "2 exports under way" in answer.text) == (429, True)
    mine.pop().give_back()
    others = [Place(-n) for n in range(1, places.FOR_ALL)]
    answer = export()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    for place in [*mine, *others]:
        place.give_back()
        place.give_back()
    assert export().status_code == 200
    until(lambda: not Place._taken)


@pytest.mark.usefixtures("pages")
def test_a_browser_that_goes_away_ends_the_work(site, user, monkeypatch):
    page_of, pages = stream.page_of, []

    def counted(*arguments):
        pages.append(arguments)
        return page_of(*arguments)

    monkeypatch.setattr(stream, "page_of", counted)
    for n in range(60):
        ended(None, n=n, transcript_summary="word " * 50_000)
    with site.client.stream("GET", EXPORT, headers=cookie(user)) as response:
        assert response.status_code == 200
        parts = response.iter_bytes()
        assert next(parts)
        assert Place._taken
    until(lambda: not Place._taken)
    assert len(pages) < 60


@pytest.mark.usefixtures("pages")
def test_a_browser_that_takes_nothing_loses_its_place(site, user, monkeypatch):
    monkeypatch.setattr(stream, "STALLED_SECONDS", 0.3)
    for n in range(60):
        ended(None, n=n, transcript_summary="word " * 100_000)
    with socket.create_connection(("127.0.0.1", site.port)) as browser:
        head = f"GET {EXPORT} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie(user)['Cookie']}\r\n\r\n"
        browser.sendall(head.encode())
        until(lambda: Place._taken)
        until(lambda: not Place._taken)
    assert AccessLogEntry.objects.filter(call_id__isnull=False).count() < 60


def test_webhooks_are_taken_in_while_exports_run(site, user, call):
    """The work is done in a thread of its own, and none of the pages' places is held."""
    for n in range(30):
        ended([entry("agent", "word " * 100, n) for n in range(100)], n=n)

    async def exported(client):
        return (await client.get(f"{EXPORT}?rows=turns", headers=headers)).status_code

    async def all_at_once():
        async with httpx.AsyncClient(base_url=site.url, timeout=60, trust_env=False) as client:
            exports = [asyncio.create_task(exported(client)) for _ in range(2)]
            await asyncio.sleep(0.2)
            turns = await asyncio.to_thread(
                lambda: [
                    site.turn(call_sid=call.call_sid, speaker="agent", message=str(n)).status_code for n in range(20)
                ]
            )
            return await asyncio.gather(*exports), turns

    headers = cookie(user)
    exports, turns = asyncio.run(all_at_once())
    assert exports == [200, 200]
    assert set(turns) == {201}
