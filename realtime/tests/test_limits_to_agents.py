"""Who is limited to agents hears of their calls alone, on both sockets; a change counts while a socket is open."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from calls.models import AccessLogEntry, AgentAccess, Call
from calls.turns import record_turn
from conftest import Socket
from realtime.tests.conftest import in_database

LOST = ("error", "CALL_NOT_FOUND")


def register(agent_id):
    mark = uuid.uuid4().hex[:12]
    return Call.register(call_sid=f"EL_{mark}", conversation_id=f"conv_{mark}", agent_id=agent_id)


@pytest.fixture
def of_a(transactional_db):
    return register("agent_a")


@pytest.fixture
def of_b(transactional_db):
    return register("agent_b")


@pytest.fixture
def of_nobody(transactional_db):
    return register("")


def watching(site, token):
    return Socket.connect(f"ws://127.0.0.1:{site.port}/ws/calls", token)


async def limit(user, *agents):
    await in_database(AgentAccess.objects.bulk_create)([AgentAccess(user=user, agent_id=agent) for agent in agents])


async def unlimit(user):
    await in_database(AgentAccess.objects.filter(user=user).delete)()


async def say(call, text="Hello"):
    await in_database(record_turn)(call, speaker_type="agent", message_text=text)


async def test_calls_of_other_agents_and_of_none_are_not_found(site, token, dispatcher, of_a, of_b, of_nobody):
    await limit(dispatcher, "agent_a")
    async with site.socket(token) as socket:
        for call in (of_b, of_nobody):
            for name in (call.call_sid, call.conversation_id):
                refused = await socket.subscribe(name)
                assert (refused["type"], refused["code"]) == LOST
                unknown = await socket.subscribe("EL_unknown")
                assert refused == unknown, "nothing tells that there is such a call"
        assert (await socket.subscribe(of_a.call_sid))["type"] == "subscription_confirmed"
        await say(of_b)
        await say(of_a)
        assert (await socket.next())["call_sid"] == of_a.call_sid


async def test_nobody_is_limited_without_a_row_unless_the_setting_says_none(site, token, of_b, settings):
    async with site.socket(token) as socket:
        assert (await socket.subscribe(of_b.call_sid))["type"] == "subscription_confirmed"
    settings.CALLS_VISIBLE_BY_DEFAULT = "none"
    async with site.socket(token) as socket, watching(site, token) as feed:
        assert (await socket.subscribe(of_b.call_sid))["code"] == "CALL_NOT_FOUND"
        snapshot = await feed.next()
        assert (snapshot["calls"], snapshot["totals"]["in_progress"]) == ([], 0)


async def test_who_loses_an_agent_loses_its_calls_within_five_seconds_and_no_others(
    site, token, dispatcher, of_a, of_b
):
    await limit(dispatcher, "agent_a", "agent_b")
    async with site.socket(token) as socket:
        for call in (of_a, of_b):
            await socket.subscribe(call.conversation_id)
        await in_database(AgentAccess.objects.filter(user=dispatcher, agent_id="agent_b").delete)()
        lost = await socket.next(5)
        assert (lost["type"], lost["code"], lost["identifier"]) == (*LOST, of_b.conversation_id)
        await say(of_b)
        await say(of_a)
        assert (await socket.next())["call_sid"] == of_a.call_sid
        assert (await socket.subscribe(of_b.call_sid))["code"] == "CALL_NOT_FOUND"


async def test_who_gets_an_agent_through_a_group_hears_its_calls(site, token, dispatcher, of_a, of_b):
    group = await in_database(Group.objects.create)(name=f"group-{uuid.uuid4().hex}")
    await limit(dispatcher, "agent_a")
    async with site.socket(token) as socket:
        assert (await socket.subscribe(of_b.call_sid))["code"] == "CALL_NOT_FOUND"
        await in_database(AgentAccess.objects.create)(group=group, agent_id="agent_b")
        await in_database(dispatcher.groups.add)(group)
        async with asyncio.timeout(5):
            while (await socket.subscribe(of_b.call_sid))["type"] != "subscription_confirmed":  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        assert (await socket.subscribe(of_a.call_sid))["type"] == "subscription_confirmed", "rows add up"


async def test_a_call_that_turns_out_to_be_another_agents_is_lost(site, token, dispatcher, of_a):
    await limit(dispatcher, "agent_a")
    async with site.socket(token) as socket, watching(site, token) as feed:
        await socket.subscribe(of_a.call_sid)
        assert [call["call_sid"] for call in (await feed.next())["calls"]] == [of_a.call_sid]
        of_a.agent_id = "agent_b"
        await in_database(of_a.save)()
        lost = await socket.next(5)
        assert (lost["type"], lost["code"], lost["identifier"]) == (*LOST, of_a.call_sid)
        assert (await feed.next(5))["calls"] == []


async def test_what_a_call_says_at_its_end_is_not_told_to_who_may_not_see_it_then(site, token, dispatcher, of_a):
    """The transcription that ends the call is the first to tell that the agent is another one."""
    await limit(dispatcher, "agent_a")

    def end():
        of_a.agent_id, of_a.status, of_a.final_sequence_number = "agent_b", "completed", 0
        of_a.transcript_summary = "not for everybody"
        of_a.save()

    async with site.socket(token) as socket:
        await socket.subscribe(of_a.call_sid)
        await in_database(end)()
        assert ((lost := await socket.next(5))["type"], lost["code"]) == LOST
        assert await socket.hears_nothing()


async def test_each_set_of_agents_has_its_list_its_totals_and_its_changes(
    site, token, dispatcher, supervisor_token, of_a, of_b, of_nobody
):
    await limit(dispatcher, "agent_a")
    async with watching(site, token) as limited, watching(site, supervisor_token) as unlimited:
        snapshot, whole = await limited.next(), await unlimited.next()
        assert [call["call_sid"] for call in snapshot["calls"]] == [of_a.call_sid]
        assert snapshot["totals"] == {"in_progress": 1, "ended": 0, "counted_up_to": 10_000}
        assert len(whole["calls"]) == whole["totals"]["in_progress"] == 3
        for call in (of_b, of_nobody, of_a):
            await say(call)
        heard = await limited.next()
        assert (heard["type"], heard["number"], heard["call"]["call_sid"]) == ("call_changed", 2, of_a.call_sid)
        assert {(await unlimited.next())["call"]["call_sid"] for _ in range(3)} == {
            call.call_sid for call in (of_a, of_b, of_nobody)
        }
        assert await limited.hears_nothing(2.5), "a comparison has passed"


async def test_a_list_that_is_open_follows_its_user_to_other_agents(site, token, dispatcher, of_a, of_b):
    async with watching(site, token) as feed:
        assert len((await feed.next())["calls"]) == 2
        await limit(dispatcher, "agent_b")
        snapshot = await feed.next(5)
        assert (snapshot["type"], snapshot["number"]) == ("snapshot", 2)
        assert [call["call_sid"] for call in snapshot["calls"]] == [of_b.call_sid]
        await feed.send(snapshot=True)
        assert len((await feed.next())["calls"]) == 1
        await unlimit(dispatcher)
        assert len((await feed.next(5))["calls"]) == 2
        await say(of_a)
        assert (await feed.next())["call"]["call_sid"] == of_a.call_sid


async def test_a_subscription_is_in_the_access_log_behind_its_confirmation(site, token, dispatcher, of_a):
    async with site.socket(token) as socket:
        for name in (of_a.call_sid, of_a.conversation_id):
            await socket.subscribe(name)
        async with asyncio.timeout(5):
            while not await AccessLogEntry.objects.aexists():  # noqa: ASYNC110  (another thread writes it)
                await asyncio.sleep(0.05)
    entry = await AccessLogEntry.objects.aget()
    assert (entry.kind, entry.user_name, entry.address) == ("subscription", dispatcher.username, "127.0.0.1")
    assert (entry.call_id, entry.call_sid, entry.conversation_id) == (of_a.pk, of_a.call_sid, of_a.conversation_id)


def test_the_record_of_another_agents_call_is_not_there(admin_client, client, dispatcher, of_a, of_b):
    AgentAccess.objects.create(user=dispatcher, agent_id="agent_a")
    dispatcher.is_staff = True
    dispatcher.save()
    client.force_login(dispatcher)
    assert client.get(reverse("live-record", args=[of_a.call_sid])).status_code == 302
    assert client.get(reverse("live-record", args=[of_b.call_sid])).status_code == 404
    assert admin_client.get(reverse("live-record", args=[of_b.call_sid])).status_code == 302
