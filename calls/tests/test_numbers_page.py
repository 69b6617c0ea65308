"""The page of numbers: what it shows to whom, and the lists that its numbers lead to."""

from __future__ import annotations

import re
from datetime import date
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calls.call_list import days
from calls.models import AgentAccess
from calls.numbers import admin
from calls.numbers.figures import Figures
from calls.numbers.links import AGENT, DAYS, REASON
from calls.numbers.span import BadSpan, Span, span_of, usual_spans
from calls.tests import number_cases
from calls.tests.number_cases import made, utc
from calls.tests.page_cases import plain
from conftest import staff

pytestmark = pytest.mark.django_db
NUMBERS, LIST = "/admin/calls/call/numbers/", "/admin/calls/call/"
IN_MARCH = f"{NUMBERS}?started_from=2026-03-01&started_to=2026-03-31"


@pytest.fixture
def counted_by_hand():
    number_cases.counted_by_hand()


def test_nothing_is_unknown_where_there_are_no_calls(admin_client):
    page = admin_client.get(f"{NUMBERS}?started_from=2026-03-01&started_to=2026-03-02")
    assert page.context["whole"] == Figures()
    assert page.context["whole"].success is page.context["whole"].mean_seconds is None
    assert "There are no calls on these days." in page.text


def cells(page, table, row):
    """The cells of a row of a table, by the titles of the columns."""
    (found,) = [one for one in page.context[table] if one.title == row]
    return {heading: cell.text for heading, cell in zip(page.context["headings"], found.cells, strict=True)}


@pytest.mark.usefixtures("counted_by_hand")
def test_the_page_shows_them_per_agent_per_day_and_in_all(admin_client, settings):
    settings.CALLS_TIME_ZONE = "Europe/Berlin"
    page = admin_client.get(IN_MARCH)
    assert [row.title for row in page.context["agents"]] == ["Agent a", "Agent b", "Agent not known"]
    assert cells(page, "agents", "Agent a") == {
        **{"Calls": "4", "Met": "1", "Not met": "1", "Unknown": "1", "Failed": "1", "In progress": "0"},
        **{"Success": "50%", "Mean duration": "0:45", "Total duration": "1:31", "Credits": "95", "USD": "0.25"},
        "Heard live": "2 of 3",
    }
    assert cells(page, "days", "Wed 11 Mar 2026")["Calls"] == "5"
    assert cells(page, "days", "Thu 12 Mar 2026")["Calls"] == "0"
    assert len(page.context["days"]) == 31
    assert {cell.text for heading, cell in page.context["figures"] if heading == "Calls"} == {"8"}
    unknown = admin_client.get(f"{IN_MARCH}&agent_id__exact=")
    assert cells(unknown, "days", "Wed 11 Mar 2026")["Calls"] == "1"
    assert "calls whose agent is not known" in unknown.text
    assert '<input type="hidden" name="agent_id__exact" value="">' in unknown.text
    one = admin_client.get(f"{IN_MARCH}&agent_id__exact=b")
    assert cells(one, "days", "Wed 11 Mar 2026")["Calls"] == "3"
    assert one.context["agents"] == []
    assert "Numbers of" in one.text


def test_the_page_is_about_this_month_unless_other_days_are_named(admin_client, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: utc(2026, 3, 17, 12))
    assert admin_client.get(NUMBERS).context["span"] == Span(date(2026, 3, 1), date(2026, 3, 17))


def test_the_usual_days_are_those_of_the_list_without_days_to_come(admin_client, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: utc(2026, 3, 17, 12))
    titles = [title for title, _, _ in admin_client.get(NUMBERS).context["usual"]]
    assert titles == [one.title for one in days.ranges(date(2026, 3, 17))]
    spans = dict(usual_spans())
    assert spans["This week"] == Span(date(2026, 3, 16), date(2026, 3, 17))
    assert spans["This month"] == Span(date(2026, 3, 1), date(2026, 3, 17))
    assert spans["Last month"] == Span(date(2026, 2, 1), date(2026, 2, 28))


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("", "2026-03-01", "The first day is missing"),
        ("2026-02-30", "2026-03-01", "“2026-02-30” is no day"),
        ("1.3.2026", "2026-03-01", "“1.3.2026” is no day"),
        ("0001-01-01", "0001-01-02", "“0001-01-01” is no day"),
        ("9999-12-31", "9999-12-31", "“9999-12-31” is no day"),
        ("<b>", "x" * 1000, "“<b>” is no day"),
        ("2026-03-02", "2026-03-01", "is behind the last one"),
        ("2025-03-01", "2026-03-02", "are more than 366 days"),
    ],
)
def test_days_that_are_none_are_told_and_stay_in_the_form(admin_client, first, last, said):
    page = admin_client.get(NUMBERS, {"started_from": first, "started_to": last})
    assert page.status_code == 400
    assert said in unescape(page.text)
    assert [first, last] == [field["value"] for field in page.context["fields"]]
    with pytest.raises(BadSpan):
        span_of({"started_from": first, "started_to": last}, DAYS)


def test_366_days_are_not_too_many(admin_client):
    assert admin_client.get(f"{NUMBERS}?started_from=2024-01-01&started_to=2024-12-31").status_code == 200


@pytest.mark.usefixtures("on_postgresql")
def test_what_takes_too_long_is_told(admin_client, monkeypatch):
    def slow(calls):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")

    monkeypatch.setattr(admin, "MILLISECONDS", 50)
    monkeypatch.setattr(admin, "groups_of", slow)
    page = admin_client.get(NUMBERS)
    assert page.status_code == 503
    assert "takes too long. Choose fewer days" in page.text


@pytest.mark.usefixtures("counted_by_hand")
def test_who_is_limited_sees_the_numbers_of_these_agents(settings):
    client = staff("view_call")
    AgentAccess.objects.create(user_id=client.session["_auth_user_id"], agent_id="b")
    for query in ("", "&agent_id__exact=a"):
        page = client.get(f"{IN_MARCH}{query}")
        assert page.context["whole"].calls == (0 if query else 3)
        assert "Agent a" not in page.text


def test_who_may_not_view_calls_sees_none(client, db):
    assert client.get(NUMBERS).status_code == 302
    assert staff("view_calltranscription").get(NUMBERS).status_code == 403


def test_the_page_is_one_click_from_the_first_page_and_from_the_list_with_its_days_and_agent(admin_client):
    assert f'href="{NUMBERS}"' in admin_client.get("/admin/").text
    assert f'href="{NUMBERS}"' in admin_client.get(LIST).text
    request = RequestFactory().get(LIST, {"started_from": "2026-03-01", AGENT: "a", "q": "x", "p": "2"})
    assert f'href="{NUMBERS}?started_from=2026-03-01&amp;agent_id__exact=a"' in admin.numbers_link(request)
    without_first = RequestFactory().get(LIST, {"started_to": "2026-03-01", AGENT: "a"})
    assert f'href="{NUMBERS}?agent_id__exact=a"' in admin.numbers_link(without_first)


def test_without_a_last_day_it_goes_to_today(admin_client, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: utc(2026, 3, 17, 12))
    page = admin_client.get(f"{NUMBERS}?started_from=2026-02-16&started_to=")
    assert page.context["span"] == Span(date(2026, 2, 16), date(2026, 3, 17))
    assert [field["value"] for field in page.context["fields"]] == ["2026-02-16", "2026-03-17"]
    ahead = date(2026, 3, 20)
    assert admin_client.get(f"{NUMBERS}?started_from={ahead}").context["span"] == Span(ahead, ahead)


def test_the_page_asks_the_same_number_of_queries_whatever_there_is(admin_client):
    counts = []
    for n in range(30):
        made(n, utc(2026, 3, n + 1), agent=f"agent_{n}")
        if n in (0, 29):
            with CaptureQueriesContext(connection) as captured:
                admin_client.get(IN_MARCH)
            counts.append(len(captured))
    assert counts[0] == counts[1]


def test_names_and_reasons_are_shown_as_text_and_without_secrets(admin_client):
    evil = "<script>alert(1)</script>\u202e"
    made(0, utc(2026, 3, 1), agent=evil)
    made(1, utc(2026, 3, 1), status="failed", failure_reason="busy: https://u:S3CRET@x.example/")
    made(2, utc(2026, 3, 1), status="failed", failure_reason=evil)
    page = admin_client.get(IN_MARCH).text
    assert "<script>alert" not in page
    assert "S3CRET" not in page
    assert "https://***@x.example/" in page
    assert "\u202e" not in plain(page)
    assert not re.search(r"<[^>]+ style=|<style|<script(?![^>]+src=)", page)


def links(page):
    """Each link to the list, with the number that it stands on."""
    found = re.findall(r'<a href="([^"]+)">([^<]+)</a>', page.text)
    return [(unescape(address), text) for address, text in found if urlsplit(unescape(address)).path == LIST]


@pytest.mark.usefixtures("counted_by_hand")
def test_each_number_leads_to_a_list_with_the_filters_that_find_its_calls(admin_client, settings):
    settings.CALLS_TIME_ZONE = "Europe/Berlin"
    page = admin_client.get(IN_MARCH)
    (row,) = [row for row in page.context["agents"] if row.title == "Agent a"]
    of_agent = {"started_from": ["2026-03-01"], "started_to": ["2026-03-31"], "agent_id__exact": ["a"]}
    queries = [parse_qs(urlsplit(cell.url).query) for cell in row.cells]
    completed = {"status__exact": ["completed"]}
    assert queries[:5] == [
        of_agent,
        of_agent | completed | {"call_successful__exact": ["1"]},
        of_agent | completed | {"call_successful__exact": ["0"]},
        of_agent | completed | {"call_successful__isnull": ["True"]},
        of_agent | {"status__exact": ["failed"]},
    ]
    assert queries[5] == {}, "there is none in progress"
    assert queries[-1] == of_agent | completed | {"heard": ["live"]}
    day = {"started_from": ["2026-03-11"], "started_to": ["2026-03-11"]}
    (row,) = [row for row in page.context["days"] if row.title == "Wed 11 Mar 2026"]
    assert parse_qs(urlsplit(row.cells[5].url).query) == day | {"status__exact": ["in_progress"]}
    busy = [parse_qs(urlsplit(address).query) for address, _ in links(page) if REASON in address]
    assert busy[0][REASON] == ["busy"]
    assert busy[0]["status__exact"] == ["failed"]


@pytest.mark.usefixtures("counted_by_hand")
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("agent", ["", "&agent_id__exact=a", "&agent_id__exact=b", "&agent_id__exact="])
def test_each_link_finds_as_many_calls_as_its_number_says(admin_client, settings, zone, agent):
    settings.CALLS_TIME_ZONE = zone
    page = admin_client.get(f"{IN_MARCH}{agent}")
    rows = [row.cells for row in (*page.context["agents"], *page.context["days"])]
    followed = 0
    for row in [[cell for _, cell in page.context["figures"]], *rows]:
        numbers = dict(zip(page.context["headings"], row, strict=True))
        of_all = dict.fromkeys(("Mean duration", "Total duration", "Credits", "USD"), "Calls") | {"Success": "Met"}
        for heading, cell in numbers.items():
            if cell.url:
                counted = numbers[of_all.get(heading, heading)].text.split(" of ")[0]
                assert found_by(admin_client, cell.url) == int(counted), (heading, cell)
                followed += 1
    for reason in page.context["reasons"]:
        (cell,) = reason.cells
        assert found_by(admin_client, cell.url) == int(cell.text), reason
        followed += 1
    assert followed >= 8


def found_by(client, address):
    page = client.get(address)
    assert page.status_code == 200, address
    return len(page.context["cl"].queryset)
