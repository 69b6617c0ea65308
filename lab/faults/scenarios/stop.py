"""A graceful stop: SIGTERM under load leaves no webhook half-done, and tells every socket to come back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from lab.faults import database, history
from lab.faults.database import in_database
from lab.faults.history import Finding
from lab.faults.journal import Journal
from lab.faults.play import Played, listening, read_back
from lab.faults.senders import Sender
from lab.faults.site import Site
from lab.faults.subscribers import Subscriber, all_done
from lab.faults.table import Row

ORDER = 110
SENDERS, CALLS, TURNS = 8, 16, 15
SOCKETS = 8
SERVICE_RESTART = 1012
STOPPED_SECONDS = 10.0


async def run(site: Site, folder: Path) -> list[Row]:
    stops = site.size.of(short=1, long=10)
    return [row([await stopped(site, folder / str(i)) for i in range(stops)])]


Stop = tuple[Played, dict[str, float], float, float, int | None, list[int | None]]


async def stopped(site: Site, folder: Path) -> Stop:
    """Return the scene, and when each turn and delivery was stored.

    Also return when SIGTERM was sent, how long the process took, its exit code, and the close codes of its sockets.
    """
    calls = await in_database(lambda: database.register_calls(CALLS))
    token = await in_database(database.new_token)
    waiting = list(calls)
    pair = await site.callsite()
    with Journal(folder / "senders.jsonl") as sent, Journal(folder / "subscribers.jsonl") as heard:
        sockets = [Subscriber(heard, f"socket-{i}", pair.sockets[0], token, calls) for i in range(SOCKETS)]
        async with listening(sockets), Sender(sent, pair.urls) as sender:

            async def speak() -> None:
                while waiting:
                    call = waiting.pop()
                    for i in range(TURNS):
                        await sender.turn(call, f"{call.call_sid}-{i}")
                    await sender.end(call)

            speakers = asyncio.gather(*(speak() for _ in range(SENDERS)))
            await sender.has_acknowledged(CALLS * TURNS // 3)
            told_at = time.time()
            code = await asyncio.to_thread(pair.webs[0].terminate, STOPPED_SECONDS)
            took_seconds = time.time() - told_at
            codes = [socket.close_code for socket in sockets]
            await asyncio.to_thread(pair.webs[0].start)
            await speakers
            await all_done(sockets, 5)
    stored_at = await in_database(lambda: database.stored_at(calls))
    return await read_back(folder, calls), stored_at, told_at, took_seconds, code, codes


def row(stops: list[Stop]) -> Row:
    findings: list[Finding] = []
    unanswered = missing = 0
    for played, stored_at, told_at, took_seconds, code, codes in stops:
        # A webhook that the stopped process received or stored was answered; later ones found no server, and were
        # retried.
        taken = [
            sent
            for sent in played.attempts
            if (sent.server == 0 and sent.sent_at is not None and sent.sent_at < told_at)
            or sent.began_at <= stored_at.get(sent.key, 0) <= sent.ended_at
        ]
        unanswered += sum(sent.status == 0 for sent in taken)
        missing += len(history.acknowledged_but_missing(played.attempts, played.stored))
        findings += history.answered_otherwise(taken, (200, 201))
        findings += history.answered_otherwise(played.attempts, (0, 200, 201))
        findings += played.findings(bound_seconds=60)  # the sockets have no process while it starts
        findings += [Finding("closed otherwise", "socket", f"{c}") for c in codes if c != SERVICE_RESTART]
        if code not in (0, -15) or took_seconds >= STOPPED_SECONDS:
            findings.append(Finding("did not stop", "web process", f"exit code {code} after {took_seconds:.1f} s"))
    slowest = max(took for *_, took, _, _ in stops)
    acknowledged = sum(sent.acknowledged for played, *_ in stops for sent in played.attempts)
    return Row(
        "a stop in good order loses nothing",
        f"SIGTERM to one of two processes under load, {len(stops)} times; {SOCKETS} sockets on it",
        f"stopped after {slowest:.1f} s; taken and not answered: {unanswered}; "
        f"{acknowledged:,} answered 2xx, {missing} missing; "
        f"sockets closed with {sorted({str(c) for *_, codes in stops for c in codes})}",
        findings,
    )
