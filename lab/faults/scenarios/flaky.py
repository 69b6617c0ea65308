"""A flaky client loses nothing: each is cut for 2 s in every 10 s, and resumes behind the last turn it has.

This is the scenario in which AnyCable publishes 100 %, Socket.IO 84.6 % and uWebSockets 87.0 %.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from pathlib import Path

from lab.faults.history import Finding
from lab.faults.play import BROKE_OFF, Played, beside, play
from lab.faults.proxy import Proxy
from lab.faults.site import SOCKET_PATH, Pair, Site
from lab.faults.table import Row

ORDER = 70
EVERY_SECONDS, AWAY_SECONDS = 10.0, 2.0
TURNS_PER_SECOND = 10.0


async def run(site: Site, folder: Path) -> list[Row]:
    clients, cuts = site.size.of(short=20, long=100), site.size.of(short=2, long=12)
    callsite, plain = await site.callsite(), await site.plain()
    ours, control = await beside(
        with_flaky_clients(folder / "callsite", callsite, clients, cuts),
        with_flaky_clients(folder / "plain", plain, clients, cuts),
    )
    findings = ours.findings(bound_seconds=math.inf)  # a client that is cut hears messages when it is back
    happened = sum(one.what == "lost" for one in ours.heard)
    if happened < clients * cuts:
        findings.append(Finding("not shown", "cuts", f"{happened} of {clients * cuts}"))
    return [
        Row(
            "a flaky client loses nothing",
            f"{clients} clients, each cut for {AWAY_SECONDS:g} s every {EVERY_SECONDS:g} s, {cuts} times",
            f"{ours.share()} messages",
            findings,
            f"{control.share()} messages" if control else BROKE_OFF,
        )
    ]


async def with_flaky_clients(folder: Path, pair: Pair, clients: int, cuts: int) -> Played:
    """Give each client a proxy of its own, and cut them one after the other."""
    async with contextlib.AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(Proxy(pair.webs[i % len(pair.webs)].port)) for i in range(clients)]

        async def flake(line: Proxy, first_seconds: float) -> None:
            await asyncio.sleep(first_seconds)
            for _ in range(cuts):
                await line.cut_for(AWAY_SECONDS)
                await asyncio.sleep(EVERY_SECONDS - AWAY_SECONDS)

        async def all_flake() -> None:
            spread = EVERY_SECONDS - AWAY_SECONDS
            await asyncio.gather(*(flake(line, spread * i / clients) for i, line in enumerate(lines)))

        seconds = EVERY_SECONDS * (cuts + 1) - AWAY_SECONDS
        return await play(
            folder,
            pair,
            turns=int(seconds * TURNS_PER_SECOND),
            turns_per_second=TURNS_PER_SECOND,
            subscribers=clients,
            fault=all_flake,
            fault_from_turn=1,
            sockets=[f"ws://127.0.0.1:{line.port}{SOCKET_PATH}" for line in lines],
        )
