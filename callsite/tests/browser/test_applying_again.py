"""Applying all deliveries of a list again, in Chromium: the steps follow by themselves."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from callsite.tests.browser.conftest import aside
from callsite.tests.browser.test_live_page import serious
from webhooks.models import WebhookDelivery


@aside
def kept(count):
    rows = {"route": "post-call", "body": b"no JSON", "size_bytes": 7, "received_at": timezone.now()}
    rows |= {"outcome": "failed", "answer_status": 500, "answer_body": {}}
    WebhookDelivery.objects.bulk_create([WebhookDelivery(digest=f"{n:064}", **rows) for n in range(count)])


@aside
def superuser():
    return get_user_model().objects.create_superuser("root")


def test_all_of_a_list_are_applied_again_step_by_step_and_by_themselves(desk_of, server, transactional_db):
    kept(405)
    page = desk_of(superuser()).page
    page.goto(server.url + "/admin/webhooks/webhookdelivery/?outcome__exact=failed")
    page.locator("#action-toggle").check()
    page.get_by_text("Select all 405").click()
    page.locator("select[name=action]").select_option("apply_deliveries_again")
    page.locator("button[name=index]").click()
    expect(page.get_by_text("The first 200 of 405 deliveries would be: rejected 200.")).to_be_visible()
    assert WebhookDelivery.objects.filter(outcome="failed").count() == 405
    page.get_by_role("button", name="Apply all 405").click()
    expect(page.get_by_text("Applied 0 of 405 deliveries.")).to_be_visible(timeout=60_000)
    assert WebhookDelivery.objects.filter(outcome="rejected").count() == 405
    expect(page.locator("#results tbody tr")).to_have_count(405)
    page.get_by_role("link", name="Back to the list").click()
    expect(page.get_by_text("0 webhook deliveries")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_no_serious_fault_on_the_page_of_a_delivery(desk_of, elevenlabs, scheme, width):
    body = {"type": "w" * 64, "event_timestamp": 1_790_000_000, "data": {"list": list(range(2_000))}}
    assert elevenlabs.post_call(body).status_code == 400
    desk = desk_of(superuser(), color_scheme=scheme, viewport={"width": width, "height": 900})
    desk.page.goto(desk.url + reverse("admin:webhooks_webhookdelivery_change", args=[WebhookDelivery.objects.get().pk]))
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious(desk.page) == []
