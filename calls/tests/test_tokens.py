"""Tokens: got with a password, good until they expire, the password changes or the user goes."""

from __future__ import annotations

import pytest
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
    assert (status, list(refreshed)) == (200, ["access"])
    for access in (tokens["access"], refreshed["access"]):
        assert api("/api/calls/", access)[0] == 200


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
