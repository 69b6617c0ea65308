"""Who comes in, and by which way: over real sockets, as a proxy or a browser would see it."""

from __future__ import annotations

import time

import jwt
import pytest
import websockets
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from realtime.auth import identify_token
from realtime.tests.conftest import in_database

OPTIONS = {"proxy": None, "compression": None}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


async def is_let_in(url, **how):
    """Whether the upgrade succeeds; any refusal must be HTTP 403."""
    try:
        async with websockets.connect(url, **OPTIONS, **how):
            return True
    except websockets.InvalidStatus as refused:
        if refused.response.status_code != 403:
            raise
        return False


@pytest.fixture
def cookie(dispatcher):
    browser = Client()
    browser.force_login(dispatcher)
    return {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}


# --- a token ------------------------------------------------------------------------------------------------


async def test_a_token_in_the_header_lets_in(site, token):
    assert await is_let_in(site.ws_url, additional_headers=bearer(token))
    assert await is_let_in(site.ws_url, additional_headers={"Authorization": f"bearer {token}"})


async def test_the_address_is_good_with_and_without_a_trailing_slash_and_no_other_is(site, token):
    assert await is_let_in(site.ws_url + "/", additional_headers=bearer(token))
    for other in (site.ws_url + "//", site.ws_url + "/x", site.ws_url.replace("/ws/", "/wss/")):
        assert not await is_let_in(other, additional_headers=bearer(token))


async def test_a_token_as_sub_protocol_lets_in_and_only_callsite_v1_is_echoed(site, token):
    offered = ["callsite.v1", f"bearer.{token}"]
    async with websockets.connect(site.ws_url, subprotocols=offered, **OPTIONS) as connection:
        assert connection.subprotocol == "callsite.v1"
        assert connection.response.headers.get_all("Sec-WebSocket-Protocol") == ["callsite.v1"]


async def test_without_callsite_v1_no_sub_protocol_is_echoed(site, token):
    async with websockets.connect(site.ws_url, subprotocols=[f"bearer.{token}"], **OPTIONS) as connection:
        assert connection.subprotocol is None


async def test_a_token_in_the_query_lets_in_and_is_in_no_log(site, token, caplog):
    caplog.set_level("INFO")
    assert await is_let_in(f"{site.ws_url}?a=1&token={token}")
    assert not await is_let_in(f"{site.ws_url}?token=x{token}&b=2")
    assert "/ws/calls/transcriptions" in caplog.text
    assert token not in caplog.text
    assert "token=" not in caplog.text


@pytest.mark.parametrize("name", ["TOKEN", "Token", "%74oken", "to%6ben", "access_token", "a%26token"])
async def test_a_token_under_another_spelling_of_its_name_is_in_no_log(site, token, caplog, name):
    caplog.set_level("INFO")
    spelled = name in ("%74oken", "to%6ben")  # they decode to `token`
    assert await is_let_in(f"{site.ws_url}?{name}={token}&b=2") == spelled
    assert "/ws/calls/transcriptions" in caplog.text
    assert token not in caplog.text


async def test_without_a_token_or_session_nobody_comes_in(site):
    assert not await is_let_in(site.ws_url)
    assert not await is_let_in(site.ws_url, subprotocols=["callsite.v1"])
    assert not await is_let_in(site.ws_url, additional_headers={"Origin": site.url})


def forged(name, user):
    good = AccessToken.for_user(user).payload
    key, other_key = "tests-" * 10, "not-our-key-" * 5
    return {
        "expired": lambda: jwt.encode({**good, "exp": int(time.time()) - 1}, key, "HS256"),
        "without an end": lambda: jwt.encode({k: v for k, v in good.items() if k != "exp"}, key, "HS256"),
        "alg none": lambda: jwt.encode(good, None, "none"),
        "wrong key": lambda: jwt.encode(good, other_key, "HS256"),
        "other algorithm": lambda: jwt.encode(good, key + "0" * 64, "HS512"),
        "refresh token": lambda: str(RefreshToken.for_user(user)),
        "without the password's mark": lambda: jwt.encode(
            {k: v for k, v in good.items() if k != "hash_password"}, key, "HS256"
        ),
        "with another's mark": lambda: jwt.encode({**good, "hash_password": "0" * 32}, key, "HS256"),
        "with no mark": lambda: jwt.encode({**good, "hash_password": None}, key, "HS256"),
        "of nobody": lambda: jwt.encode({**good, "user_id": 2**31 - 1}, key, "HS256"),
        "not a number's": lambda: jwt.encode({**good, "user_id": None}, key, "HS256"),
        "cut short": lambda: str(AccessToken.for_user(user))[:-4],
        "empty": lambda: "",
    }[name]()


FORGERIES = ["expired", "without an end", "alg none", "wrong key", "other algorithm", "refresh token", "of nobody"]


MARKS = ["without the password's mark", "with another's mark", "with no mark"]


@pytest.mark.parametrize("name", [*FORGERIES, *MARKS, "not a number's", "cut short", "empty"])
async def test_a_token_that_is_not_good_lets_nobody_in(site, dispatcher, name):
    token = await in_database(forged)(name, dispatcher)
    assert not await is_let_in(site.ws_url, additional_headers=bearer(token))
    assert not await is_let_in(site.ws_url, subprotocols=["callsite.v1", f"bearer.{token}"])
    assert not await is_let_in(f"{site.ws_url}?token={token}")


@pytest.mark.parametrize("text", ["", ".", "\xff.\x00.\ud800", "a.b.c", "e30.e30."])
async def test_what_is_no_token_at_all_is_nobodys(transactional_db, text):
    assert await identify_token(text) is None


def test_the_key_of_these_forgeries_is_the_servers(dispatcher, settings):
    """Else all of them would be refused for their key alone."""
    assert AccessToken(jwt.encode(AccessToken.for_user(dispatcher).payload, settings.SECRET_KEY, "HS256"))
    assert settings.SECRET_KEY == "tests-" * 10


@pytest.mark.parametrize("lost", ["permission", "activity"])
async def test_a_user_who_may_not_view_calls_is_refused_by_every_way(site, dispatcher, token, cookie, lost):
    if lost == "permission":
        await in_database(dispatcher.user_permissions.clear)()
    else:
        dispatcher.is_active = False
        await in_database(dispatcher.save)()
    assert not await is_let_in(site.ws_url, additional_headers=bearer(token))
    assert not await is_let_in(site.ws_url, subprotocols=["callsite.v1", f"bearer.{token}"])
    assert not await is_let_in(f"{site.ws_url}?token={token}")
    assert not await is_let_in(site.ws_url, additional_headers=cookie, origin=site.url)


async def test_a_superuser_needs_no_permission_of_their_own(site, transactional_db):
    user = await in_database(get_user_model().objects.create_superuser)("root", password="root")
    assert await is_let_in(site.ws_url, additional_headers=bearer(AccessToken.for_user(user)))


# --- a session ----------------------------------------------------------------------------------------------


async def test_the_session_of_a_signed_in_user_lets_in_on_this_sites_pages(site, cookie):
    assert await is_let_in(site.ws_url, additional_headers=cookie, origin=site.url)


async def test_the_session_may_offer_callsite_v1_and_gets_it_echoed(site, cookie):
    how = {"additional_headers": cookie, "origin": site.url, "subprotocols": ["callsite.v1"]}
    async with websockets.connect(site.ws_url, **OPTIONS, **how) as connection:
        assert connection.subprotocol == "callsite.v1"


async def test_a_session_without_this_sites_origin_is_refused(site, cookie):
    assert not await is_let_in(site.ws_url, additional_headers=cookie)
    strangers = ["https://evil.example", "null", site.url + "0", site.url.replace("http", "https"), "http://127.0.0.1"]
    for origin in strangers:
        assert not await is_let_in(site.ws_url, additional_headers=cookie, origin=origin), origin


async def test_an_origin_in_csrf_trusted_origins_is_as_good_as_this_sites(site, cookie, settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://desk.example"]
    assert await is_let_in(site.ws_url, additional_headers=cookie, origin="https://desk.example")
    assert not await is_let_in(site.ws_url, additional_headers=cookie, origin="http://desk.example")


@pytest.mark.parametrize(
    ("trusted", "good", "bad"),
    [
        (
            "https://*.desk.example",
            ["https://eu.desk.example", "https://a.b.desk.example", "https://desk.example"],
            [
                *("http://eu.desk.example", "https://eu.desk.example:8443", "https://evildesk.example"),
                *("https://desk.example.evil.example", "https://*.desk.example.evil", "https://[", "null"),
            ],
        ),
        ("https://*.desk.example:8443", ["https://eu.desk.example:8443"], ["https://eu.desk.example"]),
    ],
)
async def test_a_wildcard_means_the_same_for_a_socket_as_for_a_form(site, cookie, settings, caplog, trusted, good, bad):
    settings.CSRF_TRUSTED_ORIGINS = [trusted]
    settings.ALLOWED_HOSTS = ["testserver", "127.0.0.1"]
    for origin in good + bad:
        caplog.clear()
        Client(enforce_csrf_checks=True).post("/login/", headers={"Origin": origin})
        assert ("Origin checking failed" not in caplog.text) == (origin in good), origin
        assert await is_let_in(site.ws_url, additional_headers=cookie, origin=origin) == (origin in good), origin


async def test_a_host_that_is_not_allowed_is_nobodys_own_site(site, cookie, settings):
    """DNS rebinding: a stranger's name that leads here brings an Origin equal to its Host."""
    settings.ALLOWED_HOSTS = ["calls.example"]
    assert not await is_let_in(site.ws_url, additional_headers=cookie, origin=site.url)


async def test_an_expired_session_is_refused(site, cookie):
    await in_database(Session.objects.update)(expire_date=timezone.now())
    assert not await is_let_in(site.ws_url, additional_headers=cookie, origin=site.url)


async def test_a_changed_password_refuses_the_old_session_and_token(site, dispatcher, cookie, token):
    dispatcher.set_password("another")
    await in_database(dispatcher.save)()
    assert not await is_let_in(site.ws_url, additional_headers=cookie, origin=site.url)
    assert not await is_let_in(site.ws_url, additional_headers=bearer(token))
    assert await is_let_in(site.ws_url, additional_headers=bearer(AccessToken.for_user(dispatcher)))


async def test_a_session_that_was_never_made_is_refused(site):
    cookie = {"Cookie": "sessionid=abcdefghijklmnopqrstuvwxyz012345"}
    assert not await is_let_in(site.ws_url, additional_headers=cookie, origin=site.url)


async def test_a_token_needs_no_origin_and_a_foreign_one_does_no_harm(site, token):
    assert await is_let_in(site.ws_url, additional_headers=bearer(token), origin="https://desk.example")


async def test_a_bad_token_is_refused_whatever_the_session(site, cookie):
    headers = {**cookie, **bearer("a.b.c")}
    assert not await is_let_in(site.ws_url, additional_headers=headers, origin=site.url)
