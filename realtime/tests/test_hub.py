"""The hub of a process: once in the layer, once in the database for all its sockets, idle when alone."""

from __future__ import annotations

import asyncio
import collections
import json

import pytest

from calls.models import Call
from realtime import auth, doorbell, publisher, replay
from realtime import hub as hub_module
from realtime.doorbell import Doorbell
from realtime.tests.conftest import in_database, until


@pytest.fixture
def asked(hub, monkeypatch):
    """What the hub asks the layer and the database for, counted."""
    counts = collections.Counter()

    def counted(owner, name):
        original = getattr(owner, name)

        async def count(*args, **kwargs):
            counts[name] += 1
            return await original(*args, **kwargs)

        monkeypatch.setattr(owner, name, count)

    for name in ("find", "state", "states", "read"):
        counted(replay, name)
    for name in ("_join", "_leave"):
        counted(Doorbell, name)
    counted(auth, "still_allowed")
    return counts


async def test_a_process_joins_the_layer_once_for_all_its_sockets_and_calls(site, talk, token, hub, asked):
    other = await in_database(Call.register)(call_sid="EL_other")
    async with site.socket(token) as one:
        async with site.socket(token) as two:
            for socket in (one, two):
                await socket.subscribe(talk.call.call_sid)
                await socket.subscribe(other.call_sid)
            assert asked["_join"] == 1
            await one.send(unsubscribe=talk.call.call_sid)
            await one.next()
        assert asked["_leave"] == 0
    await until(lambda: asked["_leave"] == 1)
    assert asked["_join"] == 1


async def test_the_layer_is_left_with_the_last_socket_and_joined_with_the_next(site, talk, token, no_clock):
    for n in range(5):
        async with site.socket(token) as socket:
            await socket.subscribe(talk.call.call_sid)
            await talk.say(str(n))
            assert (await socket.next())["message_text"] == str(n)


async def test_a_call_that_is_left_and_wanted_again_at_once_is_heard(site, talk, token, no_clock):
    async with site.socket(token) as socket:
        for n in range(10):
            await socket.subscribe(talk.call.call_sid)
            await talk.say(str(n))
            assert (await socket.next())["message_text"] == str(n)
            await socket.send(unsubscribe=talk.call.call_sid)
            await socket.next()


async def test_the_hub_holds_the_calls_that_somebody_listens_to_and_no_others(site, talk, token, hub):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        assert set(hub.topics) == {talk.call.pk}
        await talk.end()
        await socket.take(2)
        assert not hub.topics


async def test_turns_that_arrive_in_order_cost_no_read(site, talk, token, no_clock, asked):
    async with site.socket(token) as one, site.socket(token) as two:
        for socket in (one, two):
            await socket.subscribe(talk.call.call_sid)
        await talk.say(*"abcde")
        for socket in (one, two):
            await socket.take(5)
    assert asked["read"] == 0


async def test_a_gap_is_read_once_for_all_sockets(site, talk, token, no_clock, wire, asked):
    async with site.socket(token) as one, site.socket(token) as two, site.socket(token) as three:
        for socket in (one, two, three):
            await socket.subscribe(talk.call.call_sid)
        await talk.say("lost", "heard")
        await wire.has(2)
        await wire.deliver(1)
        for socket in (one, two, three):
            assert [m["message_text"] for m in await socket.take(2)] == ["lost", "heard"]
    assert asked["read"] == 1


async def test_the_end_is_read_once_for_all_sockets(site, talk, token, no_clock, asked):
    async with site.socket(token) as one, site.socket(token) as two, site.socket(token) as three:
        for socket in (one, two, three):
            await socket.subscribe(talk.call.call_sid)
        await talk.end()
        for socket in (one, two, three):
            await socket.take(2)
    assert asked["read"] == 1


async def test_a_sweep_is_one_query_for_all_calls(site, token, hub, asked):
    calls = await in_database(lambda: [Call.register(call_sid=f"EL_{n}").call_sid for n in range(5)])()
    async with site.socket(token) as socket:
        for call in calls:
            await socket.subscribe(call)
        await asyncio.sleep(1)
        asked.clear()
        await until(lambda: asked["states"] and asked["still_allowed"])
        assert asked == {"states": 1, "still_allowed": 1}


async def test_when_nobody_listens_the_hub_does_nothing(site, talk, token, hub, asked):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
    await until(lambda: not hub.listeners and not hub._tasks)
    asked.clear()
    await talk.say("nobody listens")
    await talk.end()
    await asyncio.sleep(2.5)
    assert not asked
    assert not hub._cycles
    assert not hub.topics


async def test_a_heartbeat_tells_each_calls_newest_number(site, talk, token, hub, monkeypatch):
    monkeypatch.setattr(hub_module, "HEARTBEAT_SECONDS", 0.5)
    await in_database(Call.register)(call_sid="EL_quiet")
    async with site.socket(token) as socket:

        async def beats_with(calls):
            async with asyncio.timeout(5):
                while await heartbeat() != {"type": "heartbeat", "calls": calls}:
                    pass
            return True

        async def heartbeat():
            return json.loads(await socket.connection.recv())

        assert await beats_with({})
        await socket.subscribe("EL_quiet")
        await socket.subscribe(talk.call.conversation_id)
        await talk.say("one", "two")
        assert await beats_with({"EL_quiet": 0, talk.call.call_sid: 2})
        await talk.end()
        assert await beats_with({"EL_quiet": 0})


def test_heartbeats_come_every_20_seconds():
    assert hub_module.HEARTBEAT_SECONDS == 20


async def test_sockets_that_are_idle_for_longer_than_redis_py_waits_still_hear(site, talk, token, no_clock):
    """redis-py's own time-out of 5 seconds would make the layer's connection deaf (channels_redis#422)."""
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        assert await socket.hears_nothing(7)
        await talk.say("hello?")
        assert (await socket.next())["message_text"] == "hello?"


@pytest.mark.parametrize("of_this_process", [True, False])
async def test_a_message_that_is_not_understood_ends_nothing(site, talk, token, no_clock, monkeypatch, of_this_process):
    if not of_this_process:
        monkeypatch.setattr(doorbell, "sender", lambda: "another")
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await in_database(lambda: publisher.publish({"type": "turn", "call_id": talk.call.pk}))()
        await talk.say("hello?")
        assert (await socket.next())["message_text"] == "hello?"


async def test_a_round_that_fails_is_followed_by_the_next(site, talk, token, hub, monkeypatch):
    compare, failed = hub_module.Hub._compare, []

    async def fail_once(self):
        if not failed:
            failed.append(True)
            raise RuntimeError("a bug")
        await compare(self)

    monkeypatch.setattr(hub_module.Hub, "_settle", lambda self: asyncio.sleep(0))
    monkeypatch.setattr(hub_module.Hub, "_compare", fail_once)
    monkeypatch.setattr("realtime.publisher._send", lambda batch: asyncio.sleep(0, True))
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await talk.say("lost")
        assert (await socket.next(10))["message_text"] == "lost"
        assert failed
