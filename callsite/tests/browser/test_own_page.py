"""A page of another site, as the README has it, in a real browser: it hears calls, and is told why it is refused."""

from __future__ import annotations

import http.server
import re
import threading

import pytest
from rest_framework_simplejwt.tokens import AccessToken

from callsite.tests.browser.conftest import aside
from callsite.tests.browser.test_live_page import begin, speak
from lab.stack.webserver import CHECKOUT


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.server.token if self.path == "/my-token-for-callsite" else self.server.page
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def own_site(server):
    """Serves the README's page on an address of its own; `token` is what its users get."""
    [script] = re.findall(r'<script type="module">.*?</script>', (CHECKOUT / "README.md").read_text(), re.DOTALL)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as own:
        own.page = "<!doctype html>" + script.replace("https://YOUR-HOST", server.url).replace(
            "EL_42_1790000000", "EL_1"
        )
        threading.Thread(target=own.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield own
        own.shutdown()


@pytest.fixture
def said(desk, own_site):
    """Opens the page; waits until it has said something, and returns all that it said."""
    lines = []
    desk.page.on("console", lambda message: lines.append(message.text))

    def said(last):
        desk.page.goto(f"http://127.0.0.1:{own_site.server_port}/")
        for _ in range(300):
            if last in lines:
                break
            desk.page.wait_for_timeout(50)
        return lines

    return said


def test_a_page_of_ones_own_hears_what_was_said_before(own_site, said, user):
    speak(begin(), 2)
    own_site.token = str(AccessToken.for_user(user))
    assert said("driver turn 2")[:3] == ["connection: open", "agent turn 1", "driver turn 2"]


def test_a_page_of_ones_own_is_told_that_its_token_is_not_good(own_site, said, user):
    own_site.token = str(AccessToken.for_user(user))[:-3] + "abc"
    assert "connection: signed_out" in said("connection: signed_out")


def test_a_page_of_ones_own_is_told_that_its_user_may_not_view_calls(own_site, said, user):
    aside(user.user_permissions.clear)()
    own_site.token = str(AccessToken.for_user(user))
    assert "connection: not_permitted" in said("connection: not_permitted")
