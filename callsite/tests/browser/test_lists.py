"""The lists: true totals, a search through all calls, the focus, and what is missing on an empty page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from playwright.sync_api import expect

from calls.models import Call
from calls.turns import record_turn
from callsite.tests.browser.conftest import aside
from callsite.tests.browser.test_live_page import begin, outcome_of


@aside
def end_many(count: int) -> None:
    """Calls that ended one after the other, as the database keeps them. `needle` is the oldest."""
    now = timezone.now()
    for number in range(count):
        Call.register(
            call_sid=f"ended_{number}",
            driver_id="needle" if number == 0 else "hay",
            status="failed",
            final_sequence_number=0,
            call_end_time=now - timedelta(seconds=count - number),
        )


def test_the_list_says_how_many_calls_there_are_beyond_the_latest(desk, elevenlabs):
    end_many(53)
    call = begin()
    page = desk.open()
    count = page.locator("#ended-count")
    expect(count).to_have_text("latest 50 of 53")
    expect(page.locator("#in-progress-count")).to_have_text("1")
    elevenlabs.post_call(outcome_of(call))
    expect(count).to_have_text("latest 50 of 54")
    expect(page.locator("#ended .call")).to_have_count(50)
    expect(page.locator("#in-progress-count")).to_have_text("0")


def test_a_dispatcher_searches_all_calls_for_what_the_list_has_not(desk):
    end_many(53)
    page = desk.open()
    page.fill("#filter", "needle")
    expect(page.locator("#ended-count")).to_have_text("0 of the latest 50")
    offer = page.get_by_role("button", name="Search all calls for needle")
    offer.click()
    found = page.locator("#found .call")
    expect(found).to_have_count(1)
    expect(found).to_contain_text("needle")
    page.locator("#filter").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="needle")).to_be_visible()
    expect(found.locator("a")).to_have_attribute("aria-current", "true")
    page.fill("#filter", "nothing has this")
    expect(found).to_be_hidden()
    page.press("#filter", "Enter")
    expect(page.locator("#found-empty")).to_have_text("No call has all these words.")
    page.fill("#filter", "hay")
    page.press("#filter", "Enter")
    expect(page.locator("#found-count")).to_have_text("25+")
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("#found .call")).to_have_count(50)


def test_a_search_that_fails_says_so(desk):
    page = desk.open()
    page.route("**/api/calls/?search=*", lambda route: route.abort())
    page.fill("#filter", "any")
    page.press("#filter", "Enter")
    expect(page.locator("#found-empty")).to_contain_text("The search failed.")
    desk.complaints[:] = [text for text in desk.complaints if "net::ERR_FAILED" not in text]


def test_a_call_that_ends_keeps_the_focus(desk, elevenlabs):
    begin(1), begin(3)
    call = begin(2)
    page = desk.open()
    focused = page.locator("a:focus")
    page.get_by_role("link", name="DRV-2").focus()
    elevenlabs.post_call(outcome_of(call))
    expect(page.locator("#ended a:focus")).to_contain_text("DRV-2")
    page.keyboard.press("ArrowUp")
    expect(focused).to_contain_text("DRV-1")


def test_the_focus_of_a_call_that_is_deleted_goes_to_its_neighbour(desk):
    begin(1)
    call = begin(2)
    begin(3)
    page = desk.open()
    page.get_by_role("link", name="DRV-2").focus()
    aside(call.delete)()
    expect(page.locator("#in-progress .call")).to_have_count(2)
    expect(page.locator("a:focus")).to_contain_text("DRV-1")


def test_a_focused_row_that_the_filter_hides_hands_the_focus_on(desk):
    begin(1)
    call = begin(2)
    say = aside(record_turn)
    say(call, speaker_type="agent", message_text="alpha")
    page = desk.open()
    page.fill("#filter", "alpha")
    page.keyboard.press("ArrowDown")
    expect(page.locator("a:focus")).to_contain_text("DRV-2")
    say(call, speaker_type="agent", message_text="beta")
    expect(page.locator("#in-progress-count")).to_have_text("0 of 2")
    expect(page.locator("#filter")).to_be_focused()


@pytest.mark.parametrize("is_staff", [True, False])
def test_an_empty_page_says_what_is_missing(desk_of, user, elevenlabs, is_staff):
    desk = desk_of(get_user_model().objects.create_superuser("root") if is_staff else user)
    page = desk.open()
    missing = page.locator("#missing")
    expect(missing).to_contain_text("post-call webhook to http" if is_staff else "callsite is not connected yet.")
    for number in range(3):
        elevenlabs.post_call(outcome_of(Call(conversation_id=f"conv_{number}")))
    page.reload()
    expect(missing).to_contain_text("3 webhooks wait for a call." if is_staff else "Some calls could not be shown.")
    if is_staff:
        with page.expect_navigation():
            missing.get_by_role("link").click()
        expect(page.locator("#result_list tbody tr")).to_have_count(3)
        page.go_back()
    begin(9)
    expect(page.locator("#in-progress .call")).to_have_count(1)
    expect(missing).to_be_visible() if is_staff else expect(missing).to_be_hidden()
