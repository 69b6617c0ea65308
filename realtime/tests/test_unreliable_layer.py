"""The channel layer may repeat, reorder and lose what it likes: each turn is heard once, in order, then the pair."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import pytest
from django.db import transaction
from redis.exceptions import ConnectionError as RedisConnectionError

from calls.models import Call
from calls.turns import record_turn
from realtime import doorbell, publisher, replay
from realtime.doorbell import Doorbell
from realtime.tests.conftest import in_database, until

PAIR = ["call_status", "call_completed"]


def numbers(messages):
    return [m["sequence_number"] for m in messages]


async def lose(batch):
    return True


async def test_turns_and_the_pair_that_the_layer_lost_are_found_in_the_database(site, talk, token, hub, monkeypatch):
    monkeypatch.setattr("realtime.hub.Hub._settle", lambda hub: asyncio.sleep(0))
    monkeypatch.setattr(publisher, "_send", lose)
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await talk.say("lost", "lost", "lost")
        assert numbers(await socket.take(3)) == [1, 2, 3]
        await talk.end()
        assert [m["type"] for m in await socket.take(2)] == PAIR


async def test_a_turn_that_the_layer_lost_comes_with_the_next_one_at_the_latest(site, talk, token, no_clock, wire):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await talk.say("lost", "lost", "heard")
        await wire.has(3)
        await wire.deliver(2)
        assert numbers(await socket.take(3)) == [1, 2, 3]


async def test_a_turn_that_the_layer_repeats_is_heard_once(site, talk, token, no_clock, wire):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await talk.say("one", "two", "three")
        await wire.has(3)
        await wire.deliver(0, 0, 1, 0, 1, 2, 2, 0)
        assert numbers(await socket.take(3)) == [1, 2, 3]
        assert await socket.hears_nothing()


async def test_turns_that_the_layer_reorders_are_heard_in_order(site, talk, token, no_clock, wire):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await talk.say(*"abcde")
        await wire.has(5)
        await wire.deliver(4, 2, 0, 3, 1)
        assert numbers(await socket.take(5)) == [1, 2, 3, 4, 5]
        assert await socket.hears_nothing()


async def test_an_end_that_overtakes_its_turns_and_is_repeated_comes_behind_them_once(
    site, talk, token, no_clock, wire
):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await talk.say("one", "two")
        await talk.end()
        await wire.has(3)
        await wire.deliver(2, 2, 1, 0, 2)
        messages = await socket.take(4)
        assert numbers(messages[:2]) == [1, 2]
        assert [m["type"] for m in messages[2:]] == PAIR
        assert await socket.hears_nothing()


async def test_a_turn_that_commits_while_the_layer_is_joined_is_not_missed(
    site, talk, token, no_clock, wire, monkeypatch
):
    """Join first, then read: the turn that commits between the two is in the state that is confirmed."""
    ready = Doorbell.ready

    async def slowly_ready(self):
        await in_database(record_turn)(talk.call, speaker_type="agent", message_text="in between")
        await wire.has(1)  # and its doorbell is not delivered: it rang before we were at the door
        await ready(self)

    monkeypatch.setattr(Doorbell, "ready", slowly_ready)
    monkeypatch.setattr(Doorbell, "is_member", property(lambda _: False))
    async with site.socket(token) as socket:
        confirmed = await socket.subscribe(talk.call.call_sid, after=0)
        assert confirmed["last_sequence_number"] == 1
        assert numbers(await socket.take(1)) == [1]


async def test_a_turn_that_is_heard_before_its_listener_is_there_is_not_missed(
    site, talk, token, no_clock, monkeypatch
):
    """The call was found before the turn, which rang while nobody listened: what is confirmed is read again."""
    find = replay.find

    async def find_before_a_turn(identifier):
        state = await find(identifier)
        await in_database(record_turn)(talk.call, speaker_type="agent", message_text="in between")
        await asyncio.sleep(0.1)  # its doorbell rings in this process
        return state

    async with site.socket(token) as socket:
        await socket.send(ping=1)
        await socket.next()
        monkeypatch.setattr(replay, "find", find_before_a_turn)
        confirmed = await socket.subscribe(talk.call.call_sid, after=0)
        assert confirmed["last_sequence_number"] == 1
        assert numbers(await socket.take(1)) == [1]


async def test_messages_of_a_call_that_nobody_listens_to_any_more_do_no_harm(site, talk, token, no_clock, wire):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await talk.say("one")
        await wire.has(1)
        await socket.send(unsubscribe=talk.call.call_sid)
        await socket.next()
        await wire.deliver(0)
        assert await socket.hears_nothing()
        await socket.subscribe(talk.call.call_sid, after=0)
        assert numbers(await socket.take(1)) == [1]


async def test_two_turns_at_once_get_two_numbers(call, transactional_db):
    """The call's row is locked: who comes second waits, and neither fails. The order of numbers is that of commits."""
    loop, said = asyncio.get_running_loop(), asyncio.Event()

    def say_and_think_before_committing():
        with transaction.atomic():
            record_turn(call, speaker_type="agent", message_text="first")
            loop.call_soon_threadsafe(said.set)
            time.sleep(0.5)  # the second is at the door by now

    first = asyncio.ensure_future(in_database(say_and_think_before_committing, thread_sensitive=False)())
    await said.wait()
    speak = in_database(partial(record_turn, call), thread_sensitive=False)
    turn, created = await speak(speaker_type="agent", message_text="second")
    await first
    assert (turn.sequence_number, created) == (2, True)


class Away:
    """A channel layer that is not there."""

    async def new_channel(self):
        raise RedisConnectionError

    async def group_add(self, group, channel):
        raise RedisConnectionError

    group_discard = group_send = group_add

    async def receive(self, channel):
        raise RedisConnectionError


class Hanging(Away):
    """A channel layer that takes requests and answers none."""

    async def group_add(self, group, channel):
        await asyncio.sleep(3600)

    group_discard = group_send = group_add


@pytest.mark.parametrize("layer", [Away(), Hanging()], ids=["away", "hanging"])
async def test_subscribing_works_while_the_layer_is_away_and_turns_come_all_the_same(
    site, talk, token, hub, monkeypatch, layer
):
    monkeypatch.setattr(doorbell, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(publisher, "get_channel_layer", lambda: layer)
    async with site.socket(token) as socket:
        confirmed = await socket.subscribe(talk.call.call_sid)
        assert confirmed["type"] == "subscription_confirmed"
        assert not hub._doorbell._member.is_set()
        await talk.say("while it is away")
        assert numbers(await socket.take(1)) == [1]
        await talk.end()
        assert [m["type"] for m in await socket.take(2)] == PAIR


async def test_a_layer_that_is_away_costs_a_client_a_moment_once_and_not_for_each_call(site, token, hub, monkeypatch):
    monkeypatch.setattr(doorbell, "get_channel_layer", Away)
    calls = await in_database(lambda: [Call.register(call_sid=f"EL_{n}").call_sid for n in range(15)])()
    async with site.socket(token) as socket:
        for call in calls:
            await socket.send(subscribe=call)
        async with asyncio.timeout(10):
            answers = await socket.take(15)
        assert {m["type"] for m in answers} == {"subscription_confirmed"}


async def test_a_layer_that_is_back_is_joined_and_heard_again(site, talk, token, no_clock, hub, monkeypatch):
    async with site.socket(token) as socket:
        with monkeypatch.context() as while_away:
            while_away.setattr(doorbell, "get_channel_layer", Away)
            await until(lambda: not hub._doorbell._member.is_set())
            await socket.subscribe(talk.call.call_sid)
        await until(hub._doorbell._member.is_set)
        await talk.say("by the layer")
        assert (await socket.next())["message_text"] == "by the layer"
