"""Each thing a client may say has one answer, and so has everything it may not."""

from __future__ import annotations

import json

import pytest
from django.db import OperationalError

from realtime import auth, replay
from realtime.doorbell import Doorbell


async def answer(socket, text):
    await socket.connection.send(text)
    return await socket.next()


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1.5, "", "x" * 1000, [], {}, {"a": [1, {"b": None}]}, "Grüße 東京 \u2028", "\x00\x1f", 10**400],
)
async def test_any_value_may_be_pinged_and_comes_back(site, token, value):
    async with site.socket(token) as socket:
        assert await answer(socket, json.dumps({"ping": value})) == {"type": "pong", "ping": value}


async def test_a_lone_surrogate_may_be_pinged_and_comes_back(site, token):
    async with site.socket(token) as socket:
        assert await answer(socket, r'{"ping": "\ud800"}') == {"type": "pong", "ping": "\ud800"}


NOT_JSON = ["", "{", "ping", '{"ping": 1}{"ping": 2}', "\ufeff{}", '{"ping": NaN}', '{"ping": -Infinity}']
NOT_A_MESSAGE = ["null", "1", '"ping"', "[]", '[{"ping": 1}]', "{}", '{"x": 1}', '{"type": "a"}', '{"snapshot": true}']
TOO_MUCH = ['{"ping": 1, "x": 2}', '{"subscribe": "a", "x": 1}', '{"unsubscribe": "a", "after": 1}']
NO_NUMBER = [f'{{"subscribe": "a", "after": {n}}}' for n in ("-1", "1.0", "true", '"1"', "[]")]
TOO_FAR = ['{"ping": 1e999}', '{"ping": [-1e999]}', '{"ping": ' + "9" * 5000 + "}", "[" * 30_000]


@pytest.mark.parametrize("text", [*NOT_JSON, *NOT_A_MESSAGE, *TOO_MUCH, *NO_NUMBER, *TOO_FAR])
async def test_what_is_no_message_is_said_to_be_none_and_the_connection_stays(site, token, text):
    async with site.socket(token) as socket:
        refused = await answer(socket, text)
        assert (refused["type"], refused["code"]) == ("error", "INVALID_MESSAGE_FORMAT")
        assert (await answer(socket, '{"ping": 1}'))["type"] == "pong"


async def test_a_binary_frame_is_no_message(site, token):
    async with site.socket(token) as socket:
        assert (await answer(socket, b'{"ping": 1}'))["code"] == "INVALID_MESSAGE_FORMAT"


@pytest.mark.parametrize("depth", [100, 900, 1100, 3000, 10_000, 30_000])
async def test_however_deep_a_ping_is_nested_it_is_answered_or_refused(site, token, depth):
    async with site.socket(token) as socket:
        await socket.connection.send('{"ping": ' + "[" * depth + "]" * depth + "}")
        text = await socket.connection.recv()
        pong = '{"type": "pong", "ping": ' + "[" * depth + "]" * depth + "}"
        assert text.replace(" ", "") == pong.replace(" ", "") or "INVALID_MESSAGE_FORMAT" in text
        assert (await answer(socket, '{"ping": 1}'))["type"] == "pong"


NO_IDENTIFIER: list[object] = [None, 7, True, [], {}, "", "x" * 256, "a\nb", "a\x00", "\x7f", "\ud800", "\u2028"]


@pytest.mark.parametrize("verb", ["subscribe", "unsubscribe"])
@pytest.mark.parametrize("identifier", NO_IDENTIFIER)
async def test_what_cannot_be_an_identifier_is_said_to_be_none(site, token, verb, identifier):
    async with site.socket(token) as socket:
        refused = await answer(socket, json.dumps({verb: identifier}))
        assert (refused["type"], refused["code"]) == ("error", "INVALID_IDENTIFIER")


@pytest.mark.parametrize(
    "identifier", ["nobody", "x" * 255, "' OR 1=1 --", "東京", "%s", "🚚", "\u00a0a\u3000b", "👨\u200d👩\u200d👧"]
)
async def test_a_call_that_is_not_there_is_said_not_to_be(site, token, identifier):
    async with site.socket(token) as socket:
        refused = await socket.subscribe(identifier)
        assert (refused["type"], refused["code"]) == ("error", "CALL_NOT_FOUND")
        assert identifier not in refused["message"]


async def test_a_database_that_is_away_is_said_to_be_and_subscribing_works_when_it_is_back(
    site, call, token, monkeypatch
):
    async def away(*_):
        raise OperationalError("away")

    monkeypatch.setattr(Doorbell, "is_member", property(lambda _: False))  # so that it reads the call's state too
    async with site.socket(token) as socket:
        for name in ("find", "state"):
            with monkeypatch.context() as while_away:
                while_away.setattr(replay, name, away)
                refused = await socket.subscribe(call.call_sid)
                assert (refused["type"], refused["code"]) == ("error", "SUBSCRIPTION_FAILED")
        assert (await socket.subscribe(call.call_sid))["type"] == "subscription_confirmed"


async def test_a_new_token_that_cannot_be_looked_at_ends_nothing(site, token, monkeypatch):
    """The old one is still good: who asks again when the database is back stays."""

    async def away(*_):
        raise OperationalError("away")

    async with site.socket(token) as socket:
        with monkeypatch.context() as while_away:
            while_away.setattr(auth, "still_allowed", away)
            await socket.send(authenticate=token)
            refused = await socket.next()
            assert (refused["type"], refused["code"]) == ("error", "SUBSCRIPTION_FAILED")
        await socket.send(authenticate=token)
        assert (await answer(socket, '{"ping": 1}'))["type"] == "pong"


async def test_requests_are_answered_in_the_order_they_came(site, call, token):
    async with site.socket(token) as socket:
        for message in ({"subscribe": call.call_sid}, {"ping": 1}, {"subscribe": "no"}, {"unsubscribe": call.call_sid}):
            await socket.send(**message)
        answers = [m["type"] for m in await socket.take(4)]
        assert answers == ["subscription_confirmed", "pong", "error", "unsubscribe_confirmed"]
