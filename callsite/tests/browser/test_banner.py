"""The banner says why the page is not live, and goes when the page has caught up."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from callsite.tests.browser.conftest import Desk
from callsite.tests.browser.test_live_page import begin, numbers, speak

REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 40[13] ")


@pytest.fixture
def told(desk: Desk) -> Any:
    """The desk; Chromium's lines on the answers 401 and 403 to the page's question are no faults."""
    yield desk
    desk.complaints[:] = [text for text in desk.complaints if not REFUSED.match(text)]


def banner(page: Page, state: str) -> Any:
    return page.locator(f"#banner[data-state={state}]:not([hidden])")


def socket_watch(page: Page) -> None:
    """From now on the page's sockets can be cut one by one, and held back."""
    page.add_init_script("""
        window.sockets = [];
        window.refused = [];
        const Real = WebSocket;
        window.WebSocket = class extends Real {
            constructor(url, protocols) {
                const path = new URL(url).pathname;
                super(window.refused.includes(path) ? url.replace("/ws/", "/nowhere/") : url, protocols);
                this.path = path;
                window.sockets.push(this);
            }
        };
        window.cut = (path) => {
            const socket = window.sockets.findLast((one) => one.path === path);
            socket.close();
            socket.onclose({ code: 1006, reason: "" });
        };
    """)


def test_who_signs_out_elsewhere_is_told_so_and_finds_the_call_again_after_signing_in(told, user):
    begin()
    page = told.open("/live/#EL_1")
    other = told.context.new_page()
    other.goto(told.url + "/live/")
    other.get_by_role("button", name="Sign out").click()
    expect(banner(page, "signed-out")).to_contain_text("You are signed out.", timeout=10_000)
    expect(page.locator("#network-text")).to_have_text("Not live")
    page.get_by_role("button", name="Sign in again").click()
    page.fill("#id_username", "ada")
    page.fill("#id_password", "ada")
    page.click("main button")
    expect(page.locator("#network-text")).to_have_text("Live")
    expect(page.get_by_role("heading", name="DRV-1")).to_be_visible()


def test_who_signs_in_again_elsewhere_finds_the_page_live(told, user):
    page = told.open()
    Session.objects.all().delete()
    expect(banner(page, "signed-out")).to_be_visible(timeout=10_000)
    told.sign_in(user)
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.locator("#network-text")).to_have_text("Live", timeout=10_000)
    begin(7)
    expect(page.locator("#in-progress .call")).to_contain_text("DRV-7")


def test_the_page_of_one_user_is_not_shown_on_to_another(told, user):
    page = told.open()
    Session.objects.all().delete()
    expect(banner(page, "signed-out")).to_be_visible(timeout=10_000)
    eve = get_user_model().objects.create_user("eve")
    eve.user_permissions.add(Permission.objects.get(codename="view_call"))
    told.sign_in(eve)
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.locator(".user")).to_have_text("eve", timeout=10_000)


def test_who_loses_the_permission_is_told_so_and_is_live_again_when_it_is_given_back(told, user):
    page = told.open()
    user.user_permissions.clear()
    expect(banner(page, "not-permitted")).to_contain_text("You may not view calls any more.", timeout=10_000)
    expect(page.get_by_role("button", name="See why")).to_be_visible()
    user.user_permissions.add(Permission.objects.get(codename="view_call"))
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.locator("#network-text")).to_have_text("Live", timeout=10_000)


def test_a_session_that_ended_while_the_server_was_away_is_not_called_a_lost_connection(told, user, server):
    page = told.open()
    server.kill()
    expect(banner(page, "lost")).to_contain_text("Connection lost.")
    Session.objects.all().delete()
    server.start()
    expect(banner(page, "signed-out")).to_be_visible(timeout=40_000)


def test_the_banner_stays_until_the_open_call_has_caught_up_too(desk, elevenlabs):
    socket_watch(desk.page)
    call = begin()
    speak(call, 2)
    page = desk.open("/live/#EL_1")
    expect(page.locator(".turn")).to_have_count(2)
    page.evaluate("refused.push('/ws/calls/transcriptions'); cut('/ws/calls/transcriptions')")
    expect(banner(page, "lost")).to_contain_text("Connection to the open call lost.", timeout=10_000)
    expect(page.locator("#network-text")).to_have_text("Reconnecting…")
    speak(call, 2, first=3)
    expect(page.locator("#in-progress .call")).to_contain_text("turn 4")  # the list is live
    assert numbers(page) == [1, 2]
    expect(page.get_by_role("button", name="Try now")).to_be_visible()
    # in one step: between two, the page may reconnect by itself and hide the button
    page.evaluate("refused.length = 0; document.querySelector('#banner-act').click()")
    expect(banner(page, "good")).to_be_visible(timeout=10_000)
    expect(page.locator(".turn")).to_have_count(4)  # a frame later
    assert numbers(page) == [1, 2, 3, 4]
    expect(page.locator("#network-text")).to_have_text("Live")
    desk.complaints[:] = [text for text in desk.complaints if "/nowhere/" not in text]


def test_one_connection_that_succeeds_lets_the_other_try_at_once(desk):
    socket_watch(desk.page)
    begin()
    page = desk.open("/live/#EL_1")
    expect(page.locator(".call-head .badge")).to_have_text("In progress")
    page.evaluate("""() => {
        Math.random = () => 1; // the longest waits
        refused.push("/ws/calls/transcriptions");
        cut("/ws/calls/transcriptions");
    }""")
    expect(banner(page, "lost")).to_contain_text(re.compile(r"Next try in 1[2-6] s"), timeout=40_000)
    page.evaluate("refused.length = 0; cut('/ws/calls')")
    expect(page.locator("#network-text")).to_have_text("Live", timeout=8_000)
    desk.complaints[:] = [text for text in desk.complaints if "/nowhere/" not in text]
