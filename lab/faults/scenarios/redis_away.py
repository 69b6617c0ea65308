"""A subscriber gets every turn and the completion, in order, once, whatever happens to Redis."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from lab.faults import history
from lab.faults.play import BROKE_OFF, Fault, Played, play_both
from lab.faults.proxy import Proxy
from lab.faults.site import Site
from lab.faults.table import Row

ORDER = 40
PROMISE = "a subscriber gets every turn and the completion, in order, once"
TURNS_PER_SECOND = 25.0
WEBHOOK_SECONDS = 2.0
QUIET_SECONDS = 2.0  # turns go on for so long after the fault


async def run(site: Site, folder: Path) -> list[Row]:
    rows = []
    callsite, plain = await site.callsite(), await site.plain()
    for name, away_seconds, fault in faults(site, site.to_redis):
        seconds = site.size.of(short=0, long=50) + away_seconds + QUIET_SECONDS
        turns, listeners = int(seconds * 1.5 * TURNS_PER_SECOND), site.size.of(short=8, long=50)
        ours, control = await play_both(
            folder / name.replace(" ", "-"),
            callsite,
            plain,
            turns=turns,
            turns_per_second=TURNS_PER_SECOND,
            subscribers=listeners,
            fault=fault,
        )
        shown_by = f"{name}; {turns} turns, {listeners} subscribers on two processes"
        # A webhook never depends on Redis.
        findings = ours.findings() + history.answered_otherwise(ours.attempts, (200, 201))
        findings += history.answered_slowly(ours.attempts, WEBHOOK_SECONDS)
        rows.append(Row(PROMISE, shown_by, said(ours), findings, said(control) if control else BROKE_OFF))
    return rows


def said(played: Played) -> str:
    return f"{played.figure()}; slowest webhook {played.slowest_webhook_seconds:.1f} s"


def faults(site: Site, proxy: Proxy) -> list[tuple[str, float, Fault]]:
    """Return the faults of Redis: name, how long Redis is away, and the function."""

    async def kill_for(seconds: float) -> None:
        await asyncio.to_thread(site.redis.kill)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(site.redis.start)

    async def flush() -> None:
        await asyncio.to_thread(site.redis.command, "FLUSHALL")

    async def kill_clients() -> None:
        for kind in ("normal", "pubsub"):
            await asyncio.to_thread(site.redis.command, "CLIENT", "KILL", "TYPE", kind)

    async def blackhole(seconds: float) -> None:
        proxy.blackhole()
        await asyncio.sleep(seconds)
        proxy.restore()

    away = [0.2, 2.0] if site.size.scale is None else [0.2, 2.0, 30.0]
    hole = 4.0 if site.size.scale is None else 20.0
    return [
        *((f"Redis killed, {seconds:g} s away", seconds, partial(kill_for, seconds)) for seconds in away),
        ("FLUSHALL", 0.0, flush),
        ("CLIENT KILL", 0.0, kill_clients),
        (f"Redis blackholed {hole:g} s", hole, partial(blackhole, hole)),
    ]
