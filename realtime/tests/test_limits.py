"""The limits of one connection, one user and one process; 0 means none."""

from __future__ import annotations

import asyncio

import pytest
from django.contrib.auth import get_user_model
from rest_framework_simplejwt.tokens import AccessToken

from calls.models import Call
from realtime.tests.conftest import in_database, until


async def registered(count):
    make = in_database(lambda: [Call.register(call_sid=f"EL_many_{n}").call_sid for n in range(count)])
    return await make()


async def test_a_connection_has_a_limited_number_of_subscriptions(site, token, settings):
    settings.WS_MAX_SUBSCRIPTIONS = 2
    one, two, three = await registered(3)
    async with site.socket(token) as socket:
        for identifier in (one, two, one):  # again is not one more
            assert (await socket.subscribe(identifier))["type"] == "subscription_confirmed"
        refused = await socket.subscribe(three)
        assert (refused["type"], refused["code"]) == ("error", "SUBSCRIPTION_LIMIT")
        await socket.send(unsubscribe=one)
        await socket.next()
        assert (await socket.subscribe(three))["type"] == "subscription_confirmed"


async def test_a_subscription_that_has_ended_makes_room(site, talk, token, settings):
    settings.WS_MAX_SUBSCRIPTIONS = 1
    [other] = await registered(1)
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await talk.end()
        await socket.take(2)
        assert (await socket.subscribe(other))["type"] == "subscription_confirmed"


@pytest.mark.parametrize("binary", [False, True])
async def test_a_message_of_too_many_bytes_is_told_so_and_closed_with_1009(site, token, settings, binary):
    settings.WS_MAX_MESSAGE_BYTES = 50
    async with site.socket(token) as socket:
        text = '{"ping": "' + "é" * 19 + '"}'
        assert len(text.encode()) == 50
        await socket.connection.send(text)
        assert (await socket.next())["type"] == "pong"
        longer = text.replace("é", "éx", 1)
        await socket.connection.send(longer.encode() if binary else longer)
        refused = await socket.next()
        assert (refused["type"], refused["code"]) == ("error", "INVALID_MESSAGE_FORMAT")
        await socket.connection.wait_closed()
        assert socket.connection.close_code == 1009


async def test_a_message_that_the_server_would_have_to_hold_in_pieces_is_closed_with_1009_too(site, token):
    async with site.socket(token) as socket:
        await socket.connection.send(["x" * 50_000] * 3)  # one message of three frames
        assert (await socket.next())["code"] == "INVALID_MESSAGE_FORMAT"
        await socket.connection.wait_closed()
        assert socket.connection.close_code == 1009


async def test_messages_beyond_the_rate_are_not_looked_at(site, token, settings):
    settings.WS_MAX_MESSAGES_PER_SECOND = 3
    async with site.socket(token) as socket:
        for n in range(8):
            await socket.send(ping=n)
        answers = await socket.take(8)
        assert [m.get("ping") for m in answers[:3]] == [0, 1, 2]
        refused = [m for m in answers if m["type"] == "error"]
        assert len(refused) >= 4
        assert {m["code"] for m in refused} == {"RATE_LIMITED"}
        await asyncio.sleep(1)
        await socket.send(ping="later")
        assert await socket.next() == {"type": "pong", "ping": "later"}


async def test_a_user_has_a_limited_number_of_connections_and_others_are_not_counted(site, token, settings, hub):
    settings.WS_MAX_CONNECTIONS_PER_USER = 2
    other = await in_database(get_user_model().objects.create_superuser)("other", password="other")
    async with site.socket(token) as one, site.socket(token), site.socket(str(AccessToken.for_user(other))) as others:
        async with site.socket(token) as third:
            refused = await third.next()
            assert (refused["type"], refused["code"]) == ("error", "RATE_LIMITED")
            await third.connection.wait_closed()
            assert third.connection.close_code == 1013
        for socket in (one, others):
            await socket.send(ping=1)
            assert (await socket.next())["type"] == "pong"
        await one.connection.close()
        await until(lambda: len(hub.listeners) == 2)
        async with site.socket(token) as third:
            await third.send(ping=1)
            assert (await third.next())["type"] == "pong"


async def test_zero_means_no_limit(site, token, settings, hub):
    settings.WS_MAX_SUBSCRIPTIONS = settings.WS_MAX_MESSAGE_BYTES = 0
    settings.WS_MAX_MESSAGES_PER_SECOND = settings.WS_MAX_CONNECTIONS_PER_USER = 0
    identifiers = await registered(110)
    async with site.socket(token) as socket:
        for identifier in identifiers:
            assert (await socket.subscribe(identifier))["type"] == "subscription_confirmed"
        assert len(hub.topics) == 110
        await socket.send(ping="x" * 100_000)
        assert (await socket.next())["ping"] == "x" * 100_000
