"""The list of calls: its columns, counts and pages, and what it reads."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calls import bounded_count, readonly_admin
from calls.call_page import neighbours
from calls.models import Call, CallRecording
from calls.postgres.waits import TookTooLong, at_most
from calls.tests.page_cases import START, address, ended, plain
from calls.turns import record_turn
from conftest import staff

LIST = "/admin/calls/call/"
EVIL = "<script>alert(1)</script>\u202e"


@pytest.fixture
def client(db):
    return staff("view_call")


def listed(client, query=""):
    response = client.get(LIST + query)
    assert response.status_code == 200, response
    return [call.call_sid for call in response.context["cl"].result_list]


def cells(client, query=""):
    """The columns of the first row, by name."""
    text = client.get(LIST + query).text
    row = text[text.index("<tbody>") : text.index("</tr>", text.index("<tbody>"))]
    parts = [part.split(">", 1) for part in row.split(' class="field-')[1:]]
    return {name.strip('"').split()[0]: plain("<p>" + re.split("</t[dh]>", part)[0]) for name, part in parts}


def kept(call):
    CallRecording.objects.create(
        call=call, file="a.mp3", size_bytes=1, sha256="0" * 64, event_time=timezone.now()
    )  # fmt: skip


def test_a_row_says_who_when_how_it_ended_and_why(client):
    criteria = {
        "time_agreed": {"result": "failure", "rationale": "No time was agreed."},
        "polite": {"result": "success"},
    }
    call = ended(
        driver_id="DRV_7",
        to_number="+4930123",
        direction="outbound",
        agent_name="Nora",
        call_successful=False,
        call_duration_seconds=67,
        cost=1234,
        cost_usd="0.0812",
        call_end_time=START + timedelta(minutes=2),
        analysis_data={"evaluation_criteria_results": criteria},
    )
    kept(call)
    assert cells(client) == {
        "started": "21 Sep 2026, 14:13:20 EL_0",
        "driver": "DRV_7 +4930123",
        "agent": "Nora",
        "shown_status": "Completed",
        "why": "Not met: Time agreed. No time was agreed.",
        "duration": "1:07",
        "shown_cost": "$0.0812 1,234 credits",
        "outcome": "Not successful",
        "has_recording": "Yes",
        "last_activity": "21 Sep 2026, 14:15:20",
    }


def test_a_failed_call_gives_the_providers_words_and_a_successful_one_needs_none(client):
    metadata = {"body": {"error_reason": "INVITE failed", "sip_status_code": 486}}
    ended(n=0, status="failed", failure_reason="no-answer", metadata_json=metadata)
    assert cells(client)["why"] == "No answer. INVITE failed (SIP 486)."
    assert (cells(client)["duration"], cells(client)["shown_cost"], cells(client)["outcome"]) == ("–", "–", "–")
    ended(n=1, call_successful=True, analysis_data={"evaluation_criteria_results": {"polite": {"result": "success"}}})
    assert cells(client)["why"] == ""
    ended(n=2, call_successful=False)
    assert cells(client)["why"] == "The goal was not reached."


def test_a_call_in_progress_was_last_active_when_its_last_turn_came(client, call):
    record_turn(call, speaker_type="agent", message_text="Hello")
    call.transcriptions.update(created_at=datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC))
    shown = cells(client)
    assert shown["last_activity"] == "2 Jan 2030, 03:04:05"
    assert (shown["shown_status"], shown["why"], shown["has_recording"]) == ("In progress", "", "No")


def test_secrets_and_hostile_texts_are_shown_as_everywhere(client):
    secret = "https://crm:S3CRET-9@crm.example/?api_key=S3CRET-9"
    ended(status="failed", failure_reason=f"{EVIL} {secret}", driver_id=EVIL, agent_name=EVIL, to_number=EVIL)
    text = client.get(LIST).text
    assert "S3CRET" not in text
    assert "https://***@crm.example/" in text
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert text.count("U+202E") >= 3


# --- counts, pages and queries --------------------------------------------------------------------------------


def many(count, **fields):
    Call.objects.bulk_create(Call(call_sid=f"EL_{n}", **fields) for n in range(count))


def test_results_are_counted_up_to_a_limit_that_is_said(client, monkeypatch):
    assert "0 results" in client.get(LIST).text
    many(1_200)
    assert "1,200 results" in client.get(LIST).text
    Call.register(call_sid="EL_one", driver_id="D")
    assert ">1 result <" in client.get(f"{LIST}?driver_id__exact=D").text
    monkeypatch.setattr(bounded_count.counted, "__defaults__", (1_000,))
    page = client.get(LIST)
    assert "1,000+ results" in page.text
    assert page.context["cl"].paginator.num_pages == 20


def test_where_counting_takes_long_the_next_page_is_all_that_is_known(client, monkeypatch, only_postgresql):
    many(120)
    monkeypatch.setattr(readonly_admin, "counted", lambda rows: slowly())
    assert "50+ results" in client.get(LIST).text
    assert listed(client, "?p=2") == [f"EL_{n}" for n in range(69, 19, -1)]
    assert "100+ results" in client.get(f"{LIST}?p=2").text
    assert "120 results" in client.get(f"{LIST}?p=3").text
    assert client.get(f"{LIST}?p=4").status_code == 302


def slowly():
    with at_most(20), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(30)")


def test_a_count_that_took_long_leaves_no_bound_behind(db, only_postgresql):
    def bound():
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            return cursor.fetchone()[0]

    before = bound()
    with pytest.raises(TookTooLong):
        slowly()
    assert bound() == before
    assert bounded_count.counted(Call.objects.all()) == 0
    assert bound() == before


def test_an_error_in_setting_the_bound_is_one_of_djangos(db, only_postgresql):
    with pytest.raises(DataError), at_most(-5):
        pass


@pytest.mark.parametrize("query", ["", "?status__exact=failed&started_from=2026-01-01", "?q=hello", "?recording=yes"])
def test_a_list_costs_the_same_with_one_row_and_with_forty(client, query):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert client.get(LIST + query).status_code == 200
        return [one["sql"][:200] for one in captured if not one["sql"].startswith(("SAVEPOINT", "RELEASE"))]

    def one(number):
        said = [{"role": "user", "message": "hello"}]
        kept(ended(said, n=number, status="failed", agent_id=f"a{number}", live=[("agent", "Hello")]))

    one(0)
    queries()
    few = queries()
    for number in range(1, 40):
        one(number)
    assert len(many_ := queries()) == len(few), many_
    of_user = [sql for sql in few if "auth_" in sql or "django_session" in sql or "agentaccess" in sql]
    assert len(few) - len(of_user) <= (5 if "q=" not in query else 10), few


def test_nothing_but_the_start_is_sorted_by(client):
    ended(n=0, call_duration_seconds=1, driver_id="A", cost=1, agent_name="A", status="failed")
    ended(n=1, call_start_time=START - timedelta(days=1), call_duration_seconds=2, driver_id="B", cost=2)
    for column in ("1", "5", "-6", "9", "99", "x"):
        assert listed(client, f"?o={column}") == ["EL_1", "EL_0"], column
    assert listed(client, "?o=-0.5") == ["EL_0", "EL_1"]


def test_the_neighbours_of_a_call_are_those_of_the_filtered_and_searched_list(client):
    for number in range(4):
        said = [{"role": "user", "message": "demurrage" if number % 2 else "pallet"}]
        ended(said, n=number, call_start_time=START + timedelta(minutes=number))
    calls = list(Call.objects.order_by("pk"))
    for filters in ("q%3Ddemurrage", "started_from%3D2026-09-21%26q%3Ddemurrage", "heard%3Dnot%26q%3Ddemurrage"):
        text = client.get(address(calls[1], filters)).text
        assert f'rel="prev" href="{address(calls[3], filters)}"' in text, filters
        assert 'rel="next"' not in text


def test_a_link_of_a_row_keeps_the_filters(client):
    call = ended(status="failed")
    assert f'href="{address(call, "status__exact%3Dfailed")}"' in client.get(f"{LIST}?status__exact=failed").text


def test_a_list_that_takes_long_gives_a_call_no_neighbours_and_still_its_page(client, monkeypatch, only_postgresql):
    calls = [ended(n=n) for n in range(3)]
    monkeypatch.setattr(neighbours, "MILLISECONDS", 20)

    class Slow(neighbours.QuerySet):
        def values_list(self, *names, **kwargs):
            slowly()

    first_keys = neighbours._first_keys
    monkeypatch.setattr(neighbours, "_first_keys", lambda rows: first_keys(Slow(Call)))
    text = client.get(address(calls[1], "q%3DEL")).text
    assert 'rel="prev"' not in text
    assert '<a href="/admin/calls/call/?q=EL">Calls</a>' in text
