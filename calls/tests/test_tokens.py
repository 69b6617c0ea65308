"""Tokens: got with a password, good until they expire, are used up, the password changes or the user goes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

CLAIM = "hash_password"


@pytest.fixture
def api(site, dispatcher):
    """Asks the API of a real server; gives the status and the answer."""

    def ask(path, token=None, **body):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = site.client.request("POST" if body else "GET", path, json=body or None, headers=headers)
        return response.status_code, response.json()

    return ask


@pytest.fixture
def tokens(api, dispatcher):
    status, tokens = api("/api/token/", username=dispatcher.username, password="dispatcher")
    assert status == 200
    return tokens


def test_a_refreshed_token_is_as_good_as_the_first(api, tokens):
    status, refreshed = api("/api/token/refresh/", refresh=tokens["refresh"])
    assert (status, set(refreshed)) == (200, {"access", "refresh"})
    for access in (tokens["access"], refreshed["access"]):
        assert api("/api/calls/", access)[0] == 200
    assert api("/api/token/refresh/", refresh=refreshed["refresh"])[0] == 200


def test_a_refresh_token_is_good_once(api, tokens):
    assert api("/api/token/refresh/", refresh=tokens["refresh"])[0] == 200
    status, answer = api("/api/token/refresh/", refresh=tokens["refresh"])
    assert (status, answer["detail"]) == (401, "Token is blacklisted")


def test_of_some_who_refresh_one_token_at_once_one_gets_new_ones(api, tokens, monkeypatch):
    all_have_checked = threading.Barrier(4)
    get_user = JWTAuthentication.get_user
    monkeypatch.setattr(JWTAuthentication, "get_user", lambda *a: (all_have_checked.wait(10), get_user(*a))[1])
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: api("/api/token/refresh/", refresh=tokens["refresh"])[0], range(4)))
    assert sorted(answers) == [200, 401, 401, 401]


def test_refreshed_tokens_end_when_the_first_does(api, tokens):
    first = RefreshToken(tokens["refresh"])
    _, refreshed = api("/api/token/refresh/", refresh=tokens["refresh"])
    second = RefreshToken(refreshed["refresh"])
    assert second["exp"] == first["exp"]
    assert second["jti"] != first["jti"]


def test_a_token_of_before_the_update_is_refreshed_once(api, tokens):
    OutstandingToken.objects.all().delete()  # it was on no list
    assert api("/api/token/refresh/", refresh=tokens["refresh"])[0] == 200
    assert api("/api/token/refresh/", refresh=tokens["refresh"])[0] == 401


def test_a_revoked_token_is_good_for_nothing(api, tokens):
    _, others = api("/api/token/refresh/", refresh=tokens["refresh"])
    assert api("/api/token/blacklist/", refresh=others["refresh"]) == (200, {})
    for path in ("/api/token/refresh/", "/api/token/blacklist/"):
        assert api(path, refresh=others["refresh"])[0] == 401
    assert api("/api/token/blacklist/", refresh=others["access"])[0] == 401
    assert api("/api/token/blacklist/", refresh=others["refresh"], user="ada")[0] == 400


def change_password(user):
    user.set_password("another")
    user.save()


def deactivate(user):
    user.is_active = False
    user.save()


@pytest.mark.parametrize("how", [change_password, deactivate, lambda user: user.delete()])
def test_tokens_end_with_the_password_the_activity_and_the_user(api, dispatcher, tokens, how):
    how(dispatcher)
    status, answer = api("/api/calls/", tokens["access"])
    assert (status, "detail" in answer) == (401, True)
    status, answer = api("/api/token/refresh/", refresh=tokens["refresh"])
    assert (status, "detail" in answer, "access" in answer) == (401, True, False)


def test_the_new_password_gives_good_tokens(api, dispatcher, tokens):
    change_password(dispatcher)
    _, new = api("/api/token/", username=dispatcher.username, password="another")
    assert api("/api/calls/", new["access"])[0] == 200
    assert api("/api/token/refresh/", refresh=new["refresh"])[0] == 200


def test_a_token_of_an_earlier_version_does_not_tell_the_password_and_is_refused(api, dispatcher):
    access, refresh = AccessToken.for_user(dispatcher), RefreshToken.for_user(dispatcher)
    assert api("/api/calls/", str(access))[0] == 200
    assert api("/api/token/refresh/", refresh=str(refresh))[0] == 200
    del access.payload[CLAIM], refresh.payload[CLAIM]
    assert api("/api/calls/", str(access))[0] == 401
    assert api("/api/token/refresh/", refresh=str(refresh))[0] == 401


@pytest.mark.parametrize("bad", ["", "a.b.c", 7])
def test_what_is_no_refresh_token_is_refused(api, tokens, bad):
    assert api("/api/token/refresh/", refresh=bad)[0] in (400, 401)
    assert api("/api/token/refresh/", refresh=tokens["access"])[0] == 401
