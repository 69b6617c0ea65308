"""A real Chromium, and two processes of callsite in production mode: one takes the webhooks, the other shows them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from conftest import TOOL_SECRET, WEBHOOK_SECRET, ElevenLabs
from lab.stack.browser import find_browser
from lab.stack.webserver import WebServer

SHOTS = Path(__file__).resolve().parents[3] / "test-results"
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
# What Chromium says when a server is away, or stops during a request.
OUTAGE = (
    "WebSocket connection to",
    "net::ERR_CONNECTION_REFUSED",
    "net::ERR_CONNECTION_RESET",
    "net::ERR_EMPTY_RESPONSE",
)
# What Chromium says when a server refuses the client's question why it was refused.
REFUSED = ("the server responded with a status of 401", "the server responded with a status of 403")


def aside[**P, Result](work: Callable[P, Result]) -> Callable[P, Result]:
    """Run the function in another thread: Playwright's loop runs in the test's, where nothing can be published."""

    def done_aside(*args: P.args, **kwargs: P.kwargs) -> Result:
        with ThreadPoolExecutor(1) as thread:
            result = thread.submit(work, *args, **kwargs).result()
            thread.submit(lambda: connection.close()).result()
        return result

    return done_aside


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def browser(starts_programs: None) -> Iterator[Browser]:
    program = find_browser()
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI skips nothing, and there is no Chromium: make browser")
        pytest.skip("there is no Chromium here, `make browser` installs one")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's own loop runs in this thread
        browser = playwright.chromium.launch(executable_path=str(program), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def servers(
    only_postgresql: None, django_db_setup: None, starts_programs: None
) -> Iterator[tuple[WebServer, WebServer]]:
    """Start two web processes on the tests' database."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    env = {
        "DATABASE_URL": database,
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
        "ELEVENLABS_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "ELEVENLABS_TOOL_SECRET": TOOL_SECRET,
    }
    with WebServer(env) as one, WebServer(env) as other:
        yield one, other


@pytest.fixture
def server(servers: tuple[WebServer, WebServer], transactional_db: None) -> WebServer:
    """Return the process that the browser uses."""
    return servers[0]


@pytest.fixture
def elevenlabs(servers: tuple[WebServer, WebServer], transactional_db: None) -> Iterator[ElevenLabs]:
    """Yield ElevenLabs as a client of the other process."""
    client = ElevenLabs(servers[1].url)
    yield client
    client.client.close()


@pytest.fixture(scope="session")
def password() -> str:
    """Return the hash of `ada` by the servers' hasher, made once: it takes as long as a page."""
    return PBKDF2PasswordHasher().encode("ada", "salt")


@pytest.fixture
def user(transactional_db: None, password: str) -> Any:
    """Return Ada, who may view calls; her password is `ada`."""
    user = get_user_model().objects.create(username="ada", password=password)
    user.user_permissions.add(Permission.objects.get(codename="view_call"))
    return user


class Desk:
    """A user's browser window, and all errors and warnings in it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.context = context
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self._complain(message.type, message.text))
        self.page.on("pageerror", lambda error: self._complain("error", str(error)))
        self.page.on("dialog", lambda dialog: self._complain("error", f"a dialog: {dialog.message}"))

    def _complain(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def sign_in(self, user: Any) -> None:
        client = Client()
        client.force_login(user)
        cookie = {"name": "sessionid", "value": client.cookies[django_settings.SESSION_COOKIE_NAME].value}
        self.context.add_cookies([{**cookie, "url": self.url}])  # type: ignore[list-item]

    def open(self, path: str = "/live/") -> Page:
        self.page.goto(self.url + path)
        self.page.wait_for_selector("#network[data-state=open]")
        return self.page

    def shoot(self, name: str, *, full_page: bool = False) -> None:
        """Save a screenshot to look at, if SHOTS=1 asks for it: screenshots cost much time.

        Chromium can be too busy to make one; no test depends on it.
        """
        if not os.environ.get("SHOTS"):
            return
        SHOTS.mkdir(exist_ok=True)
        with contextlib.suppress(PlaywrightError):
            self.page.screenshot(path=SHOTS / f"{name}.png", full_page=full_page)


@pytest.fixture
def desk_of(browser: Browser, server: WebServer) -> Iterator[Callable[..., Desk]]:
    """Yield a function that makes desks. At the end no desk may have seen an error, a warning or a CSP violation."""
    desks: list[Desk] = []

    def make(user: Any = None, **options: Any) -> Desk:
        desk = Desk(browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options}), server.url)
        desks.append(desk)
        if user is not None:
            desk.sign_in(user)
        return desk

    yield make
    for desk in desks:
        desk.context.close()
    assert [
        text for desk in desks for text in desk.complaints if not any(known in text for known in OUTAGE + REFUSED)
    ] == []


@pytest.fixture
def desk(desk_of: Callable[..., Desk], user: Any) -> Desk:
    return desk_of(user)
