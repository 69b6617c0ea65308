"""Signing in, with and without scripts: what is wrong is said on the page, in the look of all pages."""

from __future__ import annotations

import re

import pytest
from axes.models import AccessAttempt
from django.conf import settings as django_settings
from playwright.sync_api import expect

from callsite.tests.browser.test_live_page import serious

LIMIT = django_settings.AXES_FAILURE_LIMIT
REFUSED = re.compile("the server responded with a status of (429|403)")


def sign_in(page, password, name="ada"):
    page.fill("#id_username", name)
    page.fill("#id_password", password)
    page.click("main button")


def forget_refusals(desk):
    desk.complaints[:] = [text for text in desk.complaints if not REFUSED.search(text)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_every_page_on_the_way_in_is_without_a_serious_fault(desk_of, user, scheme, width):
    desk = desk_of(color_scheme=scheme, viewport={"width": width, "height": 844})
    page, faults = desk.page, []

    def look(name):
        page.wait_for_load_state()  # a click waits for the beginning of the next page, and its style comes later
        desk.shoot(f"{name}-{scheme}-{width}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing stands out of the page"
        faults.extend(serious(page))

    page.goto(desk.url + "/admin/")
    look("sign-in")
    sign_in(page, "wrong")
    look("sign-in-wrong")
    AccessAttempt.objects.update(failures_since_start=LIMIT)
    sign_in(page, "ada")
    expect(page.get_by_role("alert")).to_have_text("Too many attempts. Try again in 15 minutes.")
    look("sign-in-locked")
    desk.sign_in(user)
    page.goto(desk.url + "/admin/")
    expect(page.get_by_role("heading")).to_have_text("You may not open this page")
    look("not-for-you")
    forget_refusals(desk)
    assert faults == []


def test_without_scripts_a_user_signs_in_and_out_and_in_again_as_somebody_else(desk_of, user):
    desk = desk_of(java_script_enabled=False)
    page = desk.page
    page.goto(desk.url + "/admin/")
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("do not match")
    expect(page.locator("#id_username")).to_have_value("ada")
    expect(page.locator("#id_password")).to_be_focused()
    sign_in(page, "ada")
    expect(page.get_by_role("heading")).to_have_text("You may not open this page")
    expect(page.locator("main")).to_contain_text("You are signed in as ada.")
    page.get_by_role("link", name="Live calls").click()
    expect(page).to_have_url(desk.url + "/live/")
    page.go_back()
    page.get_by_role("button", name="Sign in as somebody else").click()
    expect(page).to_have_url(re.compile(r"/admin/login/\?next=/admin/$"))
    expect(page.locator("#id_password")).to_be_visible()
    forget_refusals(desk)
