"""The list of calls can be asked from pages of other sites, with a token; nothing else of the API can."""

from __future__ import annotations

import pytest
from rest_framework_simplejwt.tokens import AccessToken

PREFLIGHT = {
    "Origin": "https://desk.example",
    "Access-Control-Request-Method": "HEAD",
    "Access-Control-Request-Headers": "authorization",
}
ORIGIN = {"Origin": "https://desk.example"}
LIST = "/api/calls/?page_size=1"


def test_a_browser_may_send_the_token_and_read_the_answer(site, token):
    asked = site.client.options(LIST, headers=PREFLIGHT)
    assert (asked.status_code, asked.content) == (204, b"")
    assert asked.headers["Access-Control-Allow-Origin"] == "*"
    assert asked.headers["Access-Control-Allow-Headers"] == "Authorization"
    assert asked.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
    for method in ("GET", "HEAD"):
        answer = site.client.request(method, LIST, headers={**ORIGIN, "Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")


def test_the_token_check_tells_unknown_users_from_those_who_may_not_view_calls(site, dispatcher, token):
    def asked(**headers):
        answer = site.client.head(LIST, headers={**ORIGIN, **headers})
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Content-Type"] == "application/json"
        return answer.status_code

    assert asked() == 401
    assert asked(Authorization="Bearer a.b.c") == 401
    dispatcher.user_permissions.clear()
    assert asked(Authorization=f"Bearer {AccessToken.for_user(dispatcher)}") == 403


def test_an_answer_that_a_cookie_brought_stays_hidden_from_other_sites(site):
    for answer in (site.client.options(LIST, headers=PREFLIGHT), site.client.get(LIST, headers=ORIGIN)):
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/api/token/", "/api/calls/EL_1/", "/api/schema/", "/live/"])
def test_other_routes_are_not_readable_from_other_sites(site, transactional_db, path):
    for answer in (site.client.options(path, headers=PREFLIGHT), site.client.get(path, headers=ORIGIN)):
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_options_without_a_preflight_is_still_the_apis_own(site, token):
    assert "Access-Control-Allow-Methods" not in site.client.options(LIST).headers
    assert site.client.options(LIST).status_code == 401
