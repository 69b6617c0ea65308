"""A call that is registered late gets all turns that waited for it, and other calls do not wait meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
import uuid
from pathlib import Path

from lab.faults import database, history
from lab.faults.database import CallIds, in_database
from lab.faults.history import Finding
from lab.faults.journal import Journal
from lab.faults.play import NOISE_SECONDS, Played, play, read_back
from lab.faults.senders import Sender
from lab.faults.site import Site
from lab.faults.table import Row

ORDER = 88
AT_ONCE = 16
APPLY_SECONDS, TURN_SECONDS = 1.0, 0.5


async def run(site: Site, folder: Path) -> list[Row]:
    pair = await site.callsite()
    count = site.size.of(short=1000, long=10_000)
    mark = uuid.uuid4().hex[:16]
    call = CallIds(f"EL_late_{mark}", f"conv_late_{mark}")
    with Journal(folder / "early" / "senders.jsonl") as sent, Journal(folder / "early" / "subscribers.jsonl"):
        async with Sender(sent, pair.urls) as sender:
            early = await turns_of_nobody(sender, call, count)
            token = await in_database(database.new_writer_token)
            took = 0.0

            async def fault() -> None:
                nonlocal took
                began_at = time.time()
                await asyncio.to_thread(register, pair.urls[0], token, call)
                took = time.time() - began_at

            others = await play(
                folder / "others", pair, turns=80, turns_per_second=20, subscribers=2, fault=fault, fault_from_turn=20
            )
            await sender.end(call)
    played = await read_back(folder / "early", [call])
    return [row(count, took, early, others, played)]


def row(count: int, took: float, early: list[int], others: Played, played: Played) -> Row:
    findings = others.findings() + history.answered_otherwise(others.attempts, (200, 201))
    findings += history.answered_slowly(others.attempts, TURN_SECONDS + NOISE_SECONDS)
    findings += history.not_one_to_n(played.stored) + history.stored_twice(played.stored)
    there = len(played.stored[0].turns) if played.stored else 0
    if there != count or early != [404] * count:
        findings.append(Finding("missing", "waiting turns", f"{there} of {count} are stored; {sorted(set(early))}"))
    if took > (APPLY_SECONDS + NOISE_SECONDS) * count / 1000:
        findings.append(Finding("applied slowly", "waiting turns", f"{took:.1f} s"))
    return Row(
        "a late call gets what waited for it",
        f"{count:,} turns before their call is registered, beside live turns",
        f"{there:,} applied within {took:.2f} s; other calls' slowest turn {others.slowest_webhook_seconds:.2f} s",
        findings,
    )


async def turns_of_nobody(sender: Sender, call: CallIds, count: int) -> list[int]:
    """Send turns of a call that nobody registered, and return their statuses."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def early(number: int) -> int:
        async with gate:
            return (await sender.turn(call, f"{call.call_sid}-{number}", once=True)).status

    return await asyncio.gather(*(early(number) for number in range(count)))


def register(url: str, token: str, call: CallIds) -> None:
    body = json.dumps({"call_sid": call.call_sid, "conversation_id": call.conversation_id}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/api/calls/", body, headers), timeout=60):
        pass
