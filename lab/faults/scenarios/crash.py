"""A crash between commit and push is harmless: what was committed is delivered late, by at most 3 s."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

from lab.faults import database
from lab.faults.database import CallIds, in_database
from lab.faults.failpoint import ARMED, VARIABLE
from lab.faults.history import Finding
from lab.faults.journal import Journal
from lab.faults.play import BOUND_SECONDS, BROKE_OFF, NOISE_SECONDS, Played, beside, listening, read_back
from lab.faults.senders import Sender, completion
from lab.faults.site import PLAIN, Pair, Site
from lab.faults.subscribers import Subscriber, all_done
from lab.faults.switch import Switch
from lab.faults.table import Row

ORDER = 60
SETTLED_SECONDS = 0.6  # by then the hub has compared a new subscription with the database; that is not tested here
BOUND = BOUND_SECONDS + NOISE_SECONDS


async def run(site: Site, folder: Path) -> list[Row]:
    crashes = site.size.of(short=3, long=20)
    application = site.application if site.broken else "lab.faults.crash:application"
    (ours, delays), control = await beside(
        crash_often(site, folder / "callsite", application, crashes),
        crash_often(site, folder / "plain", PLAIN, (crashes + 1) // 2),
    )
    worst = max((seconds for _, seconds in delays), default=0)
    findings = ours.findings(bound_seconds=math.inf)  # the crashed process's listener waits for its restart
    findings += [Finding("late", sid, f"{seconds:.2f} s after the crash") for sid, seconds in delays if seconds > BOUND]
    if len(delays) < crashes:
        findings.append(Finding("not shown", "fail point", f"only {len(delays)} crashes, or never delivered"))
    return [
        Row(
            "a crash between commit and push is harmless",
            f"fail point there: {crashes} crashes, in a turn or in the completion; listeners on both processes",
            f"{ours.share()} messages; by the other process {worst:.1f} s after the crash",
            findings,
            f"{control[0].share()} messages" if control else BROKE_OFF,
        )
    ]


async def crash_often(site: Site, folder: Path, application: str, times: int) -> tuple[Played, list[tuple[str, float]]]:
    """Crash once per call, every second time in its completion.

    Return the seconds from each crash to the other process.
    """
    flag = Switch.new(folder / "fail-point")
    calls = await in_database(lambda: database.register_calls(times))
    token = await in_database(database.new_token)
    crashed_at: dict[str, float] = {}
    with Journal(folder / "senders.jsonl") as sent, Journal(folder / "subscribers.jsonl") as heard:
        async with site.pair(application, {VARIABLE: str(flag.path)}) as pair, Sender(sent, pair.urls) as sender:
            for i, call in enumerate(calls):
                listeners = [
                    Subscriber(heard, f"{who}-{i}", pair.sockets[where], token, [call])
                    for where, who in enumerate(("same", "other"))
                ]
                async with listening(listeners):
                    await asyncio.sleep(SETTLED_SECONDS)
                    await one_crash(sender, pair, flag, call, listeners, in_turn=i % 2 == 0)
                if flag.get() not in ("", ARMED):
                    crashed_at[call.call_sid] = float(flag.get())
                flag.set("")
    played = await read_back(folder, calls)
    in_turn = {call.call_sid for call in calls[::2]}
    delays = [
        (one.call, one.at - crashed_at[one.call])
        for one in played.heard
        if one.who.startswith("other")
        and one.call in crashed_at
        and (one.what, one.number) == (("turn", 2) if one.call in in_turn else ("call_completed", 0))
    ]
    return played, delays


async def one_crash(
    sender: Sender, pair: Pair, flag: Switch, call: CallIds, listeners: list[Subscriber], *, in_turn: bool
) -> None:
    """Let process 0 die after the commit of the second turn, or of the end.

    The sender's retry goes to the other process, which finds the turn in the database and publishes nothing.
    """
    sid, end = call.call_sid, completion(call)
    await sender.turn(call, f"{sid}-1", server=0)
    if in_turn:
        flag.set(ARMED)
        await sender.turn(call, f"{sid}-2", server=0, once=True)
        await asyncio.gather(sender.turn(call, f"{sid}-2", server=1), restart(pair), heard_turn(listeners[1], sid, 2))
        await sender.turn(call, f"{sid}-3", server=1)
        await sender.end(call, end, server=1)
    else:
        await sender.turn(call, f"{sid}-2", server=1)
        flag.set(ARMED)
        await sender.end(call, end, server=0, once=True)
        await asyncio.gather(sender.end(call, end, server=1), restart(pair))
    await all_done(listeners, BOUND + 1)


async def heard_turn(listener: Subscriber, sid: str, number: int) -> None:
    """Wait for a turn. Send nothing meanwhile, because a later turn would reveal the missing one."""
    for _ in range(int(BOUND * 20)):
        if listener.position.get(sid, 0) >= number:
            return
        await asyncio.sleep(0.05)


async def restart(pair: Pair) -> None:
    await asyncio.to_thread(pair.webs[0].kill)
    await asyncio.to_thread(pair.webs[0].start)
