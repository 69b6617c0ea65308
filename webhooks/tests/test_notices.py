"""What an empty live page says is missing: to the staff with numbers and links, to a dispatcher in a plain sentence."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone

from calls.models import Call
from conftest import payload
from webhooks.models import RefusedRequests, WebhookDelivery


@pytest.fixture
def staff(transactional_db):
    """May view calls and deliveries, in the admin."""
    user = get_user_model().objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_call", "view_webhookdelivery"]))
    return user


def notices(client, user) -> list[dict[str, str]]:
    client.force_login(user)
    return client.get("/live/status/").json()["notices"]


def refused(reason: str, count: int, hours_ago: float = 0) -> None:
    hour = (timezone.now() - timedelta(hours=hours_ago)).replace(minute=0, second=0, microsecond=0)
    RefusedRequests.objects.create(hour=hour, reason=reason, count=count)


def test_a_fresh_site_says_where_the_webhook_is_set(client, staff, dispatcher):
    (notice,) = notices(client, staff)
    assert notice["text"] == "No webhook has come yet."
    assert "http://testserver/webhooks/elevenlabs/post-call" in notice["fix"]
    (notice,) = notices(client, dispatcher)
    assert notice["text"] == "callsite is not connected yet."
    assert "webhook" not in str(notice)


def test_a_site_that_has_calls_and_no_trouble_says_nothing(client, staff, dispatcher, call):
    assert notices(client, staff) == notices(client, dispatcher) == []


def test_webhooks_that_wait_are_counted_and_lead_to_their_list(client, staff, dispatcher, site):
    for number in range(3):
        assert site.post_call(payload("transcription_docs_sample", f"conv_{number}")).status_code == 404
    (notice,) = notices(client, staff)
    assert notice["text"] == "3 webhooks wait for a call."
    assert "ELEVENLABS_CREATE_UNKNOWN_CALLS" in notice["fix"]
    page = client.get(notice["url"])
    assert page.status_code == 200
    assert "3 webhook deliveries" in page.text
    (notice,) = notices(client, dispatcher)
    assert notice["text"] == "Some calls could not be shown."
    assert not re.search(r"webhook|\d|admin/", notice["text"] + notice["url"])
    Call.register(call_sid="EL_1", conversation_id="conv_0")
    assert notices(client, staff)[0]["text"] == "2 webhooks wait for a call."


def test_refused_webhooks_are_told_by_their_reason(client, staff, dispatcher):
    refused("wrong", 6)
    refused("wrong", 1, hours_ago=3)
    refused("tool_secret", 1)
    refused("missing", 99, hours_ago=30)
    tool, webhook = notices(client, staff)
    assert tool["text"] == "1 webhook was refused in the last 24 hours: wrong tool secret."
    assert webhook["text"] == "7 webhooks were refused in the last 24 hours: wrong secret."
    assert "ELEVENLABS_WEBHOOK_SECRET" in webhook["fix"]
    (notice,) = notices(client, dispatcher)
    assert notice["text"] == "callsite is not connected yet."


def test_strangers_neither_trouble_a_dispatcher_nor_hide_that_nothing_came(client, staff, dispatcher):
    refused("missing", 12)
    strangers, nothing = notices(client, staff)
    assert strangers["text"] == "12 webhooks were refused in the last 24 hours: no signature."
    assert nothing["text"] == "No webhook has come yet."
    Call.register(call_sid="EL_1")
    assert notices(client, dispatcher) == []
    refused("malformed", 3)
    refused("stale", 1)
    assert [notice["text"] for notice in notices(client, dispatcher)] == ["Some calls could not be shown."]


def test_a_delivery_of_yesterday_is_no_news_and_a_rejected_one_of_today_is(client, staff, site, call):
    site.post_call(b'{"type": "unheard_of"}')
    assert [notice["text"] for notice in notices(client, staff)] == ["1 webhook was not understood."]
    WebhookDelivery.objects.update(received_at=timezone.now() - timedelta(hours=25))
    assert notices(client, staff) == []


def test_staff_who_may_not_view_deliveries_get_the_plain_sentence(client, staff, call):
    refused("wrong", 6)
    staff.user_permissions.remove(Permission.objects.get(codename="view_webhookdelivery"))
    (notice,) = notices(client, staff)
    assert notice["text"] == "Some calls could not be shown."
