"""One user's many reads make no other user wait: the order in which reads begin, and the same over real sockets."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack

import pytest
from django.contrib.auth import get_user_model
from rest_framework_simplejwt.tokens import AccessToken

from calls.models import Call
from calls.turns import record_turn
from realtime import replay
from realtime.fair_queue import FairQueue
from realtime.tests.conftest import in_database, until


class Readers:
    """Reads of users on a queue for so many threads; each goes on until it is told to end."""

    def __init__(self, threads=4):
        self.queue, self.begun = FairQueue(threads), []

    async def ask(self, *users, page=False):
        tasks = [asyncio.create_task(self._wait(user, page)) for user in users]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return tasks

    async def _wait(self, user, page):
        await self.queue.take(user, page=page)
        self.begun.append(user)

    async def end(self, *users, page=False):
        for user in users:
            self.queue.give_back(user, page=page)
            await asyncio.sleep(0)


async def test_a_user_has_at_most_half_of_the_threads_and_the_next_user_is_served_at_once():
    readers = Readers()
    await readers.ask(*"aaaaa")
    assert readers.begun == [*"aa"]
    await readers.ask("b")
    assert readers.begun == [*"aab"]
    await readers.end("b", "a")
    assert readers.begun == [*"aaba"]


async def test_a_user_reads_one_page_at_a_time_and_can_look_up_meanwhile():
    readers = Readers()
    await readers.ask(*"aab", page=True)
    assert readers.begun == [*"ab"]
    await readers.ask(*"aa")
    assert readers.begun == [*"aba"]
    await readers.end("a", page=True)
    assert readers.begun == [*"abaa"], "the look-up first"
    await readers.end("a")
    assert readers.begun == [*"abaaa"]


async def test_users_take_turns_in_the_order_in_which_they_came():
    readers = Readers(threads=4)
    await readers.ask(*"xxy")
    await readers.ask(*"aaabbcd")
    del readers.begun[:]
    await readers.end("x")
    while len(readers.begun) < 7:
        await readers.end(readers.begun[-1])
    assert readers.begun == [*"abcdaba"]


async def test_look_ups_go_before_pages_and_neither_has_all_threads():
    readers = Readers()
    await readers.ask(*"abcdef", page=True)
    assert readers.begun == [*"abc"]
    await readers.ask(*"ghij")
    assert readers.begun == [*"abcg"]
    await readers.end("a", page=True)
    await readers.end("b", page=True)
    assert readers.begun == [*"abcghi"]
    await readers.end("c", page=True)
    assert readers.begun == [*"abcghid"], "look-ups leave one thread to pages"


async def test_who_goes_away_while_waiting_gets_no_place_and_holds_up_nobody():
    readers = Readers()
    *_, gone, _ = await readers.ask(*"aabcd")
    gone.cancel()
    await asyncio.sleep(0)
    await readers.end("b")
    assert readers.begun == [*"aabd"]
    await readers.end(*"aad")
    assert not readers.queue._by_user


async def test_who_goes_away_at_the_moment_of_being_admitted_gives_the_place_back():
    readers = Readers()
    *_, gone = await readers.ask(*"aabc")
    readers.queue.give_back("b", page=False)  # c is admitted
    gone.cancel()
    await asyncio.sleep(0)
    assert readers.begun == [*"aab"]
    assert dict(readers.queue._by_user) == {"a": 2}


@pytest.fixture
def pages(monkeypatch):
    """Reads of pages stop until the event is set; by call."""
    read, may_go_on, begun = replay._read, {}, []

    def slowly(call_id, *args):
        begun.append(call_id)
        if call_id in may_go_on:
            assert may_go_on[call_id].wait(20)
        return read(call_id, *args)

    monkeypatch.setattr(replay, "_read", slowly)
    yield may_go_on, begun
    for event in may_go_on.values():
        event.set()


@in_database
def said(call_sid):
    call = Call.register(call_sid=call_sid)
    record_turn(call, speaker_type="agent", message_text="Hello")
    return call


@in_database
def token_of(name):
    return str(AccessToken.for_user(get_user_model().objects.create_superuser(name)))


async def test_a_user_whose_replays_are_slow_keeps_no_other_user_waiting(site, token, hub, pages, settings):
    may_go_on, begun = pages
    long, short = await said("EL_long"), await said("EL_short")
    may_go_on[long.pk] = threading.Event()
    async with AsyncExitStack() as mine:
        for _ in range(6):
            socket = await mine.enter_async_context(site.socket(token))
            await socket.subscribe("EL_long", after=0)
        await until(lambda: begun)
        other = await mine.enter_async_context(site.socket(await token_of("other")))
        await other.subscribe("EL_short", after=0)
        assert (await other.next())["message_text"] == "Hello"
        assert begun == [long.pk, short.pk]
        may_go_on[long.pk].set()
        await until(lambda: begun.count(long.pk) == 6)


async def test_of_replays_that_a_socket_asked_for_again_only_the_last_is_read(site, token, hub, pages, settings):
    settings.WS_MAX_MESSAGES_PER_SECOND = 0
    may_go_on, begun = pages
    call = await said("EL_again")
    may_go_on[call.pk] = threading.Event()
    async with site.socket(token) as socket:
        for _ in range(30):
            await socket.subscribe("EL_again", after=0)
        may_go_on[call.pk].set()
        assert (await socket.next())["message_text"] == "Hello"
        assert await socket.hears_nothing()
        assert len(begun) == 2
