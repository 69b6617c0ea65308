"""A client that does not read costs nobody: its memory is bounded, and others hear as soon as without it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from dataclasses import dataclass
from pathlib import Path

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

from lab.faults import database, history
from lab.faults.database import CallIds, in_database
from lab.faults.history import Finding
from lab.faults.journal import Journal
from lab.faults.play import BROKE_OFF, NOISE_SECONDS, Played, listening, read_back, unless_it_breaks_off
from lab.faults.senders import Sender
from lab.faults.site import PLAIN, Pair, Site
from lab.faults.subscribers import Subscriber, all_done, connect
from lab.faults.table import Row

ORDER = 80
TEXT_BYTES = 64_000  # in all, more than the kernel buffers for a socket
AT_ONCE = 4
READERS = 3
BOUND_BYTES = 1_500_000  # of the process's memory, for one socket
KINDS = ("never reads", "only writes", "reads 1 KB/s", "asks for a whole call")


@dataclass(slots=True)
class Measured:
    """One process: what its readers got beside stuck clients, and the cost of each stuck client.

    All sockets share the turns' texts, so there are few stuck clients, and the texts are larger than all that may wait
    for the clients.
    """

    played: Played
    p99_seconds: float
    alone_p99_seconds: float
    bytes_per_socket: float


async def run(site: Site, folder: Path) -> list[Row]:
    stuck, turns = site.size.of(short=8, long=40), site.size.of(short=150, long=750)
    async with site.pair(count=1) as callsite, site.pair(PLAIN, count=1) as plain:
        ours = await measure(folder / "callsite", callsite, stuck, turns)
        control = await unless_it_breaks_off(measure(folder / "plain", plain, stuck, turns, alone_turns=turns // 5))
    findings = ours.played.findings()
    if ours.bytes_per_socket > BOUND_BYTES:
        findings.append(Finding("memory", "web process", f"{ours.bytes_per_socket:,.0f} bytes for a stuck socket"))
    if ours.p99_seconds > ours.alone_p99_seconds + NOISE_SECONDS / 2:
        findings.append(Finding("others are slower", "p99", f"{ours.alone_p99_seconds:.2f} → {ours.p99_seconds:.2f} s"))
    sent_megabytes = turns * TEXT_BYTES / 1e6
    return [
        Row(
            "a client that does not read costs nobody",
            f"{stuck} sockets that never read, only write, read 1 KB/s or ask for a long call and do not take it; "
            f"{sent_megabytes:.1f} MB are said to each",
            said(ours),
            findings,
            said(control) if control else BROKE_OFF,
        )
    ]


def said(measured: Measured) -> str:
    return (
        f"{measured.bytes_per_socket / 1000:,.0f} kB of memory a socket; others' p99 delay "
        f"{measured.p99_seconds * 1000:.0f} ms, {measured.alone_p99_seconds * 1000:.0f} ms without them"
    )


async def measure(folder: Path, pair: Pair, stuck: int, turns: int, alone_turns: int = 0) -> Measured:
    """Run the same load three times: to warm up, with readers alone, and beside the stuck clients."""
    token = await in_database(database.new_token)
    await speak(folder / "warm-up", pair, token, turns // 5, [])
    alone, before, long_call = await speak(folder / "alone", pair, token, alone_turns or turns, [])
    kinds = [KINDS[i % len(KINDS)] for i in range(stuck)]
    beside, after, _ = await speak(folder / "beside", pair, token, turns, kinds, long_call)
    return Measured(beside, p99(beside), p99(alone), max(0, after - before) / stuck)


async def speak(
    folder: Path, pair: Pair, token: str, turns: int, stuck: list[str], earlier: CallIds | None = None
) -> tuple[Played, int, CallIds]:
    """Send one call to readers and stuck clients.

    Return the history, the process's largest memory meanwhile, and the call.
    """
    (call,) = await in_database(lambda: database.register_calls(1))
    most = 0
    with Journal(folder / "senders.jsonl") as sent, Journal(folder / "subscribers.jsonl") as heard:
        readers = [Subscriber(heard, f"reader-{i}", pair.sockets[0], token, [call]) for i in range(READERS)]
        async with listening(readers), Sender(sent, pair.urls) as sender, contextlib.AsyncExitStack() as clients:
            tasks = [asyncio.create_task(be_stuck(kind, pair, token, call, earlier or call)) for kind in stuck]
            clients.push_async_callback(cancelled, tasks)
            await asyncio.sleep(1)
            numbers = iter(range(turns))

            async def say() -> None:
                nonlocal most
                for i in numbers:
                    await sender.turn(call, f"{call.call_sid}-{i}", "x" * TEXT_BYTES)
                    most = max(most, pair.webs[0].memory_bytes)

            await asyncio.gather(*(say() for _ in range(AT_ONCE)))
            await sender.end(call)
            await all_done(readers, 5)
    return await read_back(folder, [call]), most, call


async def be_stuck(kind: str, pair: Pair, token: str, call: CallIds, earlier: CallIds) -> None:
    """Stay stuck in one way, and come back when the server closes the socket, as a browser would."""
    while True:
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.setblocking(False)
        with contextlib.suppress(OSError, EOFError, TimeoutError, WebSocketException):
            await asyncio.get_running_loop().sock_connect(small, ("127.0.0.1", pair.webs[0].port))
            async with connect(pair.sockets[0], token, sock=small, max_queue=1) as connection:
                wish = {"subscribe": earlier.call_sid, "after": 0} if kind == KINDS[3] else {"subscribe": call.call_sid}
                await connection.send(json.dumps(wish))
                await behave(kind, connection)
        small.close()
        await asyncio.sleep(0.5)


async def behave(kind: str, connection: ClientConnection) -> None:
    while True:
        if kind == "reads 1 KB/s":
            text = await connection.recv()
            await asyncio.sleep(len(text) / 1000)
        elif kind == "only writes":
            await connection.send(json.dumps({"ping": "x" * 1000}))
            await asyncio.sleep(0.05)
        else:
            await connection.wait_closed()
            return


async def cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def p99(played: Played) -> float:
    return history.percentile((seconds for seconds, _ in played.delays), 0.99)
