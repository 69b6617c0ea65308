"""A subscriber and its call, over real sockets: what is confirmed, what follows, how it stops and goes on."""

from __future__ import annotations

import pytest

from calls.models import Call
from calls.registration import link_conversation, register
from calls.turns import record_turn
from realtime.tests.conftest import in_database


def turns(messages):
    return [(m["sequence_number"], m["message_text"]) for m in messages]


async def test_each_turn_reaches_the_subscriber_in_order_then_the_pair(site, talk, token):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.conversation_id)
        await talk.say("one", "two")
        assert turns(await socket.take(2)) == [(1, "one"), (2, "two")]
        await talk.end()
        assert [m["type"] for m in await socket.take(2)] == ["call_status", "call_completed"]
        assert await socket.hears_nothing()


async def test_the_confirmation_says_where_the_call_is(site, talk, token):
    await talk.say("before", "before")
    async with site.socket(token) as socket:
        assert await socket.subscribe(talk.call.conversation_id) == {
            "type": "subscription_confirmed",
            "identifier": talk.call.conversation_id,
            "call_sid": talk.call.call_sid,
            "conversation_id": talk.call.conversation_id,
            "status": "in_progress",
            "last_sequence_number": 2,
            "message": "Subscribed.",
        }


async def test_a_turn_has_all_that_the_api_has_of_it(site, talk, token):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await talk.say("Grüße, 東京 \u2028 \x07 <b>", speaker="agent")
        turn = await socket.next()
        path = f"/api/calls/{talk.call.call_sid}/transcript/"
        [in_api] = site.api("GET", path, token).json()["turns"]
        ids = {"call_sid": talk.call.call_sid, "conversation_id": talk.call.conversation_id}
        assert turn == {"type": "transcription", **ids, **in_api}
        assert turn["speaker_type"] == "agent"
        assert turn["timestamp"].endswith("Z")


async def test_both_identifiers_are_one_subscription(site, talk, token):
    async with site.socket(token) as socket:
        for identifier in (talk.call.call_sid, talk.call.conversation_id, talk.call.call_sid):
            confirmed = await socket.subscribe(identifier)
            assert (confirmed["type"], confirmed["identifier"]) == ("subscription_confirmed", identifier)
        await talk.say("once")
        assert turns(await socket.take(1)) == [(1, "once")]
        assert await socket.hears_nothing()


@pytest.mark.parametrize("subscribed", ["call_sid", "conversation_id"])
@pytest.mark.parametrize("unsubscribed", ["call_sid", "conversation_id"])
async def test_either_identifier_ends_the_subscription(site, talk, token, subscribed, unsubscribed, hub):
    identifier = getattr(talk.call, unsubscribed)
    async with site.socket(token) as socket:
        await socket.subscribe(getattr(talk.call, subscribed))
        await socket.send(unsubscribe=identifier)
        confirmed = await socket.next()
        assert (confirmed["type"], confirmed["identifier"]) == ("unsubscribe_confirmed", identifier)
        assert not hub.topics
        await talk.say("unheard")
        assert await socket.hears_nothing()


async def test_an_identifier_that_the_call_got_later_ends_the_subscription_too(site, token, hub):
    call = await in_database(Call.register)(call_sid="EL_later")
    async with site.socket(token) as socket:
        assert (await socket.subscribe("EL_later"))["conversation_id"] is None
        await in_database(link_conversation)(call, "conv_later")
        await socket.send(unsubscribe="conv_later")
        assert (await socket.next())["type"] == "unsubscribe_confirmed"
        assert not hub.topics


@pytest.mark.parametrize("renamed", ["before", "while it is subscribed to"])
async def test_a_name_that_the_call_had_before_ends_the_subscription_too(site, token, hub, renamed):
    def rename():
        register(call_sid="EL_better", conversation_id="conv_1")

    await in_database(Call.register)(call_sid="CA_former", conversation_id="conv_1", name_rank=Call.NameRank.INITIATION)
    async with site.socket(token) as socket:
        if renamed == "before":
            await in_database(rename)()
        await socket.subscribe("CA_former")
        if renamed != "before":
            await in_database(rename)()
            assert (await socket.next())["call_sid"] == "EL_better"
        await socket.send(unsubscribe="CA_former")
        assert (await socket.next())["type"] == "unsubscribe_confirmed"
        assert not hub.topics


async def test_unsubscribing_from_what_was_never_subscribed_is_confirmed(site, talk, token):
    async with site.socket(token) as socket:
        for identifier in (talk.call.call_sid, "no such call"):
            await socket.send(unsubscribe=identifier)
            assert (await socket.next())["type"] == "unsubscribe_confirmed"


async def test_after_n_gives_every_turn_above_n(site, talk, token):
    await talk.say("one", "two", "three")
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid, after=1)
        assert turns(await socket.take(2)) == [(2, "two"), (3, "three")]
        await talk.say("four")
        assert turns(await socket.take(1)) == [(4, "four")]


@pytest.mark.parametrize("after", [None, "absent"])
async def test_without_after_only_what_is_said_from_now_on_is_heard(site, talk, token, after):
    await talk.say("one")
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid, **({} if after == "absent" else {"after": after}))
        await talk.say("two")
        assert turns(await socket.take(1)) == [(2, "two")]


@pytest.mark.parametrize("after", [4, 10**30])
async def test_after_above_the_newest_is_a_reset_and_everything_from_one(site, talk, token, after):
    await talk.say("one", "two", "three")
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid, after=after)
        assert await socket.next() == {
            "type": "reset",
            "identifier": talk.call.call_sid,
            "call_sid": talk.call.call_sid,
            "conversation_id": talk.call.conversation_id,
            "last_sequence_number": 3,
        }
        assert turns(await socket.take(3)) == [(1, "one"), (2, "two"), (3, "three")]
        assert await socket.hears_nothing()


async def test_after_the_newest_itself_is_no_reset(site, talk, token):
    await talk.say("one")
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid, after=1)
        assert await socket.hears_nothing()


async def test_a_client_that_was_away_resumes_without_a_gap_or_a_repeat(site, talk, token):
    heard = []
    for _ in range(3):
        async with site.socket(token) as socket:
            await socket.subscribe(talk.call.call_sid, after=len(heard))
            await talk.say("a", "b")
            heard += turns(await socket.take(4 if heard else 2))
        await talk.say("missed", "missed")
    assert heard == (await talk.transcript(token))[: len(heard)]
    assert len(heard) == 10


async def test_subscribing_again_with_after_starts_again_from_there(site, talk, token):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await talk.say("one", "two")
        await socket.take(2)
        await socket.subscribe(talk.call.conversation_id, after=1)
        assert turns(await socket.take(1)) == [(2, "two")]
        await talk.say("three")
        assert turns(await socket.take(1)) == [(3, "three")]
        assert await socket.hears_nothing()


async def test_one_connection_hears_many_calls_each_for_itself(site, talk, token):
    other = await in_database(Call.register)(call_sid="EL_other")
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await socket.subscribe("EL_other")
        await talk.say("here")
        await in_database(record_turn)(other, speaker_type="agent", message_text="there")
        heard = [(m["call_sid"], m["sequence_number"], m["message_text"]) for m in await socket.take(2)]
        assert sorted(heard) == sorted([(talk.call.call_sid, 1, "here"), ("EL_other", 1, "there")])


async def test_a_call_sid_wins_over_the_conversation_id_of_another_call(site, token):
    await in_database(Call.register)(call_sid="EL_a", conversation_id="twice")
    await in_database(Call.register)(call_sid="twice")
    async with site.socket(token) as socket:
        assert (await socket.subscribe("twice"))["call_sid"] == "twice"
