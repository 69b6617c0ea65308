"""Who may use the admin, and what it tells somebody who may not."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

pytestmark = pytest.mark.django_db
PAGES = ["/admin/", "/admin/login/", "/admin/calls/call/", "/admin/auth/user/", "/admin/password_change/"]


@pytest.fixture
def nobody(client):
    """Staff without a permission."""
    user = get_user_model().objects.create_user("bob", password="bob", is_staff=True)
    client.force_login(user)
    return user


@pytest.mark.parametrize("path", PAGES)
def test_a_dispatcher_is_told_what_he_may_do_and_is_not_sent_to_a_login(client, dispatcher, path):
    client.force_login(dispatcher)
    page = client.get(path)
    assert page.status_code == 403
    assert f"You are signed in as <strong>{dispatcher.username}</strong>" in page.text
    assert 'href="/live/">Live calls' in page.text
    assert 'type="password"' not in page.text
    assert "unsafe" not in page["Content-Security-Policy"]


def test_a_dispatcher_who_signs_in_at_the_admins_door_is_signed_in_and_told(client, dispatcher):
    door = client.get("/admin/", follow=True)
    assert door.redirect_chain == [("/admin/login/?next=/admin/", 302)]
    login = {"username": dispatcher.username, "password": "dispatcher", "next": "/admin/"}
    page = client.post("/admin/login/", login, follow=True)
    assert (page.redirect_chain, page.status_code) == ([("/admin/", 302)], 403)
    assert client.get("/live/").status_code == 200


def test_who_is_told_may_sign_in_as_somebody_else_and_comes_where_he_was_going(client, dispatcher, admin_user):
    client.force_login(dispatcher)
    page = client.get("/admin/calls/call/?status=failed")
    [wanted] = re.findall(r'name="next" value="([^"]+)"', page.text)
    door = client.post("/logout/", {"next": wanted}, follow=True)
    assert [url for url, _ in door.redirect_chain] == [
        "/admin/calls/call/?status=failed",
        "/admin/login/?next=/admin/calls/call/%3Fstatus%3Dfailed",
    ]
    [wanted] = re.findall(r'name="next" value="([^"]+)"', door.text)
    there = client.post("/admin/login/", {"username": "admin", "password": "password", "next": wanted})
    assert there.url == "/admin/calls/call/?status=failed"


def test_staff_without_any_permission_is_told_too(client, nobody):
    page = client.get("/admin/")
    assert page.status_code == 403
    assert "You are signed in as <strong>bob</strong>" in page.text
    assert "may not view calls either" in page.text
    assert "Live calls" not in page.text
    assert client.get("/admin/calls/call/").status_code == 403


def test_staff_with_a_permission_sees_what_it_may(client, nobody):
    nobody.user_permissions.add(Permission.objects.get(codename="view_call"))
    assert client.get("/admin/").status_code == client.get("/admin/calls/call/").status_code == 200
    refused = client.get("/admin/auth/user/")
    assert (refused.status_code, "You are signed in as" in refused.text) == (403, True)


def test_the_admin_and_the_live_page_have_one_login_page(client, admin_user):
    pages = [re.sub(r'value="[^"]*"', "", client.get(path).text) for path in ("/login/", "/admin/login/")]
    assert pages[0] == pages[1]
    login = {"username": "admin", "password": "password"}
    assert client.post("/admin/login/", login).url == "/admin/"
    assert client.get("/admin/login/?next=/admin/calls/call/").url == "/admin/calls/call/"
    assert client.get("/admin/").status_code == 200


def test_no_page_leads_out_of_this_site_after_a_sign_in(client, admin_user):
    login = {"username": "admin", "password": "password", "next": "https://elsewhere.example/"}
    assert client.post("/admin/login/", login).url == "/admin/"


def test_the_lists_have_the_links_of_other_rooms(client, nobody, admin_client):
    nobody.user_permissions.set(Permission.objects.filter(codename__in=["view_call", "dial_call"]))
    client.force_login(nobody)
    assert '<a href="/admin/elevenlabs/dial/" class="addlink">Dial</a>' in client.get("/admin/calls/call/").text
    nobody.user_permissions.set(Permission.objects.filter(codename="view_call"))
    assert "/dial/" not in client.get("/admin/calls/call/").text
    assert "/admin/elevenlabs/doctor/" in admin_client.get("/admin/upstream/reconcileround/").text


def test_lists_of_locks_and_tokens_are_not_in_the_admin():
    assert {model._meta.app_label for model in admin.site._registry} <= {"auth", "calls", "webhooks", "upstream"}
