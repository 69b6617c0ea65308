"""What must live goes on: foreign messages in the channel layer, and turns or calls that are deleted while heard."""

from __future__ import annotations

import asyncio

import pytest
import redis
from channels.layers import get_channel_layer
from django.conf import settings

from calls.models import Call, CallTranscription
from realtime import hub as hub_module
from realtime import publisher, replay
from realtime.publisher import GROUP
from realtime.tests.conftest import NEVER, in_database, server_loop, until

FOREIGN = {
    "no batch": {"type": "turn", "call_id": 1},
    "no list": {"type": "batch", "from": "another", "messages": 5},
    "nothing in it": {"type": "batch", "from": "another", "messages": [None, 7, "x", []]},
    "unknown kinds": {"type": "batch", "from": "another", "messages": [{"type": "new kind", "call_id": 0}, {}]},
    "a turn of another version": {"type": "batch", "from": "another", "messages": [{"type": "turn", "call_id": 0}]},
}


async def ring(site, work):
    """Run something in the server's loop."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, server_loop(site)))


def from_another_process(call, text, number):
    """A turn as another process of this version publishes it."""
    turn = {
        "type": "transcription",
        "conversation_id": call.conversation_id,
        "call_sid": call.call_sid,
        "transcription_id": number,
        "sequence_number": number,
        "speaker_type": "agent",
        "message_text": text,
        "timestamp": "2026-01-01T00:00:00Z",
    }
    return {"type": "batch", "from": "another", "messages": [{"type": "turn", "call_id": call.pk, "turn": turn}]}


@pytest.mark.parametrize("message", FOREIGN.values(), ids=FOREIGN)
async def test_a_foreign_message_costs_nothing_that_comes_after_it(site, talk, token, no_clock, message):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        message = {**message}
        if isinstance(message.get("messages"), list):
            message["messages"] = [
                {**m, "call_id": talk.call.pk} if isinstance(m, dict) and "call_id" in m else m
                for m in message["messages"]
            ]
        await ring(site, get_channel_layer().group_send(GROUP, message))
        await ring(site, get_channel_layer().group_send(GROUP, from_another_process(talk.call, "after it", 1)))
        assert (await socket.next())["message_text"] == "after it"


async def test_bytes_that_are_no_message_cost_nothing_that_comes_after_them(site, talk, token, no_clock):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        with redis.Redis.from_url(settings.REDIS_URL) as stranger:
            for stray in (b"", b"\xc1", b"hello", b"\x93\x01"):
                assert stranger.publish(f"callsite__group__{GROUP}", stray), "somebody heard it"
        await ring(site, get_channel_layer().group_send(GROUP, from_another_process(talk.call, "after it", 1)))
        assert (await socket.next())["message_text"] == "after it"


async def test_a_foreign_message_is_said_once_and_not_a_thousand_times(site, talk, token, hub, caplog):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        for _ in range(20):
            await ring(site, get_channel_layer().group_send(GROUP, FOREIGN["no list"]))
        await ring(site, get_channel_layer().group_send(GROUP, from_another_process(talk.call, "after it", 1)))
        await socket.next()
    assert sum("not understood" in record.message for record in caplog.records) <= 1


async def test_publishing_that_fails_unexpectedly_is_said_and_the_next_is_published(site, talk, token, hub, caplog):
    class Broken:
        async def group_send(self, *_):
            raise TypeError("made by the test")

    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(publisher, "get_channel_layer", Broken)
            await talk.say("one")
            assert (await socket.next())["message_text"] == "one"
        await talk.say("two")
        assert (await socket.next())["message_text"] == "two"
    assert "Publishing failed unexpectedly" in caplog.text


async def test_joining_that_fails_unexpectedly_is_said_and_tried_again(site, talk, token, hub, caplog, monkeypatch):
    from realtime import doorbell

    class Broken:
        async def new_channel(self):
            raise TypeError("made by the test")

        group_discard = group_add = receive = new_channel

    with monkeypatch.context() as patch:
        patch.setattr(doorbell, "get_channel_layer", Broken)
        async with site.socket(token) as socket:
            await socket.subscribe(talk.call.call_sid)
            patch.undo()
            await until(hub._doorbell._member.is_set)
            await talk.say("heard")
            assert (await socket.next())["message_text"] == "heard"


# --- turns that are gone ---------------------------------------------------------------------------------------


@pytest.fixture
def reads(monkeypatch):
    """How often a call's turns were read."""
    counted, read = [], replay.read

    async def count(*args, **kwargs):
        counted.append(args)
        return await read(*args, **kwargs)

    monkeypatch.setattr(replay, "read", count)
    return counted


def delete_turns(call, *numbers):
    return in_database(CallTranscription.objects.filter(call=call, sequence_number__in=numbers).delete)()


def numbers(messages):
    return [message["sequence_number"] for message in messages]


@pytest.mark.parametrize("gone", [(3,), (2, 3), (1,), (1, 2, 3)], ids=str)
async def test_who_asks_for_turns_that_are_gone_gets_the_others_and_is_read_for_once(
    site, talk, token, hub, reads, gone
):
    await talk.say("one", "two", "three")
    await delete_turns(talk.call, *gone)
    left = [number for number in (1, 2, 3) if number not in gone]
    async with site.socket(token) as socket:
        assert (await socket.subscribe(talk.call.call_sid, after=0))["last_sequence_number"] == 3
        assert numbers(await socket.take(len(left))) == left
        assert await socket.hears_nothing(2.5)  # a sweep has passed
        assert len(reads) <= 3
        await talk.say("four")
        assert numbers(await socket.take(1)) == [4]
        await talk.end()
        assert [m["type"] for m in await socket.take(2)] == ["call_status", "call_completed"]


async def test_turns_that_the_layer_lost_and_that_are_gone_hold_up_nothing(site, talk, token, hub, wire, reads):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await talk.say("lost and gone", "lost", "lost and gone too")
        await delete_turns(talk.call, 1, 3)
        assert numbers(await socket.take(1)) == [2], "the sweep finds it"
        assert await socket.hears_nothing(2.5)
        assert len(reads) <= 3
        await talk.say("heard")
        await wire.has(4)
        await wire.deliver(3)
        assert numbers(await socket.take(1)) == [4]


# --- calls that are gone ---------------------------------------------------------------------------------------


def is_told(message, identifier):
    assert message["type"] == "error", message
    assert (message["code"], message["identifier"]) == ("CALL_NOT_FOUND", identifier)
    return True


async def test_who_listens_to_a_call_that_is_deleted_is_told_and_only_that_subscription_ends(site, talk, token, hub):
    other = await in_database(Call.register)(call_sid="EL_other")
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.conversation_id)
        await socket.subscribe(other.call_sid)
        identifier = talk.call.conversation_id
        await in_database(talk.call.delete)()
        assert is_told(await socket.next(), identifier)
        assert set(hub.topics) == {other.pk}
        talk.call = other
        await talk.say("still here")
        assert (await socket.next())["message_text"] == "still here"


async def test_a_call_that_is_registered_again_can_be_subscribed_to_again(site, talk, token, hub):
    sid = talk.call.call_sid
    async with site.socket(token) as socket:
        await socket.subscribe(sid)
        await in_database(talk.call.delete)()
        assert is_told(await socket.next(), sid)
        talk.call = await in_database(Call.register)(call_sid=sid)
        await socket.subscribe(sid)
        await talk.say("anew")
        assert (await socket.next())["message_text"] == "anew"


async def test_a_call_that_is_deleted_while_its_turns_are_served_is_told(site, talk, token, hub, monkeypatch):
    monkeypatch.setattr(hub_module, "SWEEP_SECONDS", NEVER)
    await talk.say("one", "two")
    read = replay.read

    async def delete_first(*args, **kwargs):
        if talk.call.pk is not None:
            await in_database(talk.call.delete)()
        return await read(*args, **kwargs)

    sid = talk.call.call_sid
    async with site.socket(token) as socket:
        monkeypatch.setattr(replay, "read", delete_first)
        await socket.subscribe(sid, after=0)
        assert is_told(await socket.next(), sid)
        await until(lambda: not hub.topics)
