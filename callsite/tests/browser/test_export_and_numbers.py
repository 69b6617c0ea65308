"""The numbers and the export in a browser: no script, no breach of the policy, no sideways scrolling, a file."""

from __future__ import annotations

import csv
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone
from playwright.sync_api import expect

from calls.models import Call
from callsite.tests.browser.conftest import aside
from callsite.tests.browser.test_live_page import serious


@aside
def some_calls(user):
    user.is_staff = True
    user.save()
    user.user_permissions.add(Permission.objects.get(codename="export_call"))
    final = [{"role": "agent", "message": "=1+1", "time_in_call_secs": 1}]
    for n, status in enumerate(["completed", "completed", "failed"]):
        call = Call.register(
            call_sid=f"EL_{n}",
            agent_id=f"agent_{n}",
            agent_name="A name that is long " * 4,
            call_start_time=timezone.now(),
            final_transcript=final if status == "completed" else None,
            failure_reason="no-answer" if status == "failed" else "",
        )
        Call.objects.filter(pk=call.pk).update(
            status=status,
            final_sequence_number=0,
            call_successful=None if status == "failed" else not n,
            created_at=timezone.now() - timedelta(hours=1),
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_the_numbers_need_no_script_and_no_sideways_scrolling(desk_of, user, scheme, width):
    some_calls(user)
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "java_script_enabled": False}
    desk = desk_of(user, **options)
    desk.page.goto(f"{desk.url}/admin/")
    desk.page.get_by_role("link", name="Numbers").click()
    desk.page.wait_for_load_state()  # a click waits for the beginning of the next page
    table = desk.page.get_by_role("region", name="Agents")
    expect(table.get_by_role("row")).to_have_count(4)
    desk.shoot(f"numbers-{width}-{scheme}")
    bars = table.locator("rect")
    assert {bars.nth(n).get_attribute("data-kind") for n in range(bars.count())} == {"met", "not_met", "failed"}
    box = desk.page.locator("html").bounding_box()
    assert all(panel.bounding_box()["width"] <= box["width"] == width for panel in desk.page.locator(".panel").all())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_axe_finds_no_serious_fault_in_the_numbers(desk_of, user, scheme, width):
    some_calls(user)
    desk = desk_of(user, viewport={"width": width, "height": 900}, color_scheme=scheme)
    desk.page.goto(f"{desk.url}/admin/calls/call/numbers/")
    assert serious(desk.page) == []
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_dispatchers_way_to_the_transcripts_of_failed_calls_is_short(desk_of, user):
    some_calls(user)
    desk = desk_of(user)
    desk.page.goto(f"{desk.url}/admin/")
    desk.page.get_by_role("link", name="Calls", exact=True).last.click()
    desk.page.get_by_role("link", name="Failed", exact=True).first.click()
    with desk.page.expect_download() as download:
        desk.page.get_by_role("link", name="Export transcripts").click()
    assert download.value.suggested_filename.startswith("callsite-turns-")
    with open(download.value.path(), encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["Call SID"], row["Failure reason"]) == ("EL_2", "No answer")
