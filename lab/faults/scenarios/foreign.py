"""Foreign messages in the channel layer do no harm to later messages."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec

from lab.faults import history
from lab.faults.history import Finding
from lab.faults.play import NOISE_SECONDS, play
from lab.faults.site import Pair, Site
from lab.faults.table import Row

ORDER = 45
PROMISE = "a foreign message costs nothing that comes after it"
TURNS_PER_SECOND = 20.0
SETTLED_SECONDS = 2.5  # after the last foreign message
SHARE, DELAY_SECONDS = 0.9, 0.2  # of the turns from then on; a hub that hears nothing needs up to 2 s
NO_BYTES_OF_OURS = (b"", b"\xc1", b"hello", b"\x93\x01", b"\x00" * 100_000)
NO_MESSAGES_OF_OURS: tuple[Any, ...] = (
    7,
    [1, 2],
    {"type": "new kind"},
    {"type": "batch", "from": "another", "messages": 5},
    {"type": "batch", "from": "another", "messages": [None, 7, "x", [], {}, {"type": "turn", "call_id": []}]},
    {"type": "batch", "from": "another", "messages": [{"type": "turn", "call_id": 1, "turn": {}}] * 1000},
)


async def run(site: Site, folder: Path) -> list[Row]:
    pair = await site.callsite()
    rounds, turns = site.size.of(short=2, long=20), site.size.of(short=180, long=1000)
    messages = [*NO_BYTES_OF_OURS, *(msgspec.msgpack.encode(message) for message in NO_MESSAGES_OF_OURS)] * rounds
    heard, over_at = 0, 0.0

    async def fault() -> None:
        nonlocal heard, over_at
        channels = await asyncio.to_thread(site.redis.command, "PUBSUB", "CHANNELS")
        for message in messages:
            for channel in channels:
                heard += await asyncio.to_thread(site.redis.command, "PUBLISH", channel, message)
        over_at = time.time()

    # One process takes the turns, the other has the listeners: with turns of its own it would notice missed ones.
    played = await play(
        folder,
        Pair(pair.webs[:1]),
        turns=turns,
        turns_per_second=TURNS_PER_SECOND,
        subscribers=8,
        sockets=pair.sockets[1:],
        fault=fault,
        fault_from_turn=20,
    )
    findings = played.findings() + history.answered_otherwise(played.attempts, (200, 201))
    later = [seconds for seconds, one in played.delays if one.at > over_at + SETTLED_SECONDS]
    delay = history.percentile(later, SHARE)
    if not heard or not later:
        findings.append(Finding("not shown", "the channel layer", f"{heard} heard, {len(later)} came after them"))
    if delay > DELAY_SECONDS + NOISE_SECONDS:
        findings.append(Finding("not heard any more", "subscribers", f"{delay:.2f} s"))
    return [
        Row(
            PROMISE,
            f"{len(messages)} that are no message of callsite's on each channel;"
            f" {turns} turns on one process, heard on another",
            f"{heard} received; {played.figure()}; afterwards {SHARE:.0%} within {delay * 1000:.0f} ms",
            findings,
        )
    ]
