"""Nothing is half-written: PostgreSQL stopped in immediate mode under load, and connections cut inside COMMIT."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from lab.faults import database, history
from lab.faults.database import CallIds, in_database
from lab.faults.history import Finding
from lab.faults.journal import Journal
from lab.faults.play import Played, read_back
from lab.faults.proxy import Proxy, Verdict
from lab.faults.senders import Sender
from lab.faults.site import Site
from lab.faults.table import Row

ORDER = 20
PROMISE = "nothing half-written"
TURNS = 4
SENDERS = 8
AWAY_SECONDS = 3.5  # longer than a webhook waits for a connection


async def run(site: Site, folder: Path) -> list[Row]:
    return [await stopped(site, folder / "stopped"), await cut_in_commit(site, folder / "cut-in-commit")]


async def speak(sender: Sender, waiting: list[CallIds]) -> None:
    while waiting:
        call = waiting.pop()
        for i in range(TURNS):
            await sender.turn(call, f"{call.call_sid}-{i}")
        await sender.end(call)


async def stopped(site: Site, folder: Path) -> Row:
    """While PostgreSQL is away every webhook gets 500; before and after, every webhook gets 2xx."""
    times = site.size.of(short=2, long=10)
    pair = await site.callsite()
    calls = await in_database(lambda: database.register_calls(site.size.of(short=500, long=5000)))
    used: list[CallIds] = []
    away: list[tuple[float, float]] = []
    over = asyncio.Event()

    async def speak_until_over(sender: Sender) -> None:
        while calls and not over.is_set():
            used.append(calls.pop())
            await speak(sender, [used[-1]])

    with Journal(folder / "senders.jsonl") as sent, Journal(folder / "subscribers.jsonl"):
        async with Sender(sent, pair.urls) as sender:
            speakers = [asyncio.create_task(speak_until_over(sender)) for _ in range(SENDERS)]
            for _ in range(times):
                await asyncio.sleep(1.5)
                await asyncio.to_thread(site.postgres.stop, immediate=True)
                stopped_at = time.time()
                await asyncio.sleep(AWAY_SECONDS)
                away.append((stopped_at, time.time()))
                await asyncio.to_thread(site.postgres.start)
            await asyncio.sleep(1.5)
            over.set()
            await asyncio.gather(*speakers)
    played = await read_back(folder, used)
    refused = sum(attempt.status == 500 for attempt in played.attempts)
    findings = nothing_half_written(played)
    findings += history.answered_otherwise(played.attempts, (200, 201, 500))
    findings += history.answered_otherwise(played.attempts, (500,), during=away)
    if not refused:
        findings.append(Finding("not shown", "PostgreSQL", "no webhook met a database that was away"))
    return Row(
        PROMISE,
        f"PostgreSQL stopped in immediate mode {times} times, {AWAY_SECONDS:g} s away, under load",
        figure(played) + f"; {refused} answers 500 while it was away, none else",
        findings,
    )


async def cut_in_commit(site: Site, folder: Path) -> Row:
    """Cut every fifth COMMIT's connection: alternately before PostgreSQL gets it, and before its answer comes."""
    webhooks = site.size.of(short=100, long=3000)
    commits = 0

    def judge(data: bytes) -> Verdict:
        nonlocal commits
        if b"COMMIT" not in data:
            return "pass"
        commits += 1
        return ("cut before", "cut after")[commits // 5 % 2] if commits % 5 == 0 else "pass"

    async with Proxy(site.postgres.port, judge=judge) as proxy:
        url = site.postgres.url.replace(f":{site.postgres.port}/", f":{proxy.port}/")
        calls = await in_database(lambda: database.register_calls(webhooks // (TURNS + 1)))
        with Journal(folder / "senders.jsonl") as sent, Journal(folder / "subscribers.jsonl"):
            async with site.pair(env={"DATABASE_URL": url}, count=1) as pair, Sender(sent, pair.urls) as sender:
                waiting = list(calls)
                await asyncio.gather(*(speak(sender, waiting) for _ in range(SENDERS)))
        cuts = proxy.cuts
    played = await read_back(folder, calls)
    findings = nothing_half_written(played) + history.answered_otherwise(played.attempts, (200, 201, 500))
    if not cuts:
        findings.append(Finding("not shown", "COMMIT", "no connection was cut"))
    return Row(
        PROMISE,
        f"{cuts} connections cut inside COMMIT, before PostgreSQL had it or before its answer came",
        figure(played),
        findings,
    )


def nothing_half_written(played: Played) -> list[Finding]:
    return [
        *history.acknowledged_but_missing(played.attempts, played.stored),
        *history.stored_twice(played.stored),
        *history.not_one_to_n(played.stored),
        *(Finding("never stored", call.call, call.status) for call in played.stored if call.status == "in_progress"),
    ]


def figure(played: Played) -> str:
    acknowledged = [attempt for attempt in played.attempts if attempt.acknowledged]
    gaps = history.not_one_to_n(played.stored)
    missing = history.acknowledged_but_missing(played.attempts, played.stored)
    return (
        f"{len(acknowledged):,} webhooks acknowledged, {len(missing)} missing; "
        f"of {len(played.stored)} calls {len(gaps)} are not numbered 1..n"
    )
