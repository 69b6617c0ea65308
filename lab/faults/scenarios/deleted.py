"""Turns and calls that are deleted while subscribers listen leave nobody waiting."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from lab.faults import database, history
from lab.faults.database import CallIds, in_database
from lab.faults.history import Finding, Heard
from lab.faults.journal import Journal
from lab.faults.play import BOUND_SECONDS, NOISE_SECONDS, listening
from lab.faults.senders import Sender
from lab.faults.site import Site
from lab.faults.subscribers import Subscriber, all_done
from lab.faults.table import Row

ORDER = 46
PROMISE = "deleted turns and calls leave nobody waiting"
PAUSE_SECONDS = 0.05


async def run(site: Site, folder: Path) -> list[Row]:
    """Send half of the turns, delete three of them (one is the newest), and send the rest to all listeners."""
    pair = await site.callsite()
    turns, count = site.size.of(short=20, long=400), site.size.of(short=4, long=40)
    speaking, gone = await in_database(lambda: database.register_calls(2))
    token = await in_database(database.new_token)
    deleted = (3, turns // 4, turns // 2)
    with Journal(folder / "senders.jsonl") as sent, Journal(folder / "subscribers.jsonl") as heard:
        both = [Subscriber(heard, f"both-{i}", pair.sockets[i % 2], token, [speaking, gone]) for i in range(count)]
        async with listening(both), Sender(sent, pair.urls, patience_seconds=5) as sender:
            await say(sender, [speaking, gone], range(1, turns // 2 + 1))
            await in_database(lambda: database.delete_turns(speaking, deleted))
            await in_database(lambda: database.delete_call(gone))
            deleted_at = time.time()
            # These subscribe from the first turn on; a hub could wait for the deleted turns.
            late = [Subscriber(heard, f"late-{i}", pair.sockets[i % 2], token, [speaking]) for i in range(2)]
            for one in late:
                one.position[speaking.call_sid] = 0
            async with listening(late):
                await say(sender, [speaking], range(turns // 2 + 1, turns + 1))
                of_nobody = await sender.turn(gone, "after the end of all", once=True)
                await sender.end(speaking)
                await all_done(late, BOUND_SECONDS + NOISE_SECONDS)
                await asyncio.sleep(max(0.0, deleted_at + BOUND_SECONDS + NOISE_SECONDS - time.time()))
    everything_heard = history.heard_in(folder / "subscribers.jsonl")
    delays = history.delays(history.attempts_in(folder / "senders.jsonl"), everything_heard)
    delays = [(seconds, one) for seconds, one in delays if one.who.startswith("both")]  # "late" asks for old turns
    findings = history.late(delays, BOUND_SECONDS + NOISE_SECONDS)
    told = {one.who: one.at - deleted_at for one in everything_heard if one.what == "error"}
    if len(told) < count:
        findings.append(Finding("not told", gone.call_sid, f"{len(told)} of {count} listeners"))
    if of_nobody.status not in (404, 201):
        findings.append(Finding("answered otherwise", gone.call_sid, f"{of_nobody.status}"))
    said = set(range(1, turns + 1))
    for subscribers, wanted in ((both, said), (late, said - set(deleted))):
        findings += [finding for one in subscribers for finding in wrong(one, speaking, everything_heard, wanted)]
    return [
        Row(
            PROMISE,
            f"{len(deleted)} of {turns} turns deleted, and a call, while {count} listen; 2 come afterwards, after: 0",
            f"told of the call's end after {max(told.values(), default=0):.1f} s; worst delay"
            f" {max(seconds for seconds, _ in delays):.1f} s",
            findings,
        )
    ]


async def say(sender: Sender, calls: list[CallIds], numbers: range) -> None:
    for number in numbers:
        await asyncio.gather(*(sender.turn(call, f"{call.call_sid}-{number}") for call in calls))
        await asyncio.sleep(PAUSE_SECONDS)


def wrong(subscriber: Subscriber, call: CallIds, heard: list[Heard], wanted: set[int]) -> list[Finding]:
    """Find what this subscriber did not hear as wanted: these turns in order, then the call's end."""
    own = [one for one in heard if (one.who, one.call) == (subscriber.who, call.call_sid)]
    numbers = [one.number for one in own if one.what == "turn"]
    if numbers == sorted(wanted) and [one.what for one in own][-2:] == ["call_status", "call_completed"]:
        return []
    missing, more = sorted(wanted - set(numbers)), sorted(set(numbers) - wanted)
    return [Finding("heard otherwise", subscriber.who, f"missing {missing[:5]}, more {more[:5]}; {own[-1].what}")]
