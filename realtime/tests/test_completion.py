"""How a call ends for who listens: the pair, once, whole, and nothing after it."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from calls.models import Call
from calls.turns import record_turn
from realtime.tests.conftest import in_database

PAIR = ["call_status", "call_completed"]


def types(messages):
    return [message["type"] for message in messages]


async def test_the_pair_tells_the_whole_result(site, talk, token):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        body = await talk.end()
        status, completed = await socket.take(2)
    ids = {"call_sid": talk.call.call_sid, "conversation_id": talk.call.conversation_id}
    in_api = site.api("GET", f"/api/calls/{talk.call.call_sid}/", token).json()
    assert status == {**ids, "type": "call_status", "status": "completed", "call_end_time": "2025-02-14T12:48:17Z"}
    assert completed == {
        **ids,
        "type": "call_completed",
        "call_data": {
            **ids,
            "status": "completed",
            "driver_id": "DRV_1",
            "call_start_time": in_api["call_start_time"],
            "call_end_time": "2025-02-14T12:48:17Z",
            "duration_seconds": 22,
            "transcript_summary": body["data"]["analysis"]["transcript_summary"],
            "cost": 296,
            "call_successful": True,
            "analysis_data": body["data"]["analysis"],
            "metadata": body["data"]["metadata"],
        },
    }


@pytest.mark.parametrize("sample", ["failure_sip", "transcription_status_failed"])
async def test_a_call_that_failed_ends_with_a_pair_that_says_so(site, talk, token, sample):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await talk.end(sample)
        status, completed = await socket.take(2)
        assert types([status, completed]) == PAIR
        assert (status["status"], completed["call_data"]["status"]) == ("failed", "failed")
        assert await socket.hears_nothing()


async def test_a_result_far_larger_than_what_a_client_may_send_arrives_whole(site, talk, token):
    summary = "words and words " * 60_000

    def end():
        call = talk.call
        call.refresh_from_db()
        call.status, call.final_sequence_number, call.transcript_summary = "completed", 0, summary
        call.save()

    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await in_database(end)()
        assert (await socket.take(2))[1]["call_data"]["transcript_summary"] == summary


async def test_the_pair_comes_once_whatever_is_told_of_the_call_later(site, talk, token, hub):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        for sample in ("failure_sip", "transcription_docs_sample", "transcription_docs_sample", "audio_small_mp3"):
            await talk.end(sample)
        assert types(await socket.take(2)) == PAIR
        assert await socket.hears_nothing(3)  # longer than a sweep
        assert not hub.topics


async def test_the_pair_comes_once_to_each_of_many_sockets(site, talk, token):
    async with site.socket(token) as a, site.socket(token) as b, site.socket(token) as c:
        for socket in (a, b, c):
            await socket.subscribe(talk.call.call_sid)
        await talk.say("bye")
        await talk.end()
        for socket in (a, b, c):
            assert types(await socket.take(3)) == ["transcription", *PAIR]
            assert await socket.hears_nothing(0.2)


async def test_a_turn_that_comes_after_the_end_is_stored_and_pushed_to_nobody(site, talk, token):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        await talk.say("bye")
        await talk.end()
        await talk.say("too late")
        assert types(await socket.take(3)) == ["transcription", *PAIR]
        assert await socket.hears_nothing(2.5)
    assert await talk.transcript(token) == [(1, "bye"), (2, "too late")]


async def test_a_late_turn_is_told_to_who_asks_for_it(site, talk, token):
    await talk.say("bye")
    await talk.end()
    await talk.say("too late")
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid, after=0)
        messages = await socket.take(4)
        assert types(messages) == ["transcription", "transcription", *PAIR]
        assert messages[1]["message_text"] == "too late"


@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_a_call_that_has_ended_is_confirmed_and_nothing_follows_without_after(site, talk, token, status, hub):
    await talk.say("bye")
    await talk.end("transcription_docs_sample" if status == "completed" else "failure_sip")
    async with site.socket(token) as socket:
        confirmed = await socket.subscribe(talk.call.call_sid)
        assert (confirmed["type"], confirmed["status"]) == ("subscription_confirmed", status)
        assert confirmed["last_sequence_number"] == 1
        assert await socket.hears_nothing()
        assert not hub.topics


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_a_call_that_has_ended_gives_every_turn_above_after_then_the_pair(site, talk, token, after, hub):
    await talk.say("hello", "bye")
    await talk.end()
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid, after=after)
        assert types(await socket.take(4 - after)) == ["transcription"] * (2 - after) + PAIR
        assert await socket.hears_nothing()
        assert not hub.topics


async def test_a_reset_of_a_call_that_has_ended_is_complete_too(site, talk, token):
    await talk.say("bye")
    await talk.end()
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid, after=9)
        assert types(await socket.take(4)) == ["reset", "transcription", *PAIR]


async def test_subscribing_again_after_the_end_is_a_new_subscription(site, talk, token):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid, after=0)
        await talk.end()
        assert types(await socket.take(2)) == PAIR
        await socket.subscribe(talk.call.call_sid, after=0)
        assert types(await socket.take(2)) == PAIR


async def test_turns_and_the_end_from_many_threads_at_once_are_all_heard_in_order(site, call, token):
    """Whatever won the race for the call's row: the turns up to the end, then the pair."""
    async with site.socket(token) as socket:
        await socket.subscribe(call.call_sid)
        speak = in_database(partial(record_turn, call), thread_sensitive=False)
        await asyncio.gather(*(speak(speaker_type="agent", message_text=str(n)) for n in range(20)))
        heard = await socket.take(20)
        assert [m["sequence_number"] for m in heard] == list(range(1, 21))
        await in_database(lambda: Call.objects.get(pk=call.pk))()
    stored = await in_database(lambda: list(call.transcriptions.values_list("sequence_number", "message_text")))()
    assert [(m["sequence_number"], m["message_text"]) for m in heard] == stored
