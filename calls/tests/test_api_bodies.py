"""Bodies of the API that JSON allows and Python, a field or an answer chokes on: 400, in plain words, no traceback."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from calls.api.parsers import MAX_DEPTH
from calls.models import Call


def nested(before: bytes, levels: int, after: bytes = b"") -> bytes:
    return before * levels + after * levels


DEEP = {
    "brackets": nested(b"[", 10_000),
    "many brackets": nested(b"[", 200_000),
    "closed brackets": nested(b"[", 50_000, b"]"),
    "objects": nested(b'{"a":', 10_000),
    "both": nested(b'[{"a":', 10_000),
    "a list that Python can read": nested(b"[", 900, b"]"),
    "objects that Python can read": nested(b'{"a":', 900, b"}").replace(b"}", b"1}", 1),
    "a list that is one too deep": nested(b"[", MAX_DEPTH + 1, b"]"),
    **{
        f"a value of {name}": b'{"username": "u", "password": "p", "%s": %s}' % (name.encode(), nested(b"[", 900, b"]"))
        for name in ("username", "password", "refresh", "direction", "call_start_time", "driver_id", "nothing")
    },
}
DIGITS = b'{"username": "u", "password": "p", "call_sid": ' + b"1" * 5_000 + b"}"
SURROGATE = b'{"username": "u", "password": "p", "%s": "a\\ud800"}'
WRONG = {
    **{name: (body, "nested deeper than 100 levels") for name, body in DEEP.items()},
    "digits": (DIGITS, "too many digits"),
    "negative digits": (DIGITS.replace(b": 1", b": -1"), "too many digits"),
    "a surrogate as an answer would repeat it": (SURROGATE % b"direction", "surrogate"),
    "a surrogate in a key": (b'{"a\\udfff": 1}', "surrogate"),
    "a surrogate deep inside": (b'{"a": [{"b": ["\\ud83d"]}]}', "surrogate"),
    "NaN": (b'{"call_sid": NaN}', "NaN"),
    "infinity": (b'{"call_sid": [-Infinity]}', "-Infinity"),
    "no JSON": (b'{"call_sid": ', "JSON parse error"),
    "a number": (b"1.", "JSON parse error"),
    "nothing but NUL": (b"\x00", "JSON parse error"),
    "no UTF-8": (b'{"call_sid": "\xff"}', "not text in utf-8"),
}


@pytest.fixture
def ask(site, call, dispatcher, token):
    """Sends a body to each route that takes one; without a login where none is needed."""
    dispatcher.user_permissions.add(*Permission.objects.filter(codename__in=("add_call", "change_call")))
    routes = {"/api/token/": "POST", "/api/token/refresh/": "POST", "/api/calls/": "POST"}
    routes[f"/api/calls/{call.call_sid}/"] = "PATCH"

    def ask(body, content_type="application/json"):
        for path, method in routes.items():
            headers = {"Content-Type": content_type}
            if "token" not in path:
                headers["Authorization"] = f"Bearer {token}"
            yield path, site.client.request(method, path, content=body, headers=headers)

    return ask


@pytest.mark.parametrize(("body", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_with_a_body_is_said_on_every_route_and_nothing_is_logged(ask, call, caplog, body, said):
    for path, answer in ask(body):
        assert (path, answer.status_code) == (path, 400)
        assert list(answer.json()) == ["detail"]
        assert said in answer.json()["detail"]
    assert not [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"]
    assert list(Call.objects.values_list("call_sid", "driver_id")) == [(call.call_sid, call.driver_id)]


@pytest.mark.parametrize(
    "body", [b"null", b"5", b"true", b'"text"', b"[]", b"[{}]", nested(b"[", MAX_DEPTH, b"]")], ids=len
)
def test_json_that_is_no_object_is_refused_by_the_route(ask, body):
    for path, answer in ask(body):
        assert (path, answer.status_code) == (path, 400)


@pytest.mark.parametrize("charset", ["utf-7", "idna", "unicode_escape", "undefined", "zlib", "\xff", "nosuch"])
def test_no_charset_leads_around_it(ask, charset):
    for path, answer in ask(DEEP["brackets"], f"application/json; charset={charset}".encode("latin-1")):
        assert (path, answer.status_code) == (path, 400)


def test_a_nul_is_refused_by_the_name_of_its_field(writer):
    for name in ("call_sid", "conversation_id", "driver_id", "agent_id", "agent_name", "from_number", "to_number"):
        answer = writer.generic("POST", "/api/calls/", b'{"%s": "a\\u0000"}' % name.encode(), "application/json")
        assert (answer.status_code, list(answer.json())) == (400, [name])


def test_what_is_unusual_and_right_is_taken(writer):
    body = '{"call_sid": "EL_😀", "driver_id": "\\ud83d\\ude00", "call_start_time": null}'
    answer = writer.generic("POST", "/api/calls/", body, "application/json")
    assert (answer.status_code, answer.json()["driver_id"]) == (201, "😀")
    latin = writer.generic(
        "POST", "/api/calls/", '{"driver_id": "é"}'.encode("latin-1"), "application/json; charset=latin-1"
    )
    assert (latin.status_code, latin.json()["driver_id"]) == (201, "é")
