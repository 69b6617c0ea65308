"""The scale of one machine: idle sockets stay connected, and all are live soon after all reconnect at once."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from lab.faults import database
from lab.faults.database import CallIds, in_database
from lab.faults.history import Finding
from lab.faults.journal import Journal
from lab.faults.play import BROKE_OFF, Played, beside, listening, read_back
from lab.faults.senders import Sender
from lab.faults.site import Pair, Site
from lab.faults.subscribers import Subscriber, all_done
from lab.faults.table import Row

ORDER = 90
SOCKETS_A_CALL = 25


async def run(site: Site, folder: Path) -> list[Row]:
    sockets, idle_seconds = site.size.of(short=300, long=5000), site.size.of(short=7, long=60)
    limit_seconds = 5 + sockets / 50
    callsite, plain = await site.callsite(), await site.plain()
    (ours, dropped, live_seconds), of_control = await beside(
        reconnect(folder / "callsite", callsite, sockets, idle_seconds),
        reconnect(folder / "plain", plain, sockets, idle_seconds),
    )
    said_of_control = BROKE_OFF
    if of_control:
        control, control_dropped, control_seconds = of_control
        said_of_control = f"dropped: {control_dropped}; {control_seconds:.1f} s; {control.share()} messages"
    findings = ours.findings(bound_seconds=limit_seconds)
    if dropped:
        findings.append(Finding("dropped", "idle sockets", f"{dropped} of {sockets}"))
    if live_seconds > limit_seconds:
        findings.append(Finding("not live", "sockets", f"after {live_seconds:.1f} s"))
    return [
        Row(
            "scale of one machine",
            f"{sockets:,} sockets idle for {idle_seconds} s, then all reconnect at once while turns are said",
            f"dropped: {dropped}; all live after {live_seconds:.1f} s; {ours.share()} messages",
            findings,
            said_of_control,
        )
    ]


async def reconnect(folder: Path, pair: Pair, count: int, idle_seconds: float) -> tuple[Played, int, float]:
    """Send one turn per call, wait, send another while all sockets reconnect, and end the calls.

    Return the history, the number of sockets that were lost while idle, and the seconds from the cut until the last one
    was live again.
    """
    calls = await in_database(lambda: database.register_calls(max(1, count // SOCKETS_A_CALL)))
    token = await in_database(database.new_token)
    with Journal(folder / "senders.jsonl") as sent, Journal(folder / "subscribers.jsonl") as heard:
        sockets = [
            Subscriber(heard, f"socket-{i}", pair.sockets[i % 2], token, [calls[i % len(calls)]]) for i in range(count)
        ]
        async with listening(sockets), Sender(sent, pair.urls) as sender:
            await say(sender, calls, "before")
            await asyncio.sleep(idle_seconds)
            dropped = sum(one.losses for one in sockets)
            cut_at = time.time()
            for one in sockets:
                one.live.clear()
                one.cut()
            await say(sender, calls, "meanwhile")
            async with asyncio.timeout(120):
                await asyncio.gather(*(one.live.wait() for one in sockets))
            live_seconds = max(one.live_at for one in sockets) - cut_at
            await say(sender, calls, "after")
            await asyncio.gather(*(sender.end(call) for call in calls))
            await all_done(sockets, 5 + count / 200)
    return await read_back(folder, calls), dropped, live_seconds


async def say(sender: Sender, calls: list[CallIds], what: str) -> None:
    await asyncio.gather(*(sender.turn(call, f"{call.call_sid}-{what}") for call in calls))
