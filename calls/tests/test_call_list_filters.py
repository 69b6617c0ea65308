"""The filters of the list of calls, alone and together; days; agents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from calls.call_list.agents import AGENTS_SHOWN
from calls.models import AgentAccess, Call
from calls.tests.page_cases import START, ended
from calls.tests.test_call_list import LIST, kept, listed
from conftest import staff


@pytest.fixture
def client(db):
    return staff("view_call")


def some_calls():
    """A call for each answer to each filter."""
    ended(n=0, status="failed", failure_reason="busy", agent_id="a", driver_id="D", direction="inbound")
    kept(ended(n=1, call_successful=True, agent_id="a", direction="outbound"))
    kept(ended(n=2, call_successful=False, agent_id="b", live=[("agent", "Hello")]))
    Call.register(call_sid="EL_3", agent_id="b", call_start_time=timezone.now() - timedelta(hours=7))
    Call.objects.filter(call_sid="EL_0").update(final_sequence_number=0, last_sequence_number=0)


FILTERS = {
    "": "3210",
    "status__exact=failed": "0",
    "status__exact=completed": "21",
    "status__exact=in_progress": "3",
    "call_successful__exact=1": "1",
    "call_successful__exact=True": "1",
    "call_successful__exact=0": "2",
    "call_successful__isnull=True": "30",
    "direction__exact=inbound": "0",
    "recording=yes": "21",
    "recording=no": "30",
    "heard=live": "2",
    "heard=not": "310",
    "silent=1": "3",
    "silent=6": "3",
    "silent=24": "",
    "agent_id__exact=b": "32",
    "agent_id__exact=nobody": "",
    "driver_id__exact=D": "0",
    "failure_reason__exact=busy": "0",
    "failure_reason__exact=bus": "",
    "failure_reason__exact=": "",
    "agent_id__exact=": "",
    "status__exact=&recording=&silent=&started_from=&started_to=": "3210",
    "recording=yes&call_successful__exact=0&agent_id__exact=b&heard=live": "2",
    "recording=yes&call_successful__exact=0&agent_id__exact=a": "",
    "started_from=2026-09-21&started_to=2026-09-21": "210",
    "started_from=2026-09-22": "3",
    "started_to=2026-09-20": "",
    "started_to=2026-09-21&status__exact=failed": "0",
}


@pytest.mark.parametrize("query", FILTERS)
def test_a_filter_shows_its_calls_alone(client, query):
    some_calls()
    assert listed(client, f"?{query}") == [f"EL_{n}" for n in FILTERS[query]]


def test_a_failure_without_a_reason_can_be_asked_for(client):
    ended(n=0, status="failed", failure_reason="busy")
    ended(n=1, status="failed")
    ended(n=2)
    assert listed(client, "?failure_reason__exact=") == ["EL_1"]
    assert chosen(client, "?failure_reason__exact=") == {"failure reason": "Not known"}


def test_a_long_reason_is_compared_as_a_whole(client):
    for number in range(2):
        ended(n=number, status="failed", failure_reason="é" * 5_000 + str(number))
    assert listed(client, f"?failure_reason__exact={'é' * 5_000}1") == ["EL_1"]


def chosen(client, query):
    """What each filter that is in use is set to."""
    specs = client.get(LIST + query).context["cl"].filter_specs
    found = {spec.title: [one["display"] for one in spec.shown_choices[1:] if one["selected"]] for spec in specs}
    return {title: displayed[0] for title, displayed in found.items() if displayed}


UNREADABLE = {
    "started_from=2026-02-30": "started_from is not a day. Write it as YYYY-MM-DD",
    "started_to=yesterday": "started_to is not a day.",
    "started_from=99999999999999999999-01-01": "started_from is not a day.",
    "started_from=2026-W10-1": "started_from is not a day.",
    "started_from=20260301": "started_from is not a day.",
    "started_from=٢٠٢٦-٠١-٠١": "started_from is not a day.",
    "started_from=2026-03-02&started_to=2026-03-01": "The first day is behind the last one.",
    "status__exact=broken": "status__exact is one of: in_progress, completed, failed.",
    "recording=maybe": "recording is one of: yes, no.",
    "call_successful__exact=2": "call_successful__exact is one of: 1, 0.",
    "heard=%3Cscript%3E": "heard is one of: live, not.",
    "silent=7": "silent is one of: 1, 6, 24.",
}


@pytest.mark.parametrize("query", UNREADABLE)
def test_what_a_filter_cannot_read_is_told_and_shows_nothing(client, call, query):
    response = client.get(f"{LIST}?{query}")
    assert response.status_code == 200
    assert f'role="alert">{UNREADABLE[query]}' in response.text
    assert list(response.context["cl"].result_list) == []


@pytest.mark.parametrize(
    "query",
    ["status=failed", "started=2026-01-01", "recording__exact=yes", "status__exact__exact=failed", "heard__gte=1"],
)
def test_no_filter_has_another_name(client, query):
    assert client.get(f"{LIST}?{query}").status_code == 400


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_ends_of_the_calendar_are_days_too(client, call, settings, day, zone):
    settings.CALLS_TIME_ZONE = zone
    assert listed(client, f"?started_from={day}&started_to={day}") == []
    assert listed(client, "?started_from=0001-01-01&started_to=9999-12-31") == [call.call_sid]


def test_days_are_those_of_the_zone_and_both_are_inside(client, settings):
    settings.CALLS_TIME_ZONE = "America/New_York"  # the clocks went back on 1 November 2026, at 6:00 UTC
    for number, start in enumerate(
        [
            datetime(2026, 11, 1, 3, 59, 59, 999_999, tzinfo=UTC),
            datetime(2026, 11, 1, 4, tzinfo=UTC),
            datetime(2026, 11, 2, 4, 59, 59, 999_999, tzinfo=UTC),
            datetime(2026, 11, 2, 5, tzinfo=UTC),
        ]
    ):
        ended(n=number, call_start_time=start)
    assert listed(client, "?started_from=2026-11-01&started_to=2026-11-01") == ["EL_2", "EL_1"]


def test_a_call_whose_start_is_not_known_counts_by_its_registration_as_in_the_api(client, reader):
    now = timezone.now()
    Call.register(call_sid="EL_0")
    Call.register(call_sid="EL_1", call_start_time=now - timedelta(days=3))
    day = f"{now:%Y-%m-%d}"
    assert listed(client, f"?started_from={day}&started_to={day}") == ["EL_0"]
    [found] = reader.get("/api/calls/", {"started_after": f"{day}T00:00:00Z"}).json()["results"]
    assert found["call_sid"] == "EL_0"


def test_within_days_the_newest_start_comes_first_else_the_newest_registration(client):
    ended(n=0, call_start_time=START + timedelta(hours=1))
    ended(n=1)
    assert listed(client) == ["EL_1", "EL_0"]
    assert listed(client, "?started_from=2026-09-21") == ["EL_0", "EL_1"]


RANGES = {
    "Today": ("2026-03-01", "2026-03-01"),
    "Yesterday": ("2026-02-28", "2026-02-28"),
    "This week": ("2026-02-23", "2026-03-01"),
    "Last week": ("2026-02-16", "2026-02-22"),
    "This month": ("2026-03-01", "2026-03-31"),
    "Last month": ("2026-02-01", "2026-02-28"),
    "Last 31 days": ("2026-01-30", "2026-03-01"),
    "Last 90 days": ("2025-12-02", "2026-03-01"),
}


def test_the_ranges_are_days_of_the_zone_and_weeks_begin_on_monday(client, settings, monkeypatch):
    settings.CALLS_TIME_ZONE = "Asia/Tokyo"
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 2, 28, 15, tzinfo=UTC))  # Sunday, 1 March, there
    text = client.get(f"{LIST}?status__exact=failed&p=1&started_from=2026-02-16&started_to=2026-02-22").text
    for title, (first, last) in RANGES.items():
        link = f"?started_from={first}&amp;started_to={last}&amp;status__exact=failed"
        current = ' aria-current="true"' if title == "Last week" else ""
        assert f'<a href="{link}"{current}><bdi>{title}</bdi></a>' in text, title
    assert 'type="date" name="started_from" value="2026-02-16"' in text
    assert '<input type="hidden" name="status__exact" value="failed">' in text


# --- agents ---------------------------------------------------------------------------------------------------


def agents_offered(client, query=""):
    specs = {spec.title: spec for spec in client.get(LIST + query).context["cl"].filter_specs}
    return [str(choice["display"]) for choice in specs["agent"].shown_choices[1:]]


def test_the_agents_of_all_calls_are_offered_by_their_newest_names(client):
    for number, (agent_id, name) in enumerate([("a", "Old"), ("a", "Nora"), ("b", "Nora"), ("c", ""), ("", "None")]):
        Call.register(call_sid=f"EL_{number}", agent_id=agent_id, agent_name=name)
    assert agents_offered(client) == ["c", "Nora (a)", "Nora (b)"]
    assert agents_offered(client, "?agent_id__exact=gone") == ["gone", "c", "Nora (a)", "Nora (b)"]


def test_calls_without_an_agent_can_be_asked_for(client):
    Call.register(call_sid="EL_0", agent_id="a")
    Call.register(call_sid="EL_1")
    assert listed(client, "?agent_id__exact=") == ["EL_1"]
    assert agents_offered(client, "?agent_id__exact=") == ["Not known", "a"]
    assert chosen(client, "?agent_id__exact=") == {"agent": "Not known"}


def test_at_most_so_many_agents_are_offered(client):
    Call.objects.bulk_create(Call(call_sid=f"EL_{n}", agent_id=f"agent_{n}") for n in range(AGENTS_SHOWN + 5))
    assert len(agents_offered(client)) == AGENTS_SHOWN


def test_somebody_who_is_limited_sees_and_is_offered_the_calls_of_his_agents_alone(client):
    some_calls()
    user = client.get(LIST).wsgi_request.user
    AgentAccess.objects.create(user=user, agent_id="b")
    assert listed(client) == ["EL_3", "EL_2"]
    assert listed(client, "?agent_id__exact=a") == []
    assert listed(client, "?recording=yes") == ["EL_2"]
    assert listed(client, "?q=EL") == ["EL_3", "EL_2"]
    assert agents_offered(client) == ["b"]
