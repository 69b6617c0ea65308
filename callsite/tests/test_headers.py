"""What every answer tells the browser, and the door for hosts that are not ours."""

from __future__ import annotations

import pytest


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
