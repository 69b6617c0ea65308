"""Large bodies cost others nothing: signed recordings at once, and large or unfinished bodies of strangers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lab.faults import database
from lab.faults.database import CallIds, in_database
from lab.faults.history import Finding
from lab.faults.play import NOISE_SECONDS, Fault, Played, play
from lab.faults.senders import POST_CALL
from lab.faults.site import WEBHOOK_SECRET, Pair, Site
from lab.faults.table import Row
from lab.stack.webserver import WebServer
from simulator.signing import signature

ORDER = 85
TURN_SECONDS = 0.5  # how long a turn may take meanwhile
KEPT_BYTES = 32 * 2**20  # of memory, which the process may keep for good
TURNS = 300
TRIES = 5
MIB = 2**20
_threads = ThreadPoolExecutor(32)  # asyncio's own pool has six threads on two cores


@dataclass(slots=True)
class Memory:
    """The memory of a web process in bytes: before the load, at most during it, and after it."""

    before: int
    most: int = 0
    after: int = 0

    def figure(self) -> str:
        before, most, after = (round(size / MIB) for size in (self.before, self.most, self.after))
        return f"{before} → {most} → {after} MiB of memory"


@dataclass(slots=True)
class Answers:
    """How many answers had each status, and how long the slowest answer took."""

    statuses: Counter[int] = field(default_factory=Counter)
    slowest_seconds: float = 0.0

    def figure(self) -> str:
        told = ", ".join(f"{count} × {status or 'cut'}" for status, count in sorted(self.statuses.items()))
        return f"{told}, the last after {self.slowest_seconds:.1f} s"


async def run(site: Site, folder: Path) -> list[Row]:
    count, size = site.size.of(short=4, long=8), site.size.of(short=32, long=64) * MIB
    async with site.pair(count=1) as pair:
        return [
            await good(pair, folder / "good", count, size),
            await strangers(pair, folder / "strangers", count, size),
        ]


async def good(pair: Pair, folder: Path, count: int, size: int) -> Row:
    calls = await in_database(lambda: database.register_calls(count))
    bodies = [recording(call, size) for call in calls]
    answers = Answers()

    async def deliver(body: bytes) -> None:
        for _ in range(TRIES):
            if await sent(pair.webs[0], answers, body, signature(WEBHOOK_SECRET, body)) == 200:
                return

    async def fault() -> None:
        await asyncio.gather(*(deliver(body) for body in bodies))

    played, memory = await beside_turns(pair, folder, fault)
    odd = [status for status in answers.statuses if status not in (200, 503)]
    findings = [Finding("answered otherwise", "a good recording", f"{status}") for status in odd]
    if answers.statuses[200] != count:
        findings.append(Finding("refused", "a good recording", f"{answers.statuses[200]} of {count} are stored"))
    shown = f"{count} signed recordings of {size // MIB} MiB at once"
    return row("large bodies cost others nothing", shown, count * size, played, memory, answers, findings)


async def strangers(pair: Pair, folder: Path, count: int, size: int) -> Row:
    """Send at once: unsigned bodies, complete ones with a wrong signature, and halves that never end."""
    (call,) = await in_database(lambda: database.register_calls(1))
    body = recording(call, size)
    forged, answers = signature("not the secret", body), Answers()

    async def fault() -> None:
        web, half = pair.webs[0], body[: size // 2]
        stalled = [sent(web, answers, half, forged, announced=size) for _ in range(count)]
        whole = [sent(web, answers, body, header) for header in [forged, ""] * (count // 2)]
        await asyncio.gather(*stalled, *whole)

    played, memory = await beside_turns(pair, folder, fault)
    findings = [Finding("let in", "a stranger", f"{status}") for status in answers.statuses if 200 <= status < 300]
    shown = (
        f"{count} halves that stall, {count // 2} wrongly signed and {count // 2} unsigned bodies of {size // MIB} MiB"
    )
    return row("strangers cost nothing", shown, count * size, played, memory, answers, findings)


def row(
    promise: str, shown: str, size: int, played: Played, memory: Memory, answers: Answers, findings: list[Finding]
) -> Row:
    """Return the table's row; `size` is the number of bytes of all bodies."""
    slowest = played.slowest_webhook_seconds
    findings += played.findings()
    if slowest > TURN_SECONDS + NOISE_SECONDS:
        findings.append(Finding("others are slower", "a turn", f"{slowest:.2f} s"))
    if memory.most - memory.before > 3 * size:
        findings.append(Finding("memory", "web process", memory.figure()))
    if memory.after - memory.before > KEPT_BYTES:
        findings.append(Finding("memory is kept", "web process", memory.figure()))
    figure = f"{answers.figure()}; other calls' slowest turn {slowest * 1000:.0f} ms; {memory.figure()}"
    return Row(promise, f"{shown}, beside live turns", figure, findings)


async def beside_turns(pair: Pair, folder: Path, fault: Fault) -> tuple[Played, Memory]:
    web = pair.webs[0]
    await play(folder / "warm-up", pair, turns=20, turns_per_second=20, subscribers=2)
    memory = Memory(web.memory_bytes)
    async with watched(web, memory):
        played = await play(
            folder, pair, turns=TURNS, turns_per_second=20, subscribers=2, fault=fault, fault_from_turn=10
        )
    memory.after = web.memory_bytes
    return played, memory


@contextlib.asynccontextmanager
async def watched(web: WebServer, memory: Memory) -> AsyncIterator[None]:
    async def watch() -> None:
        while True:
            memory.most = max(memory.most, web.memory_bytes)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()


def recording(call: CallIds, size: int) -> bytes:
    """Return a post_call_audio body of this many bytes."""
    data = {"conversation_id": call.conversation_id, "full_audio": ""}
    begin, end = json.dumps({"type": "post_call_audio", "event_timestamp": int(time.time()), "data": data}).split('""')
    content = os.urandom((size - len(begin) - len(end) - 2) // 4 * 3)
    return b"".join([begin.encode(), b'"', base64.b64encode(content), b'"', end.encode()])


async def sent(web: WebServer, answers: Answers, body: bytes, signed: str, *, announced: int = 0) -> int:
    """Send one request from a thread: a client in this loop would slow down the turns that are timed in it.

    If `announced` is larger than the body, the rest never comes.
    """
    began_at = time.monotonic()
    send = partial(_send, web.port, body, signed, announced or len(body))
    status = await asyncio.get_running_loop().run_in_executor(_threads, send)
    answers.statuses[status] += 1
    answers.slowest_seconds = max(answers.slowest_seconds, time.monotonic() - began_at)
    return status


def _send(port: int, body: bytes, signed: str, announced: int) -> int:
    """Return the status; 0 if the connection ended without one."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=90)) as connection:
        connection.putrequest("POST", POST_CALL)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(announced))
        if signed:
            connection.putheader("ElevenLabs-Signature", signed)
        with contextlib.suppress(OSError):  # refused before all was sent: the answer may be there anyway
            connection.endheaders(body)
        try:
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
