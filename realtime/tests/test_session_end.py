"""What ends a session or a password ends the sockets that came in with it: over a real sign-in, on both addresses."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from importlib import import_module

import httpx
import pytest
import time_machine
import websockets
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken

from conftest import Socket
from realtime import auth
from realtime.auth import Identity
from realtime.tests.conftest import in_database, server_loop, until
from realtime.tests.test_token_expiry import is_shown_out

PATHS = ["/ws/calls/transcriptions", "/ws/calls"]
SessionStore = import_module(settings.SESSION_ENGINE).SessionStore
STAYS_SECONDS = 2.5  # a sweep has passed


class Browser:
    """Signs in and out on this site's pages, and opens sockets as they do."""

    def __init__(self, site):
        self.site = site
        self.http = httpx.Client(base_url=site.url, trust_env=False)

    def post(self, path, **form):
        self.http.get("/login/")  # brings the CSRF cookie
        form["csrfmiddlewaretoken"] = self.http.cookies["csrftoken"]
        response = self.http.post(path, data=form, headers={"Origin": self.site.url})
        assert response.status_code == 302, response.text
        return response

    def sign_in(self, user, password="dispatcher"):
        self.post("/login/", username=user.username, password=password)
        return self

    @contextlib.asynccontextmanager
    async def socket(self, path=PATHS[0]):
        headers = {"Cookie": f"sessionid={self.http.cookies['sessionid']}"}
        options = {"proxy": None, "compression": None, "origin": self.site.url, "additional_headers": headers}
        async with websockets.connect(self.site.ws_url.replace(PATHS[0], path), **options) as opened:
            socket = Socket(opened)
            if path == "/ws/calls":
                assert (await socket.next())["type"] == "snapshot"
            yield socket


@pytest.fixture
def browser(site, dispatcher):
    browser = Browser(site).sign_in(dispatcher)
    yield browser
    browser.http.close()


@contextlib.asynccontextmanager
async def token_socket(site, token, path):
    async with Socket.connect(site.ws_url.replace(PATHS[0], path), token) as socket:
        if path == "/ws/calls":
            await socket.next()
        yield socket


async def stays(socket):
    assert await socket.hears_nothing(STAYS_SECONDS)
    await socket.send(ping=1)
    return (await socket.next())["type"] == "pong"


@pytest.mark.parametrize("path", PATHS)
async def test_signing_out_ends_the_sockets_of_this_browser_and_no_others(site, browser, dispatcher, token, path):
    other = Browser(site).sign_in(dispatcher)
    async with browser.socket(path) as mine, other.socket(path) as others, token_socket(site, token, path) as programs:
        assert await stays(mine)
        await asyncio.to_thread(browser.post, "/logout/")
        assert await is_shown_out(mine)
        assert await stays(others)
        assert await stays(programs)
    other.http.close()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("end", [lambda: Session.objects.all().delete(), lambda: expire()])
async def test_a_session_that_is_deleted_or_expires_ends_its_sockets(browser, end, path):
    async with browser.socket(path) as socket:
        await in_database(end)()
        assert await is_shown_out(socket)


def expire():
    Session.objects.update(expire_date=timezone.now())


async def test_a_session_ends_twelve_hours_after_the_sign_in_however_it_is_used(browser):
    def use_it_six_hours_later():
        with time_machine.travel(timezone.now() + timedelta(hours=6)):
            session = SessionStore(Session.objects.get().session_key)
            session["used"] = True
            session.save()
        return Session.objects.get().expire_date

    before = (await in_database(Session.objects.get)()).expire_date
    assert timedelta(hours=11.9) < before - timezone.now() <= timedelta(hours=12)
    assert await in_database(use_it_six_hours_later)() == before


async def test_another_sign_in_begins_another_twelve_hours(browser, dispatcher):
    await in_database(lambda: Session.objects.update(expire_date=timezone.now() + timedelta(minutes=1)))()
    await asyncio.to_thread(browser.post, "/logout/")
    await asyncio.to_thread(browser.sign_in, dispatcher)
    session = await in_database(Session.objects.get)()
    assert session.expire_date - timezone.now() > timedelta(hours=11.9)


async def test_a_session_that_becomes_another_users_ends_the_socket(browser):
    def hand_over():
        session = Session.objects.get()
        session.session_data = Session.objects.encode({**session.get_decoded(), "_auth_user_id": "0"})
        session.save()

    async with browser.socket() as socket:
        await in_database(hand_over)()
        assert await is_shown_out(socket)


@pytest.mark.parametrize("path", PATHS)
async def test_a_changed_password_ends_sockets_of_sessions_and_of_tokens(site, browser, dispatcher, token, path):
    async with browser.socket(path) as session, token_socket(site, token, path) as program:
        dispatcher.set_password("another")
        await in_database(dispatcher.save)()
        assert await is_shown_out(session)
        assert await is_shown_out(program)


async def test_who_changes_the_password_comes_back_with_the_new_session(site, browser, dispatcher):
    dispatcher.is_staff = True
    await in_database(dispatcher.save)()
    async with browser.socket() as socket:
        form = {"old_password": "dispatcher", "new_password1": "gate-seven-51", "new_password2": "gate-seven-51"}
        await asyncio.to_thread(browser.post, "/admin/password_change/", **form)
        assert await is_shown_out(socket)
    async with browser.socket() as socket:
        assert await stays(socket)


async def test_a_session_of_a_former_secret_key_is_good_while_that_is_a_fallback(browser, settings):
    async with browser.socket() as socket:
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "rotated-" * 8
        assert await stays(socket)
        settings.SECRET_KEY_FALLBACKS = []
        assert await is_shown_out(socket)


async def test_an_old_token_does_not_extend_a_connection_and_a_new_one_carries_it_over(
    site, dispatcher, token, hub, no_clock
):
    async with site.socket(token) as socket, site.socket(token) as other:
        dispatcher.set_password("another")
        await in_database(dispatcher.save)()
        await socket.send(authenticate=str(AccessToken.for_user(dispatcher)))
        await socket.send(ping=1)
        assert (await socket.next())["type"] == "pong"
        looking = asyncio.run_coroutine_threadsafe(hub.doorkeeper.check(hub.listeners), server_loop(site))
        await asyncio.wrap_future(looking)
        assert await is_shown_out(other)
        await socket.send(ping=2)
        assert (await socket.next())["ping"] == 2
        await socket.send(authenticate=token)
        assert await is_shown_out(socket)


async def test_who_enters_while_the_hub_looks_at_the_others_stays(site, token, dispatcher, hub, no_clock, monkeypatch):
    other = await in_database(get_user_model().objects.create_superuser)("other", password="other")
    looked, entered, original = asyncio.Event(), asyncio.Event(), auth.still_allowed
    loop = server_loop(site)

    async def slow(identities):
        allowed = await original(identities)
        looked.set()
        await entered.wait()
        return allowed

    async with site.socket(token) as socket:
        with monkeypatch.context() as slowly:
            slowly.setattr(auth, "still_allowed", slow)
            looking = asyncio.run_coroutine_threadsafe(hub.doorkeeper.check(hub.listeners), loop)
            await until(looked.is_set)
        async with site.socket(str(AccessToken.for_user(other))) as late:
            loop.call_soon_threadsafe(entered.set)
            await asyncio.wrap_future(looking)
            for one in (socket, late):
                await one.send(ping=1)
                assert (await one.next())["type"] == "pong"


def test_however_many_listen_a_look_at_them_is_two_queries(transactional_db):
    def identities(n):
        users = [get_user_model().objects.create_superuser(f"user-{n}-{i}", password="x") for i in range(n)]
        tokens = [AccessToken.for_user(user) for user in users]
        return {Identity(u.pk, 9e9, password_hash=t["hash_password"]) for u, t in zip(users, tokens, strict=True)} | {
            Identity(user.pk, None, session_key=f"session-{user.pk}") for user in users
        }

    def queries(asked):
        with CaptureQueriesContext(connection) as captured:
            allowed = auth._still_allowed(asked)
        assert set(allowed) == {identity for identity in asked if identity.session_key is None}
        return [query["sql"][:150] for query in captured]

    few, many = queries(identities(1)), queries(identities(20))
    # the users, the sessions; superusers are limited to no agents
    assert len(few) == len(many) == 2, many
