"""Reviewing a call in Chromium: notes on turns, links to them, and the page with all of it."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from calls.models import Call, ReviewNote
from callsite.tests.browser.conftest import aside
from callsite.tests.browser.test_call_page import NOW, OVERRIDE, opened, page_of, staff, told
from callsite.tests.browser.test_live_page import HOSTILE, begin, serious


@aside
def reviewed(call):
    """A call with everything that a review has."""
    Call.objects.filter(pk=call.pk).update(reviewed_at=call.created_at, reviewed_by="mira.holm")
    for name in ("objection", "slot taken", "asked for a human", f"ש{HOSTILE[:20]}".lower()):
        call.labels.create(name=name)
    objection = {"second": 15, "speaker": "driver", "words": "What do you mean? I was promised that slot."}
    for author, text, place in (
        ("mira.holm", "He was promised 16:15 by the warehouse. Nora should say who took the slot.", objection),
        ("jonas", "Agreed. I asked the warehouse on Monday, they double-booked gate 3.", objection),
        ("jonas", f"Good tone.\nUse it for the training. {OVERRIDE}{HOSTILE}", {}),
        ("mira.holm", "x", {"second": 30, "speaker": "driver", "words": "Something that was told otherwise before."}),
    ):
        call.review_notes.create(author_id=1, author_name=author, text=text, **place)
    return call.review_notes.order_by("pk")[0].pk


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_no_serious_fault_in_a_reviewed_call_and_nothing_is_wider(desk_of, elevenlabs, scheme, width):
    call = told(elevenlabs)
    begin(2, driver_id="4711", status="failed", final_sequence_number=0, failure_reason="no-answer")
    first = reviewed(call)
    desk = desk_of(staff(), color_scheme=scheme, viewport={"width": width, "height": 900})
    page = opened(desk, call)
    page.get_by_text("I am sorry. The next").hover()
    page.get_by_role("button", name="Write a note on this turn").click()
    desk.shoot(f"review-form-{scheme}-{width}")
    page.evaluate("scrollTo(0, 0)")
    desk.shoot(f"review-{scheme}-{width}")
    desk.shoot(f"review-{scheme}-{width}-full", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious(page) == []
    page.goto("about:blank")
    page.goto(desk.url + page_of(call, f"#note-{first}"))
    expect(page.locator(f"#note-{first}")).to_be_in_viewport()
    desk.shoot(f"review-link-{scheme}-{width}")
    page.goto(desk.url + reverse("admin:calls_call_changelist") + "?label=objection")
    desk.shoot(f"review-list-{scheme}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious(page) == []


def test_a_note_is_written_on_the_turn_that_is_pointed_at_and_its_link_opens_there(desk_of, elevenlabs):
    call = told(elevenlabs)
    desk = desk_of(staff("view_call", "review_call", "view_callrecording"))
    page = opened(desk, call)
    page.get_by_text("What do you mean?").hover()
    page.get_by_role("button", name="Write a note on this turn").click()
    expect(page.get_by_label("Note", exact=True)).to_be_focused()
    page.keyboard.type("He is right j k")
    page.keyboard.press("Escape")
    expect(page.locator("#note-home textarea")).to_have_value("He is right j k")
    page.locator("a[href='#t15']").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator(".turns .note")).to_contain_text("He is right j k")
    assert re.search(r"#note-\d+$", page.url)
    link, other = page.url, desk_of(staff("view_call", "view_callrecording"))
    other.page.goto(link)
    expect(other.page.locator(".turns .note")).to_be_in_viewport()
    expect(other.page.locator(".turn[aria-current]")).to_contain_text("What do you mean?")
    assert abs(other.page.evaluate(NOW) - 15) < 0.5
    expect(other.page.locator("textarea")).to_have_count(0)


def test_a_turn_without_words_or_seconds_of_its_own_gets_a_note_too(desk_of, elevenlabs):
    call = told(elevenlabs)
    page = opened(desk_of(staff()), call)
    for words in ("Hello?", "reserve_slot"):
        page.get_by_text(words, exact=True).hover()
        page.get_by_role("button", name="Write a note on this turn").click()
        page.keyboard.type(f"On {words}")
        page.get_by_role("button", name="Add note").click()
        expect(
            page.locator(".turns .noted", has_text=f"On {words}").locator("xpath=preceding-sibling::li[1]")
        ).to_contain_text(words)


def test_everything_works_without_script(desk_of, elevenlabs):
    call = told(elevenlabs)
    page = opened(desk_of(staff("view_call", "review_call"), java_script_enabled=False), call)
    page.get_by_role("button", name="Mark as reviewed").click()
    page.get_by_label("Labels to add").fill("late, rude")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Take off late").click()
    page.get_by_label("Note", exact=True).fill("Right")
    page.get_by_role("textbox", name="At").fill("0:49")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator("#t48 + .noted")).to_contain_text("Right")
    expect(page.locator(".review-line")).to_contain_text("rude")
    page.locator(".noted summary").click()
    page.get_by_role("button", name="Delete this note").click()
    expect(page.locator(".note")).to_have_count(0)
    page.get_by_role("button", name="Take back").click()
    page.goto(page.url.split("/admin/")[0] + reverse("admin:calls_call_changelist") + "?reviewed=no&label=rude")
    expect(page.get_by_role("link", name=call.call_sid)).to_be_visible()
    assert notes() == 0


@aside
def notes():
    return ReviewNote.objects.count()
