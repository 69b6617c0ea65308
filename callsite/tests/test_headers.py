"""What every answer tells the browser, and the door for hosts that are not ours."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from callsite import page_door
from callsite.security_headers import security_headers
from conftest import POST_CALL, payload


@pytest.mark.parametrize("path", ["/login/", "/admin/login/", "/api/docs/", "/api/calls/", "/nowhere"])
def test_pages_run_no_scripts_but_our_own_and_are_framed_by_nobody(site, path):
    headers = site.client.get(path).headers
    policy = headers["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
    assert directives["base-uri"] == "'none'"
    assert "unsafe" not in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


SECURITY = (
    *("content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy"),
    *("cross-origin-opener-policy", "cache-control"),
)


def test_answers_to_webhooks_have_the_security_headers_of_pages(site, call):
    page = site.client.get("/api/calls/").headers
    answers = {
        200: site.post_call({"type": "voice_removed", "event_timestamp": 1, "data": {}}),
        201: site.turn(call_sid=call.call_sid, speaker="user", message="Hello"),
        400: site.post_call(b"{"),
        401: site.client.post(POST_CALL, content=b"{}"),
        404: site.turn(call_sid="EL_nobody", speaker="user", message="Hello"),
        405: site.client.get(POST_CALL),
        413: site.client.post("/api/calls/", content=b"x" * (page_door.BODY_MAX_BYTES + 1)),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/json"
        assert [answer.headers.get(name) for name in SECURITY] == [page[name] for name in SECURITY], status
    assert "strict-transport-security" not in answers[200].headers
    over_tls = dict(security_headers("https"))
    assert over_tls[b"strict-transport-security"] == b"max-age=31536000"


def test_personal_data_stays_out_of_caches(site, call, dispatcher, token):
    body = payload("audio_small_mp3", call.conversation_id)
    assert site.post_call(body).status_code == 200
    path = f"/api/calls/{call.call_sid}/"
    for asked in (
        "/api/calls/",
        path,
        f"{path}transcript/",
        f"{path}recording/",
        "/api/calls/?page_size=x",
        "/nowhere",
    ):
        assert site.api("GET", asked, token).headers["Cache-Control"] == "no-store", asked
    assert site.client.post("/api/token/", json={}).headers["Cache-Control"] == "no-store"
    staff = get_user_model().objects.create_superuser("staff", password="staff")
    browser = Client()
    browser.force_login(staff)
    for asked in (
        "/live/",
        "/admin/",
        "/admin/calls/call/",
        f"/admin/calls/call/{call.pk}/change/",
        f"{path}recording/",
    ):
        answer = browser.get(asked)
        assert answer.status_code == 200
        assert "no-store" in answer.headers["Cache-Control"], asked


def test_static_files_may_be_cached(site):
    assert "max-age" in site.client.get("/static/realtime/callsite-client.js").headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/login/", "/admin/login/", "/api/docs/"])
def test_pages_have_no_inline_scripts_that_the_policy_would_block(site, path):
    text = site.client.get(path).text
    for tag in text.split("<script")[1:]:
        assert " src=" in tag.split(">")[0] or 'type="application/json"' in tag.split(">")[0], tag[:100]
    assert " onclick=" not in text
    assert "javascript:" not in text


@pytest.mark.parametrize("path", ["/healthz", "/api/calls/", "/login/"])
def test_a_host_that_is_not_ours_is_refused(site, path):
    assert site.client.get(path, headers={"Host": "elsewhere.example"}).status_code == 400
