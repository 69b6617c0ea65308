"""The work queues on the first page of the admin: what they count, whom they are shown to, and where they lead."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calls.call_list import queues as registry
from calls.call_list.queues import Queue
from calls.models import AgentAccess, Call
from calls.tests.page_cases import ended
from conftest import payload, staff
from webhooks.inbox import receive
from webhooks.models import RefusedRequests, WebhookDelivery

OF_CALLS = ["Failed today", "Silent for over an hour", "Objective not met, last 7 days"]
OF_WEBHOOKS = ["Webhooks rejected today", "Requests refused today", "Webhooks waiting for their call"]


def shown(client):
    """Title → count and address, in the order of the page."""
    text = client.get("/admin/").text
    found = re.findall(r'<a href="([^"]+)"[^>]*><b>([^<]+)</b> <span>([^<]+)<', text)
    return {title: (count, html.unescape(address)) for address, count, title in found}


def counts(client):
    return {title: count for title, (count, _) in shown(client).items()}


def some_work():
    now = timezone.now()
    for number in range(2):
        ended(n=number, status="failed", call_start_time=now)
    ended(n=2, status="failed", call_start_time=now - timedelta(days=1, hours=1))
    ended(n=3, call_successful=False, call_start_time=now - timedelta(days=6), agent_id="a")
    ended(n=4, call_successful=False, call_start_time=now - timedelta(days=8))
    ended(n=5, call_successful=True, call_start_time=now)
    Call.register(call_sid="EL_6", call_start_time=now - timedelta(hours=2), agent_id="a")
    Call.register(call_sid="EL_7", call_start_time=now - timedelta(minutes=50))
    receive("post-call", b'{"type": "post_call_transcription", "event_timestamp": 1, "data": {}}')
    receive("post-call", json.dumps(payload("transcription_docs_sample", "conv_nobody")).encode())
    RefusedRequests.objects.create(hour=now.replace(minute=0, second=0, microsecond=0), reason="wrong", count=1_234)
    RefusedRequests.objects.create(hour=now - timedelta(days=2), reason="wrong", count=5)


@pytest.fixture
def noon(settings, monkeypatch, db):
    """It is noon of a day, so that an hour ago is today."""
    settings.CALLS_TIME_ZONE = "UTC"
    now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    monkeypatch.setattr(timezone, "now", lambda: now)
    return now


def test_each_queue_counts_the_rows_of_the_list_that_it_leads_to(noon, admin_client):
    some_work()
    found = shown(admin_client)
    assert {title: count for title, (count, _) in found.items()} == {
        **dict(zip(OF_CALLS, "211", strict=True)),
        **dict(zip(OF_WEBHOOKS, ["1", "1,234", "1"], strict=True)),
    }
    for title, (count, address) in found.items():
        listed = admin_client.get(address)
        assert listed.status_code == 200, address
        rows = listed.context["cl"].queryset
        number = sum(row.count for row in rows) if title == "Requests refused today" else rows.count()
        assert f"{number:,}" == count, title


def test_silent_calls_are_one_click_away_and_the_reason_of_a_rejection_two(noon, admin_client):
    some_work()
    found = shown(admin_client)
    assert ">EL_6<" in admin_client.get(found["Silent for over an hour"][1]).text
    assert "Missing required field" in admin_client.get(found["Webhooks rejected today"][1]).text
    assert "wrong secret" in admin_client.get(found["Requests refused today"][1]).text


def test_the_day_is_that_of_the_zone(settings, monkeypatch, admin_client):
    settings.CALLS_TIME_ZONE = "Asia/Kolkata"
    now = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)  # 1:30 of the second of March, there
    monkeypatch.setattr(timezone, "now", lambda: now)
    get_user_model().objects.filter(username="admin").update(last_login=now)
    ended(n=0, status="failed", call_start_time=now - timedelta(hours=1))
    ended(n=1, status="failed", call_start_time=now - timedelta(hours=2))
    client = Client()
    client.force_login(get_user_model().objects.get(username="admin"))
    count, address = shown(client)["Failed today"]
    assert count == "1"
    assert "started_from=2026-03-02&started_to=2026-03-02" in address


def test_a_queue_is_shown_to_those_who_may_open_its_list(noon):
    some_work()
    assert [*counts(staff("view_call"))] == OF_CALLS
    get_user_model().objects.all().delete()
    deliveries = staff("view_webhookdelivery")
    assert [*counts(deliveries)] == [OF_WEBHOOKS[0], OF_WEBHOOKS[2]]
    get_user_model().objects.all().delete()
    groups = staff("view_group")
    assert counts(groups) == {}
    assert 'role="search"' not in groups.get("/admin/").text


def test_somebody_who_is_limited_counts_the_calls_of_his_agents_alone(noon):
    some_work()
    WebhookDelivery.objects.update(call=Call.objects.get(call_sid="EL_3"), outcome="rejected", received_at=noon)
    client = staff("view_call", "view_webhookdelivery", "view_refusedrequests")
    user = get_user_model().objects.get()
    AgentAccess.objects.create(user=user, agent_id="a")
    assert counts(client) == dict(zip([*OF_CALLS, *OF_WEBHOOKS], "011200", strict=True))
    AgentAccess.objects.update(agent_id="b")
    assert set(counts(client).values()) == {"0"}


def test_many_are_counted_up_to_a_limit(noon, admin_client, monkeypatch):
    monkeypatch.setattr(registry, "COUNTED", 3)
    Call.objects.bulk_create(
        Call(call_sid=f"EL_{n}", status="failed", final_sequence_number=0, call_start_time=noon) for n in range(5)
    )
    assert counts(admin_client)["Failed today"] == "3+"


def fails(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT no_such_column")


def never_ends(request):
    from calls.postgres.waits import at_most

    with at_most(20), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(30)")


@pytest.mark.parametrize("count", [fails, never_ends])
def test_a_count_that_fails_or_takes_long_does_not_take_the_page_down(
    noon, transactional_db, monkeypatch, caplog, only_postgresql, count
):
    ended(status="failed", call_start_time=noon)
    broken = Queue("Broken", "admin:calls_call_changelist", "calls.view_call", dict, count)
    monkeypatch.setattr(registry, "queues", [broken, *registry.queues])
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root"))
    text = client.get("/admin/").text
    assert "<b>–</b> <span>Broken<span" in text
    assert "cannot be counted now" in text
    assert counts(client)["Failed today"] == "1"
    assert "Cannot count the queue Broken now" in caplog.text


def test_the_first_page_costs_a_few_queries(admin_client, django_assert_max_num_queries):
    some_work()
    admin_client.get("/admin/")
    with CaptureQueriesContext(connection) as captured:
        admin_client.get("/admin/")
    asked = [one["sql"] for one in captured if not one["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))]
    assert len(asked) <= 10, asked
