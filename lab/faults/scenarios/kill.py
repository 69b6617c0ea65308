"""A webhook that was answered 2xx is stored exactly once, even if its process is killed again and again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lab.faults import database, history
from lab.faults.database import CallIds, in_database
from lab.faults.history import Finding
from lab.faults.journal import Journal
from lab.faults.play import BOUND_SECONDS, NOISE_SECONDS, listening, read_back
from lab.faults.senders import Sender
from lab.faults.site import Pair, Site
from lab.faults.subscribers import Subscriber, all_done
from lab.faults.table import Row

ORDER = 10
SENDERS = 12
TURNS = 4  # of each call, then its end


async def run(site: Site, folder: Path) -> list[Row]:
    kills, webhooks = site.size.of(short=3, long=50), site.size.of(short=400, long=5000)
    pair = await site.callsite()
    calls = await in_database(lambda: database.register_calls(webhooks // (TURNS + 1)))
    token = await in_database(database.new_token)
    waiting = list(calls)
    killed: list[int] = []

    async def speak(sender: Sender) -> None:
        while waiting:
            await speak_call(sender, waiting.pop())

    with Journal(folder / "senders.jsonl") as sent, Journal(folder / "subscribers.jsonl") as heard:
        listener = Subscriber(heard, "on the other process", pair.sockets[1], token, calls)
        async with listening([listener]), Sender(sent, pair.urls) as sender:
            killer = asyncio.create_task(kill_often(pair, sender, kills, webhooks, killed))
            await asyncio.gather(*(speak(sender) for _ in range(SENDERS)))
            await killer
            await all_done([listener], BOUND_SECONDS + NOISE_SECONDS)
    played = await read_back(folder, calls)
    missing = history.acknowledged_but_missing(played.attempts, played.stored)
    twice = history.stored_twice(played.stored)
    unanswered = sum(attempt.status == 0 for attempt in played.attempts)
    # A webhook that is retried elsewhere is acknowledged once the listener has heard of it, or soon will.
    findings = played.findings(bound_seconds=BOUND_SECONDS + NOISE_SECONDS)
    findings += history.answered_otherwise(played.attempts, (0, 200, 201))
    if len(killed) < kills or not unanswered:
        findings.append(Finding("not shown", "kill", f"{len(killed)} kills, {unanswered} webhooks without an answer"))
    acknowledged = sum(attempt.acknowledged for attempt in played.attempts)
    return [
        Row(
            "a webhook answered 2xx is in the database",
            f"kill -9 of the web process {len(killed)} times during {acknowledged:,} signed webhooks; senders retry",
            f"acknowledged and missing: {len(missing)}; duplicates: {len(twice)}; "
            f"{unanswered} had to be sent again; a listener elsewhere: {played.figure()}",
            findings,
        )
    ]


async def speak_call(sender: Sender, call: CallIds) -> None:
    for i in range(TURNS):
        await sender.turn(call, f"{call.call_sid}-{i}")
    await sender.end(call)


async def kill_often(pair: Pair, sender: Sender, kills: int, webhooks: int, killed: list[int]) -> None:
    """Kill process 0 each time another share of the webhooks was acknowledged, so that all kills happen under load."""
    for i in range(kills):
        await sender.has_acknowledged(int(webhooks * i / (kills + 1) * 0.9))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(pair.webs[0].kill)
        killed.append(sender.acknowledged)
        await asyncio.to_thread(pair.webs[0].start)
