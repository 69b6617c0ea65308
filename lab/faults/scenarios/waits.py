"""One call never costs another, and every wait has a bound: a held row, a locked table, a frozen PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from lab.faults import database, history
from lab.faults.database import CallIds, in_database
from lab.faults.history import Attempt, Finding
from lab.faults.journal import Journal
from lab.faults.play import NOISE_SECONDS, Played, read_back
from lab.faults.scenarios.postgres import nothing_half_written
from lab.faults.senders import Sender
from lab.faults.site import Site
from lab.faults.table import Row

ORDER = 25
HELD, BOUND = "one call never costs another", "every wait has a bound"
CALLS = 6
PAUSE_SECONDS = 0.2  # between two turns of a call
QUIET_SECONDS = 1.5  # before the fault, and after it
OTHERS_SECONDS = 1.0  # the longest that a turn of another call may take
ANSWER_SECONDS = 10.0  # the longest that any webhook may take

Fault = Callable[[Site, CallIds], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Scene:
    """The result of a load during which a fault happened to one call, or to all."""

    played: Played
    met: CallIds
    began_at: float
    ended_at: float

    def during(self, calls: Callable[[str], bool]) -> list[Attempt]:
        """Return the requests about some calls that began during the fault."""
        return [one for one in self.played.attempts if calls(one.call) and self.began_at < one.began_at < self.ended_at]


async def run(site: Site, folder: Path) -> list[Row]:
    seconds = site.size.of(short=8, long=30)
    return [
        await held_row(site, folder / "held-row", seconds),
        await bounded(site, folder / "locked-table", seconds, locked_table, "the table of the calls locked"),
        await bounded(site, folder / "frozen", seconds + 4, frozen, "PostgreSQL frozen by SIGSTOP"),
        await bounded(site, folder / "read-only", 4, read_only, "PostgreSQL read-only"),
    ]


async def held_row(site: Site, folder: Path, seconds: float) -> Row:
    scene = await play(site, folder, seconds, row_held)
    others = scene.during(lambda call: call != scene.met.call_sid)
    own = scene.during(lambda call: call == scene.met.call_sid)
    findings = nothing_half_written(scene.played)
    findings += history.answered_otherwise(others, (200, 201))
    findings += history.answered_slowly(others, OTHERS_SECONDS + NOISE_SECONDS)
    findings += history.answered_otherwise(own, (200, 201, 500)) + history.answered_slowly(own, ANSWER_SECONDS)
    if not any(one.status == 500 for one in own):
        findings.append(Finding("not shown", scene.met.call_sid, "no turn waited for the row in vain"))
    return Row(
        HELD,
        f"the row of one of {CALLS} calls held for {seconds:g} s, while all of them speak",
        f"{len(others)} turns of other calls: worst {slowest(others):.2f} s; {figure(scene, own)}",
        findings,
    )


async def bounded(site: Site, folder: Path, seconds: float, fault: Fault, name: str) -> Row:
    """Check that nothing acknowledged is missing, that no wait is unbounded, and that all works again afterwards."""
    scene = await play(site, folder, seconds, fault)
    met = scene.during(lambda _: True)
    findings = nothing_half_written(scene.played)
    findings += history.answered_otherwise(scene.played.attempts, (200, 201, 500))
    findings += history.answered_slowly(scene.played.attempts, ANSWER_SECONDS)
    if not any(one.status == 500 for one in met):
        findings.append(Finding("not shown", name, "no webhook was answered 500"))
    taken = [one.ended_at for one in scene.played.attempts if one.acknowledged and one.ended_at > scene.ended_at]
    healed = f"the first one taken {max(0.0, min(taken) - scene.ended_at):.1f} s afterwards" if taken else "never again"
    return Row(
        BOUND, f"{name} for {seconds:g} s, while {CALLS} calls speak", f"{figure(scene, met)}; {healed}", findings
    )


def figure(scene: Scene, met: Sequence[Attempt]) -> str:
    missing = history.acknowledged_but_missing(scene.played.attempts, scene.played.stored)
    refused = sum(one.status == 500 for one in met)
    return f"{len(met)} that met the fault: {refused} answers 500, worst {slowest(met):.1f} s; missing: {len(missing)}"


def slowest(attempts: Sequence[Attempt]) -> float:
    return max((one.ended_at - one.began_at for one in attempts), default=0.0)


async def play(site: Site, folder: Path, seconds: float, fault: Fault) -> Scene:
    """Send turns of all calls before the fault, during it and after it; then end the calls."""
    pair = await site.callsite()
    calls = await in_database(lambda: database.register_calls(CALLS))
    over = asyncio.Event()

    async def speak(sender: Sender, call: CallIds) -> None:
        number = 0
        while not over.is_set():
            await sender.turn(call, f"{call.call_sid}-{number}")
            number += 1
            await asyncio.sleep(PAUSE_SECONDS)
        await sender.end(call)

    with Journal(folder / "senders.jsonl") as sent, Journal(folder / "subscribers.jsonl"):
        async with Sender(sent, pair.urls) as sender:
            speaking = [asyncio.create_task(speak(sender, call)) for call in calls]
            await asyncio.sleep(QUIET_SECONDS)
            async with fault(site, calls[0]):
                began_at = time.time()
                await asyncio.sleep(seconds)
                ended_at = time.time()
            await asyncio.sleep(QUIET_SECONDS)
            over.set()
            await asyncio.gather(*speaking)
    return Scene(await read_back(folder, calls), calls[0], began_at, ended_at)


# --- the faults ---------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def row_held(site: Site, call: CallIds) -> AsyncIterator[None]:
    async with await psycopg.AsyncConnection.connect(site.postgres.url) as connection:
        await connection.execute("SELECT 1 FROM calls_call WHERE call_sid = %s FOR UPDATE", [call.call_sid])
        yield


@contextlib.asynccontextmanager
async def locked_table(site: Site, _: CallIds) -> AsyncIterator[None]:
    """Lock the table as CREATE INDEX does."""
    async with await psycopg.AsyncConnection.connect(site.postgres.url) as connection:
        await connection.execute("LOCK TABLE calls_call IN SHARE MODE")
        yield


@contextlib.asynccontextmanager
async def frozen(site: Site, _: CallIds) -> AsyncIterator[None]:
    """Stop all processes of PostgreSQL."""
    with site.postgres.frozen():
        yield


@contextlib.asynccontextmanager
async def read_only(site: Site, _: CallIds) -> AsyncIterator[None]:
    """Make PostgreSQL read-only, as after a failover, for open sessions and for new ones."""
    async with await psycopg.AsyncConnection.connect(site.postgres.url, autocommit=True) as connection:
        await connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await connection.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            await connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            await connection.execute("SELECT pg_reload_conf()")
