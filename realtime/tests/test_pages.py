"""Who sees which page, and under which content security policy. What the live page does: callsite/tests/browser."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import get_user_model

from calls.models import Call

pytestmark = pytest.mark.django_db


def test_the_front_door_leads_to_the_live_page_and_that_to_the_login(client):
    assert client.get("/").url == "/live/"
    assert client.get("/live/").url == "/login/?next=/live/"


def test_a_dispatcher_signs_in_sees_the_page_and_signs_out(client, dispatcher):
    signed_in = client.post("/login/?next=/live/", {"username": dispatcher.username, "password": "dispatcher"})
    assert signed_in.url == "/live/"
    page = client.get("/live/")
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    assert client.get("/login/").url == "/live/"
    assert client.post("/logout/").url == "/login/"
    assert client.get("/live/").status_code == 302


def test_a_wrong_password_is_said_and_nothing_of_it_repeated(client, dispatcher):
    page = client.post("/login/", {"username": "<b>who</b>", "password": "secret-guess"})
    assert "do not match" in page.text
    assert "secret-guess" not in page.text
    assert "<b>who" not in page.text


def test_who_may_not_view_calls_gets_an_explanation(client):
    client.force_login(get_user_model().objects.create_user("bob"))
    page = client.get("/live/")
    assert page.status_code == 403
    assert "calls.view_call" in page.text


@pytest.mark.parametrize("path", ["/live/", "/login/"])
def test_pages_have_a_strict_policy_and_nothing_inline(client, admin_user, path):
    if path == "/live/":
        client.force_login(admin_user)
    page = client.get(path)
    policy = page["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page.text)


def test_the_record_of_a_call_is_for_the_staff(client, dispatcher, admin_user):
    call = Call.register(call_sid="EL/ä 1")
    client.force_login(dispatcher)
    assert client.get("/live/record/EL%2F%C3%A4%201").url.startswith("/admin/login/")
    client.force_login(admin_user)
    assert client.get("/live/record/EL%2F%C3%A4%201").url == f"/admin/calls/call/{call.pk}/change/"
    assert client.get("/live/record/none").status_code == 404


def test_the_status_of_a_session_tells_signed_out_from_not_permitted(client, dispatcher):
    assert client.get("/live/status/").status_code == 401
    client.force_login(dispatcher)
    answer = client.get("/live/status/")
    assert answer.json()["user"] == dispatcher.username
    assert "no-store" in answer["Cache-Control"]
    dispatcher.user_permissions.clear()
    assert client.get("/live/status/").status_code == 403
    client.logout()
    assert client.get("/live/status/").status_code == 401


def test_staff_who_may_not_view_calls_do_not_learn_which_exist(client):
    Call.register(call_sid="EL_1")
    client.force_login(get_user_model().objects.create_user("bob", is_staff=True))
    assert {client.get(f"/live/record/{name}").status_code for name in ("EL_1", "none")} == {403}
