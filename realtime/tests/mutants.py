"""Patches that each take one safeguard out of callsite, in one place."""

from __future__ import annotations

import asyncio

from calls.models import CallQuerySet
from calls.postgres import turns
from realtime import replay
from realtime.heard import Heard
from realtime.hub import Hub
from realtime.subscriptions import Topic


def sweep(patch):
    """Stop the hub's regular comparison with the database."""

    async def rest(hub):
        await asyncio.sleep(3600)

    patch.setattr(Hub, "_sweep", rest)


def gap_fill(patch):
    """Ignore a number that skips others, and read nothing for the gap."""
    advance = Topic.advance

    async def overlook(topic, number, text):
        return (True, []) if number > topic.head + 1 else await advance(topic, number, text)

    patch.setattr(Topic, "advance", overlook)


def dedupe(patch):
    """Serve a number again that was served already."""
    advance, advance_as_read = Topic.advance, Topic.advance_as_read

    async def repeat(topic, number, text):
        if number <= topic.head:
            for subscription in topic.subscriptions:
                subscription.serve(number, text)
            return True, []
        return await advance(topic, number, text)

    async def repeat_as_read(topic, number, text):
        if number <= topic.head:
            return (await repeat(topic, number, text))[1]
        return await advance_as_read(topic, number, text)

    patch.setattr(Topic, "advance", repeat)
    patch.setattr(Topic, "advance_as_read", repeat_as_read)


def join_first(patch):
    """Confirm the state that was read before the layer knew this process, instead of after."""
    find, found = replay.find, {}

    async def find_and_keep(identifier):
        state = await find(identifier)
        found[state.call_id] = state
        return state

    async def what_was_found(call_id):
        return found[call_id]

    patch.setattr(replay, "find", find_and_keep)
    patch.setattr(replay, "state", what_was_found)


def heard_early(patch):
    """Forget at once the messages of a call that nobody listens to yet."""
    patch.setattr(Heard, "note", lambda heard, call_id: None)


def row_lock(patch):
    """Read a turn's call without locking its row."""
    patch.setattr(turns, "RECORD_TURNS", turns.RECORD_TURNS.replace("FOR NO KEY UPDATE", ""))
    patch.setattr(CallQuerySet, "select_for_update", lambda calls, **_: calls)
