"""GET /api/calls/: filters, search, cursor pages."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from calls.models import Call
from calls.outcome import PostCallData


def sids(response):
    assert response.status_code == 200, response.text
    return [call["call_sid"] for call in response.json()["results"]]


@pytest.fixture
def calls(db):
    """Three calls, the newest last."""
    Call.register(call_sid="EL_a", driver_id="D1", agent_id="A1", direction="inbound", from_number="+1555")
    done = Call.register(call_sid="EL_b", driver_id="D2", agent_id="A1", direction="outbound", conversation_id="conv_b")
    summary = "Ordered ÉCLAIRS, 100% butter_"
    started = datetime(2025, 6, 1, 12, tzinfo=UTC)
    done.update_post_call_data(
        PostCallData(event_time=started, start_time=started, call_successful=True, transcript_summary=summary)
    )
    failed = Call.register(call_sid="EL_c", driver_id="D1", agent_id="A2")
    failed.update_post_call_data(PostCallData(event_time=started, failed=True, call_successful=False))


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", ["EL_c", "EL_b", "EL_a"]),
        ("status=completed", ["EL_b"]),
        ("status=in_progress", ["EL_a"]),
        ("driver_id=D1", ["EL_c", "EL_a"]),
        ("driver_id=D", []),
        ("agent_id=A1&driver_id=D1", ["EL_a"]),
        ("direction=inbound", ["EL_a"]),
        ("call_successful=true", ["EL_b"]),
        ("call_successful=false", ["EL_c"]),
        ("started_before=2025-06-01T12:00:01Z", ["EL_b"]),
        ("started_before=2025-06-01T12:00:00Z", []),
        ("started_after=2025-06-01T12:00:00Z", ["EL_c", "EL_a", "EL_b"]),  # by start, not by key
        ("started_after=2025-06-01T14:00:01%2B02:00", ["EL_c", "EL_a"]),
        ("search=conv_b", ["EL_b"]),
        ("search=el_", ["EL_c", "EL_b", "EL_a"]),
        ("search=100%25", ["EL_b"]),
        ("search=butter_", ["EL_b"]),
        ("search=butterx", []),
        ("search=%2B1555", ["EL_a"]),
    ],
)
def test_a_filter_finds_what_it_says(reader, calls, query, wanted):
    assert sids(reader.get(f"/api/calls/?{query}")) == wanted


NO_TIMES = [
    "started_after=yesterday",
    "started_after=0001-01-01T00:00:00%2B14:00",
    "started_before=9999-12-31T23:59:59-14:00",
    "started_before=99999999999999999999-01-01",
]


@pytest.mark.parametrize(
    "query",
    [
        *("status=ringing", "direction=up", "call_successful=2", "driver_id=%00", "search=a%00b", "cursor=%00"),
        *("nosuch=1", "Status=failed", *NO_TIMES),
    ],
)
def test_a_filter_that_means_nothing_is_refused(reader, calls, query):
    response = reader.get(f"/api/calls/?{query}")
    assert response.status_code == 400
    assert query.split("=")[0] in response.json()


def test_pages_are_walked_by_cursor_and_new_calls_shift_none(reader, db):
    for n in range(7):
        Call.register(call_sid=f"EL_{n}")
    page = reader.get("/api/calls/?page_size=3")
    seen = sids(page)
    Call.register(call_sid="EL_new")
    while page.json()["next"]:
        page = reader.get(page.json()["next"])
        seen += sids(page)
    assert seen == [f"EL_{n}" for n in (6, 5, 4, 3, 2, 1, 0)]
    assert sids(reader.get(page.json()["previous"])) == ["EL_3", "EL_2", "EL_1"]


@pytest.mark.parametrize(
    ("query", "count"), [("", 50), ("?page_size=7", 7), ("?page_size=9999", 200), ("?page_size=x", 50)]
)
def test_a_page_has_fifty_calls_or_up_to_two_hundred(reader, db, query, count):
    Call.objects.bulk_create(Call(call_sid=f"EL_{n}") for n in range(203))
    assert len(sids(reader.get(f"/api/calls/{query}"))) == count


DIGITS = base64.b64encode(b"p=" + b"9" * 5_000).decode()
LAST_DAY = base64.b64encode(b"p=9999-12-31T23:59:59-14:00").decode() + "&started_after=2020-01-01"
EARLY = base64.b64encode(b"p=2025-01-01").decode() + "&started_after=2020-01-01"  # no zone


@pytest.mark.parametrize("cursor", ["x", "cD0x", "cD1cdWQ4MDA=", "bz05OTk5OTk5OTk5OTk=", DIGITS, LAST_DAY, EARLY])
def test_a_broken_cursor_is_an_answer_and_not_an_error(reader, calls, cursor):
    assert reader.get(f"/api/calls/?cursor={cursor}").status_code in (200, 404)


def test_a_page_costs_the_same_for_one_call_and_for_fifty(reader, db):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            reader.get("/api/calls/")
        return [query["sql"] for query in captured]

    Call.register(call_sid="EL_first")
    queries()  # the user's permissions are cached from here on
    few = queries()
    Call.objects.bulk_create(Call(call_sid=f"EL_{n}") for n in range(50))
    many = queries()
    # the agents that the user is limited to, the page
    assert len(many) == len(few) == 2, many
    assert "final_transcript" not in many[-1]
