"""A subscriber and its call, over real sockets."""

from __future__ import annotations

import asyncio

from conftest import payload


async def test_each_turn_reaches_the_subscriber_in_order_then_the_pair(site, call, token):
    async with site.socket(token) as socket:
        confirmed = await socket.subscribe(call.conversation_id)
        assert confirmed["type"] == "subscription_confirmed"
        assert confirmed["call_sid"] == call.call_sid
        for text in ("one", "two"):
            response = await asyncio.to_thread(site.turn, call_sid=call.call_sid, speaker="user", message=text)
            assert response.status_code == 201
        assert [(m["sequence_number"], m["message_text"]) for m in await socket.take(2)] == [(1, "one"), (2, "two")]
        body = payload("transcription_docs_sample", call.conversation_id)
        assert (await asyncio.to_thread(site.post_call, body)).status_code == 200
        assert [m["type"] for m in await socket.take(2)] == ["call_status", "call_completed"]
        assert await socket.hears_nothing()
