"""Refused requests are counted by hour and reason; a stranger adds to a count and never fills the table."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import OperationalError
from django.db.models import Sum
from django.utils import timezone

from conftest import POST_CALL, TURN, payload, sign
from webhooks import refusals, signature
from webhooks.models import RefusedRequests, WebhookDelivery
from webhooks.notices import MENDS

LIST = "/admin/webhooks/refusedrequests/"


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Counts are written at once, and again soon."""
    monkeypatch.setattr(refusals, "WRITE_SECONDS", 0.05)
    monkeypatch.setattr(refusals, "AGAIN_SECONDS", 0.05)


def counted(at_least: int) -> dict[str, int]:
    """What is counted by reason, once all of them add up to so many."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = dict(RefusedRequests.objects.order_by().values_list("reason").annotate(Sum("count")))
        if sum(found.values()) >= at_least:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{found} are less than {at_least}")


def test_a_flood_of_strangers_makes_one_row_for_each_reason_and_hour(site):
    for number in range(30):
        assert site.post_call(b"%d" % number, signature=sign(b"other")).status_code == 401
        assert site.client.post(POST_CALL, content=b"").status_code == 401
        assert site.client.post(TURN, content=b"", headers={"Authorization": f"Bearer {number}"}).status_code == 401
    assert counted(90) == {"wrong": 30, "missing": 30, "tool_secret": 30}
    hours = RefusedRequests.objects.order_by().values("hour").distinct().count()
    assert RefusedRequests.objects.count() <= 3 * hours <= 6
    assert {(row.hour.minute, row.hour.second) for row in RefusedRequests.objects.all()} == {(0, 0)}


def test_a_good_webhook_counts_and_writes_nothing(site, call, monkeypatch):
    monkeypatch.setattr(refusals.Refusals, "count", lambda *_: pytest.fail("counted"))
    assert site.post_call(payload("transcription_docs_sample", call.conversation_id)).status_code == 200
    assert site.turn(call_sid=call.call_sid, speaker="agent", message="hello").status_code == 201
    assert site.post_call(b"{}").status_code == 400
    assert not RefusedRequests.objects.exists()


def test_counts_outlast_a_database_that_is_away(site, monkeypatch):
    write, failures = refusals._write, iter([OperationalError(), OperationalError()])

    def fail_twice(counts):
        for failure in failures:
            raise failure
        write(counts)

    monkeypatch.setattr(refusals, "_write", fail_twice)
    for _ in range(3):
        site.client.post(POST_CALL, content=b"")
    assert counted(3) == {"missing": 3}


def test_counts_of_a_month_ago_are_deleted(site):
    old = timezone.now() - timedelta(days=refusals.KEPT_DAYS, hours=1)
    RefusedRequests.objects.create(hour=old, reason="wrong", count=7)
    site.client.post(POST_CALL, content=b"")
    while not RefusedRequests.objects.filter(reason="missing").exists():
        time.sleep(0.02)
    assert counted(1) == {"missing": 1}


def test_every_reason_to_refuse_has_a_label_and_a_mend():
    assert set(MENDS) == set(RefusedRequests.Reason) == {*signature._FIXES, "no_secret", "too_large"}


def test_bodies_that_are_too_large_are_counted_and_not_kept(site, settings):
    settings.WEBHOOK_MAX_BYTES = settings.WEBHOOK_TURN_MAX_BYTES = 100
    assert site.post_call(b"x" * 101).status_code == 413
    assert site.turn(speaker="agent", message="x" * 101).status_code == 413
    assert counted(2) == {"too_large": 2}
    assert not WebhookDelivery.objects.exists()


@pytest.fixture
def staff(client, db):
    user = get_user_model().objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_refusedrequests"]))
    client.force_login(user)
    return client


def test_staff_see_the_counts_by_hour_and_reason_with_what_to_do(staff):
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    RefusedRequests.objects.create(hour=hour, reason="wrong", count=1_200)
    RefusedRequests.objects.create(hour=hour, reason="too_large", count=3)
    page = staff.get(LIST)
    assert "1,200" in page.text
    assert '<meter min="0" max="1200" value="3"' in page.text
    assert "Set ELEVENLABS_WEBHOOK_SECRET to the secret" in page.text
    few = staff.get(f"{LIST}?reason__exact=too_large").text
    assert "1,200" not in few


def test_nobody_changes_the_counts(staff):
    row = RefusedRequests.objects.create(hour=timezone.now(), reason="wrong", count=1)
    assert staff.get(f"{LIST}add/").status_code == 403
    assert staff.post(f"{LIST}{row.pk}/change/", {"count": 0}).status_code == 403
    assert staff.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_the_counts_need_their_permission(staff):
    get_user_model().objects.get().user_permissions.clear()
    assert staff.get(LIST).status_code == 403
