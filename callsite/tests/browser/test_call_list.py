"""The admin's lists and its first page, in Chromium: whole at 1,400 pixels, cards at 390, under the strict policy."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from calls.models import Call
from callsite.tests.browser.conftest import aside
from callsite.tests.browser.test_call_page import staff, told
from callsite.tests.browser.test_live_page import HOSTILE, begin, outcome_of, serious

LIST = "/admin/calls/call/"
LISTS = {
    "calls": LIST,
    "found": f"{LIST}?q=what+mean",
    "told": f"{LIST}?started_from=2026-02-30",
    "turns": "/admin/calls/calltranscription/",
    "recordings": "/admin/calls/callrecording/",
    "inbox": "/admin/webhooks/webhookdelivery/",
    "refused": "/admin/webhooks/refusedrequests/",
    "log": "/admin/calls/accesslogentry/",
    "rounds": "/admin/upstream/reconcileround/",
    "users": "/admin/auth/user/",
    "groups": "/admin/auth/group/",
    "first": "/admin/",
}
LONG = "no_word_ends_" * 18


def filled(elevenlabs):
    """A story, a failure, long and hostile names, and a webhook that nobody wanted."""
    told(elevenlabs)
    begin(2, driver_id=LONG, agent_name=LONG, agent_id="a", to_number="+4915123456789")
    begin(3, driver_id=HOSTILE, agent_name=HOSTILE, status="failed", final_sequence_number=0, failure_reason=LONG)
    aside(Call.register)(call_sid=LONG, conversation_id=f"conv_{LONG}")
    elevenlabs.post_call({"type": "x" * 64, "event_timestamp": 1, "data": {"conversation_id": LONG}})
    elevenlabs.post_call(outcome_of(Call(conversation_id=f"conv_{LONG}"[:250])))
    elevenlabs.post_call(b"{}", signature="t=1,v0=00")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_no_list_is_wider_than_the_page_and_axe_finds_no_serious_fault(desk_of, elevenlabs, scheme, width):
    filled(elevenlabs)
    desk = desk_of(staff(), color_scheme=scheme, viewport={"width": width, "height": 900})
    for name, path in LISTS.items():
        desk.page.goto(desk.url + path)
        desk.shoot(f"list-{name}-{scheme}-{width}")
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= width, name
        cells = "[...document.querySelectorAll('#result_list tr > *')].map(cell => cell.getBoundingClientRect().right)"
        assert max(desk.page.evaluate(cells), default=0) <= width, name
        assert serious(desk.page) == [], name


@pytest.fixture
def desk(desk_of, transactional_db):
    return desk_of(staff(), viewport={"width": 1400, "height": 900})


def test_every_column_of_a_call_is_seen_at_1400_and_a_row_is_a_card_at_390(desk, elevenlabs):
    told(elevenlabs)
    page = desk.page
    page.goto(desk.url + LIST)
    cells = page.locator("#result_list tbody tr > *")
    expect(cells).to_have_count(11)  # with the box
    boxes = [cell.bounding_box() for cell in cells.all()]
    assert all(box["x"] + box["width"] <= 1400 for box in boxes)
    assert len({box["y"] for box in boxes}) == 1, "they stand in one row"
    assert page.locator(".filters > summary").is_hidden()
    expect(page.get_by_role("link", name="Last week")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 900})
    assert len({round(cell.bounding_box()["y"]) for cell in cells.all() if cell.is_visible()}) >= 4
    expect(page.get_by_role("link", name="Last week")).to_be_hidden()
    page.get_by_text("Filters", exact=True).click()
    expect(page.get_by_role("link", name="Last week")).to_be_visible()
    assert page.locator(".field-driver").bounding_box()["y"] < page.locator(".field-started").bounding_box()["y"]
    assert page.locator(".filters").bounding_box()["y"] < page.locator("#result_list").bounding_box()["y"]


def test_a_word_is_found_among_calls_and_leads_to_its_turn(desk, elevenlabs):
    call = told(elevenlabs)
    begin(2)
    page = desk.page
    page.goto(desk.url + "/admin/")
    page.get_by_role("searchbox").fill("next free slot")
    page.keyboard.press("Enter")
    expect(page.locator(".result-count")).to_contain_text("1 result")
    assert page.url.endswith("?q=next+free+slot"), "no parameter without a value"
    assert page.locator("tr.found mark").all_inner_texts() == ["next", "free", "slot"]
    page.get_by_role("link", name="Agent at 0:48").click()
    expect(page.locator(".turn[aria-current]")).to_contain_text("The next free slot is at five.")
    assert page.url.endswith("#t48")
    assert f"/{call.pk}/" in page.url


def test_days_are_chosen_in_two_fields_or_with_a_click(desk):
    now = timezone.now()
    begin(1, call_start_time=now - timedelta(days=40))
    begin(2, call_start_time=now)
    page = desk.page
    page.goto(desk.url + LIST + "?status__exact=in_progress")
    page.get_by_role("link", name="Last 31 days").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(page.get_by_role("link", name="Last 31 days")).to_have_attribute("aria-current", "true")
    page.get_by_label("From", exact=True).fill(f"{now - timedelta(days=45):%Y-%m-%d}")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    assert "status__exact=in_progress" in page.url


def test_days_and_a_search_keep_a_filter_that_has_no_value(desk):
    begin(1, agent_id="a")
    begin(2)
    page = desk.page
    page.goto(desk.url + LIST + "?agent_id__exact=")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.get_by_label("From", exact=True).fill("2020-01-01")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("searchbox").fill("EL")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**q=EL*")
    assert "agent_id__exact=&" in f"{page.url}&"
    assert "started_to" not in page.url, "no field that is empty"


def test_times_of_a_list_are_in_the_readers_zone(desk_of, elevenlabs):
    call = told(elevenlabs)
    page = desk_of(staff(), timezone_id="Asia/Kolkata").page
    page.goto(desk_of().url + LIST)
    expect(page.locator(".field-started time")).to_have_text("21 Sep 2026, 19:43:20")
    desk = desk_of(staff("view_call"), java_script_enabled=False)
    desk.page.goto(desk.url + LIST)
    assert desk.page.locator(".field-started time").inner_text() == "21 Sep 2026, 14:13:20"
    assert call.call_sid in desk.page.locator(".field-started").inner_text()


def test_a_queue_of_the_first_page_is_one_click_from_its_list(desk):
    begin(1, call_start_time=timezone.now() - timedelta(hours=2))
    aside(Call.objects.update)(created_at=timezone.now() - timedelta(hours=2))
    page = desk.page
    page.goto(desk.url + "/admin/")
    page.get_by_role("link", name="1 Silent for over an hour").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
