"""The list of calls, over real sockets: a snapshot, then every change, numbered, whatever the channel layer does."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calls.models import Call
from calls.registration import link_conversation
from calls.turns import record_turn
from conftest import Socket, payload
from realtime import feed, feed_queries, hub, publisher
from realtime.auth import Rights
from realtime.messages import ListedCall, Totals
from realtime.send_queue import LIMIT_BYTES, SendQueue


@pytest.fixture
def lost_doorbells(monkeypatch):
    """A channel layer that swallows everything."""

    async def swallow(batch: list[Any]) -> bool:
        return True

    monkeypatch.setattr(publisher, "_send", swallow)


def watching(site, token, path="/ws/calls"):
    return Socket.connect(f"ws://127.0.0.1:{site.port}{path}", token)


def replayed(messages: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What a client holds that has heard these messages; their numbers must have no gap."""
    calls: dict[str, dict[str, Any]] = {}
    first = messages[0]["number"]
    for place, message in enumerate(messages):
        assert message["number"] == first + place
        if message["type"] == "snapshot":
            calls = {call["call_sid"]: call for call in message["calls"]}
        else:
            calls[message["call"]["call_sid"]] = message["call"]
    return calls


async def heard_until(socket, enough, timeout=5.0) -> list[dict[str, Any]]:
    """The messages up to the one that is enough."""
    heard = [await socket.next(timeout)]
    while not enough(heard[-1]):
        heard.append(await socket.next(timeout))
    return heard


async def test_the_list_begins_with_a_snapshot_of_calls_in_progress_newest_first_then_ended_ones(site, token, call):
    post = asyncio.to_thread
    await post(site.turn, call_sid=call.call_sid, speaker="agent", message="x" * 300)
    ended = await post(Call.register, call_sid="ended", conversation_id="conv_ended")
    await post(site.post_call, payload("transcription_docs_sample", ended.conversation_id))
    await post(Call.register, call_sid="newest")
    async with watching(site, token, "/ws/calls/") as socket:
        snapshot = await socket.next()
    assert (snapshot["type"], snapshot["number"]) == ("snapshot", 1)
    assert [shown["call_sid"] for shown in snapshot["calls"]] == ["newest", call.call_sid, "ended"]
    newest, spoken, over = snapshot["calls"]
    assert newest["last_turn"] is None
    assert spoken["last_turn"]["message_text"] == "x" * 200
    assert spoken["last_turn"]["speaker_type"] == "agent"
    assert spoken.keys() == set(ListedCall.__struct_fields__)
    assert over["status"] == "completed"
    assert over["transcript_summary"]
    assert isinstance(over["cost"], int | float)
    assert over["call_end_time"].endswith("Z")


async def test_a_call_that_gets_another_name_or_becomes_one_with_another_is_listed_once(site, token, settings):
    settings.ELEVENLABS_CREATE_UNKNOWN_CALLS = True
    async with watching(site, token) as socket:
        assert (await socket.next())["calls"] == []
        await asyncio.to_thread(site.turn, conversation_id="conv_2", speaker="user", message="hello")
        heard = await heard_until(socket, lambda message: "conv_2" in str(message))
        await asyncio.to_thread(
            site.init, caller_id="+1", agent_id="", called_number="+2", call_sid="CA2", conversation_id="conv_2"
        )
        heard.extend(await heard_until(socket, lambda message: message["type"] == "snapshot"))
        assert [call["call_sid"] for call in heard[-1]["calls"]] == ["CA2"]

        await asyncio.to_thread(site.turn, conversation_id="conv_1", speaker="user", message="hello")
        await asyncio.to_thread(site.init, caller_id="+1", agent_id="", called_number="+2", call_sid="CA1")
        while set(replayed(heard)) != {"CA2", "conv_1", "CA1"}:  # what is read in one round comes in any order
            heard.append(await socket.next())
        await asyncio.to_thread(
            site.init, caller_id="+1", agent_id="", called_number="+2", call_sid="CA1", conversation_id="conv_1"
        )
        heard.extend(await heard_until(socket, lambda message: message["type"] == "snapshot"))
        assert {call["call_sid"] for call in heard[-1]["calls"]} == {"CA1", "CA2"}


async def test_a_call_that_begins_speaks_and_ends_is_told_each_time(site, token):
    async with watching(site, token) as socket:
        assert (await socket.next())["calls"] == []
        begun = time.monotonic()
        await asyncio.to_thread(site.init, caller_id="+1", agent_id="a", called_number="+2", call_sid="CA1")
        message = await socket.next()
        assert time.monotonic() - begun < 1
        assert (message["type"], message["number"]) == ("call_changed", 2)
        assert message["call"]["call_sid"] == "CA1"
        assert message["call"]["from_number"] == "+1"
        await asyncio.to_thread(site.turn, call_sid="CA1", speaker="user", message="hello")
        message = await socket.next()
        assert message["call"]["last_sequence_number"] == 1
        assert message["call"]["last_turn"]["message_text"] == "hello"
        call = await Call.objects.aget(call_sid="CA1")
        await database_sync_to_async(link_conversation)(call, "conv_1")
        await socket.next()
        await asyncio.to_thread(site.post_call, payload("transcription_docs_sample", "conv_1"))
        message = await socket.next()
        assert (message["number"], message["call"]["status"]) == (5, "completed")
        assert await socket.hears_nothing()


async def test_many_turns_at_once_become_few_messages_that_end_in_the_present(site, token, call):
    async with watching(site, token) as one, watching(site, token) as other:
        await one.next(), await other.next()

        def speak():
            for number in range(60):
                record_turn(call, speaker_type="agent", message_text=str(number))

        await asyncio.to_thread(speak)
        for socket in (one, other):
            heard = await heard_until(socket, lambda message: message["call"]["last_sequence_number"] == 60)
            assert len(heard) < 60
            assert replayed(heard)[call.call_sid]["last_turn"]["message_text"] == "59"


async def test_an_asked_snapshot_goes_on_in_the_count(site, token, call):
    async with watching(site, token) as socket:
        await socket.next()
        await socket.send(snapshot=True)
        snapshot = await socket.next()
        assert (snapshot["type"], snapshot["number"], len(snapshot["calls"])) == ("snapshot", 2, 1)


@pytest.mark.parametrize("nonsense", [{"snapshot": 1}, {"snapshot": True, "more": 1}, {"subscribe": "x"}, {}])
async def test_what_it_does_not_understand_it_says(site, token, nonsense):
    async with watching(site, token) as socket:
        await socket.next()
        await socket.send(**nonsense)
        assert (await socket.next())["code"] == "INVALID_MESSAGE_FORMAT"
        await socket.send(ping=[1])
        assert await socket.next() == {"type": "pong", "ping": [1]}


async def test_every_change_comes_within_3_seconds_when_the_layer_loses_all(site, token, call, lost_doorbells):
    async with watching(site, token) as socket:
        assert len((await socket.next())["calls"]) == 1
        for change in (
            lambda: Call.register(call_sid="new"),
            lambda: record_turn(call, speaker_type="agent", message_text="hi"),
            lambda: site.post_call(payload("transcription_docs_sample", call.conversation_id)),
        ):
            await asyncio.to_thread(change)
            changed = await socket.next(3)
            assert changed["type"] == "call_changed"
        assert changed["call"]["status"] == "completed"
        assert await socket.hears_nothing(2.5)


async def test_a_commit_that_becomes_visible_late_is_told(site, on_postgresql, token, call, lost_doorbells):
    """Its `updated_at` and its id are older than those of changes that were told before it."""

    def late_and_early() -> None:
        with transaction.atomic():
            Call.register(call_sid="late", conversation_id="conv_late")
            record_turn(call, speaker_type="agent", message_text="late")
            early = asyncio.run_coroutine_threadsafe(asyncio.to_thread(Call.register, call_sid="early"), loop)
            early.result(5)
            time.sleep(2.5)

    loop = asyncio.get_running_loop()
    async with watching(site, token) as socket:
        await socket.next()
        writing = asyncio.create_task(asyncio.to_thread(late_and_early))
        assert (await socket.next())["call"]["call_sid"] == "early"
        await writing
        assert {(await socket.next(3))["call"]["call_sid"] for _ in range(2)} == {"late", call.call_sid}


async def test_a_call_that_began_and_ended_unheard_is_told(site, token, lost_doorbells):
    async with watching(site, token) as socket:
        await socket.next()

        def whole_call() -> None:
            call = Call.register(call_sid="brief", conversation_id="conv_brief")
            with transaction.atomic():
                call.refresh_from_db()
                call.status, call.final_sequence_number = Call.Status.FAILED, 0
                call.save()

        await asyncio.to_thread(whole_call)
        changed = await heard_until(socket, lambda message: message["call"]["status"] == "failed", 3)
        assert changed[-1]["call"]["call_sid"] == "brief"


async def test_a_deleted_call_leaves_the_list_by_a_snapshot(site, token, call):
    async with watching(site, token) as socket:
        await socket.next()
        await asyncio.to_thread(call.delete)
        totals = {"in_progress": 0, "ended": 0, "counted_up_to": 10_000}
        assert await socket.next(3) == {"type": "snapshot", "number": 2, "totals": totals, "calls": []}


async def test_old_snapshot_and_events_make_the_new_snapshot(site, token):
    async with watching(site, token) as socket:
        first = await socket.next()

        def traffic() -> None:
            for number in range(12):
                call = Call.register(call_sid=f"c{number}", conversation_id=f"conv_{number}")
                for _ in range(number):
                    record_turn(call, speaker_type="driver", message_text="…")
                if number % 3 == 0:
                    site.post_call(payload("transcription_docs_sample", call.conversation_id))

        await asyncio.to_thread(traffic)
        heard = [first]
        while not await_quiet(heard):
            heard.append(await socket.next())
        await asyncio.sleep(0.5)
        await socket.send(snapshot=True)
        heard += await heard_until(socket, lambda message: message["type"] == "snapshot")
        assert replayed(heard[:-1]) == replayed(heard[-1:])


def await_quiet(heard: list[dict[str, Any]]) -> bool:
    calls = replayed(heard)
    return len(calls) == 12 and calls["c11"]["last_sequence_number"] == 11


async def test_only_the_50_that_ended_last_are_in_a_snapshot(site, token):
    def end_sixty() -> None:
        now = timezone.now()
        for number in range(60):
            ended = {"status": "failed", "final_sequence_number": 0, "call_end_time": now - timedelta(days=number)}
            Call.register(call_sid=f"e{number}", **ended)

    await asyncio.to_thread(end_sixty)
    async with watching(site, token) as socket:
        assert [call["call_sid"] for call in (await socket.next())["calls"]] == [f"e{n}" for n in range(50)]


async def test_whoever_may_not_view_calls_is_refused_and_who_loses_the_right_is_closed(site, token, dispatcher):
    async with watching(site, token) as socket:
        await socket.next()
        await database_sync_to_async(dispatcher.user_permissions.clear)()
        assert (await socket.next(5))["code"] == "AUTHENTICATION_FAILED"
        await socket.connection.wait_closed()
        assert socket.connection.close_code == 4401
    with pytest.raises(Exception, match="403"):
        async with watching(site, token):
            pass


@pytest.mark.django_db(transaction=True)
def test_the_list_is_read_in_five_queries_and_the_rows_in_one(call):
    record_turn(call, speaker_type="agent", message_text="hi")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        listed = feed_queries._listing(set(), None)
    assert len(queries) == 5  # in progress, ended last, newest, and the two totals
    with CaptureQueriesContext(connection) as queries:
        list(feed_queries._with_last_turn(Call.objects.filter(pk__in=listed.calls)))
    assert len(queries) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("place", range(5))
def test_a_call_that_begins_while_the_list_is_read_is_on_it_or_not_known(call, place):
    """What is known and not on the list of a snapshot would never be sent."""
    asked = []

    def begin_another(execute, sql, *rest):
        if len(asked) == place:
            asked.append(sql)
            Call.register(driver_id="another")
        asked.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(begin_another):
        listing = feed_queries._listing({call.pk}, None)
    assert len(asked) > place
    assert set(listing.versions) == set(listing.calls)


async def test_totals_count_the_calls_that_are_not_in_the_list_too(site, token, call, monkeypatch):
    def end(number):
        ended = {"status": "failed", "final_sequence_number": 0, "call_end_time": timezone.now()}
        Call.register(call_sid=f"ended_{number}", **ended)

    monkeypatch.setattr(feed_queries, "ENDED_LIMIT", 2)
    monkeypatch.setattr(hub, "HEARTBEAT_SECONDS", 0.5)
    for number in range(3):
        await asyncio.to_thread(end, number)
    async with watching(site, token) as socket:
        snapshot = await socket.next()
        assert snapshot["totals"] == {"in_progress": 1, "ended": 3, "counted_up_to": 10_000}
        assert len(snapshot["calls"]) == 3
        await asyncio.to_thread(end, 3)
        async with asyncio.timeout(10):
            while (heard := json.loads(await socket.connection.recv())).get("totals", {}).get("ended") != 4:
                assert heard["type"] in ("call_changed", "heartbeat")
    monkeypatch.setattr(feed_queries, "COUNTED_UP_TO", 3)
    assert (await feed_queries.listing(set(), None)).totals == Totals(1, 3, 3)


async def test_a_watcher_that_does_not_read_gets_a_snapshot_in_place_of_a_queue():
    written, may_write = [], asyncio.Event()

    async def send(message):
        await may_write.wait()
        written.append(message["text"])

    one = feed.Feed()
    watcher = feed.Watcher(1, Rights("", None), SendQueue(send), lambda _: None, waits=False, number=1)
    one.watchers.add(watcher)
    text = '"' + "x" * (LIMIT_BYTES // 4) + '"'
    version = feed_queries.Version("EL_1", "in_progress", 0, timezone.now())
    for call_id in range(20):
        one._tell([feed_queries.Row(call_id, version, text, "")])
    assert watcher.waits
    assert watcher.number < 8
    may_write.set()
    await asyncio.sleep(0.05)
    assert one._asking == {watcher}
    totals = Totals(20, 0, feed_queries.COUNTED_UP_TO)
    listing = feed_queries.Listing(list(range(20)), frozenset(), {}, totals)
    one._send_snapshot(watcher, listing)
    await asyncio.sleep(0.05)
    assert written[-1].startswith(f'{{"type":"snapshot","number":{watcher.number},"totals":{{"in_progress":20,')
    assert not watcher.waits


async def test_with_nobody_watching_it_reads_nothing(site, token, call, monkeypatch):
    async with watching(site, token) as socket:
        await socket.next()
    await asyncio.sleep(0.3)
    reads = []
    monkeypatch.setattr(feed_queries, "_listing", lambda *known: reads.append(known))
    monkeypatch.setattr(feed_queries, "_with_last_turn", reads.append)
    await asyncio.to_thread(record_turn, call, speaker_type="agent", message_text="hi")
    await asyncio.sleep(2.5)
    assert reads == []
