"""Posts turns and receives frames: as fast as it goes (closed loop), or at a fixed rate (open loop).

The time of sending travels in the turn's text, so a delivery is timed from just before its POST is written to the
parsing of its frame, in this one process.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from typing import Any

from lab.bench.load.measuring import cpu_seconds, family_cpu_seconds, now_ns, percentile
from lab.bench.load.sockets import Socket, open_sockets
from lab.bench.load.webhooks import TURN, WORDS, Poster, turn_body

MARK, NUMBER = b"~k", b'"sequence_number":'
SETTLE_SECONDS = 4.0


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """Post `turns` turns over `calls` calls, and wait until every socket has the turns of its call."""
    deliveries: list[int] = []
    last: dict[bytes, int] = {}
    not_in_order = 0

    def sink(socket: Socket, text: bytes) -> None:
        nonlocal not_in_order
        at = text.find(MARK)
        if at < 0:
            return
        turn, sent_at, _ = text[at + 2 : at + 60].split(b".", 2)
        took = now_ns() - int(sent_at)
        deliveries.append(took)
        last[turn] = took
        if args.check:
            at = text.find(NUMBER) + len(NUMBER)
            number = int(text[at : at + 12].split(b",")[0].split(b"}")[0])
            not_in_order += socket.last_number not in (0, number - 1)  # 0: its first frame
            socket.last_number = number

    crowd = await open_sockets(args.ws, args.token, args.sockets, args.calls, by_id=args.by_id, sink=sink)
    listeners = Counter(socket.call for socket in crowd.sockets)
    tail = " ".join(random.Random(3).choices(WORDS, k=12))
    posters = [Poster(args.http[i % len(args.http)], args.secret) for i in range(args.posters)]
    answers: list[int] = []
    refused: Counter[int] = Counter()
    expected = errors = 0
    queue: asyncio.Queue[int | None] = asyncio.Queue()

    async def post(poster: Poster) -> None:
        nonlocal expected, errors
        while (turn := await queue.get()) is not None:
            call = turn % args.calls + 1
            at = now_ns()
            try:
                async with asyncio.timeout(args.patience):
                    status = await poster.post(TURN, turn_body(call, "agent", f"~k{turn}.{at}. {tail}"))
            except OSError:
                errors += 1
                poster.close()
                continue
            answers.append(now_ns() - at)
            if status in (200, 201):
                expected += listeners[call]
            else:
                refused[status] += 1

    database = family_cpu_seconds(args.database)
    used, own, began = cpu_seconds(args.pid), time.process_time(), time.perf_counter()
    work = [asyncio.ensure_future(post(poster)) for poster in posters]
    for turn in range(args.turns):
        if args.rate:
            await asyncio.sleep(max(0.0, began + turn / args.rate - time.perf_counter()))
        queue.put_nowait(turn)
    for _ in posters:
        queue.put_nowait(None)
    await asyncio.gather(*work)
    posted = time.perf_counter() - began
    moved_at, before = time.perf_counter(), -1
    while len(deliveries) < expected and time.perf_counter() - moved_at < SETTLE_SECONDS:
        if len(deliveries) != before:
            before, moved_at = len(deliveries), time.perf_counter()
        await asyncio.sleep(0.01)
    took = (time.perf_counter() if len(deliveries) >= expected else moved_at) - began
    used, own = cpu_seconds(args.pid) - used, time.process_time() - own
    database = family_cpu_seconds(args.database) - database
    closed = sum(socket.closed for socket in crowd.sockets)
    crowd.leave()
    for poster in posters:
        poster.close()
    deliveries.sort()
    answers.sort()
    count = len(deliveries)
    return {
        "sockets": len(crowd.sockets),
        "failed": dict(crowd.failed),
        "open_seconds": round(crowd.seconds, 2),
        "expected": expected,
        "received": count,
        "missing": expected - count,
        "not_in_order": not_in_order,
        "closed_sockets": closed,
        "deliveries_per_second": round(count / took),
        "turns_per_second": round(len(answers) / posted, 1),
        "p50_ms": percentile(deliveries, 0.5),
        "p99_ms": percentile(deliveries, 0.99),
        "last_p99_ms": percentile(sorted(last.values()), 0.99),
        "answer_p50_ms": percentile(answers, 0.5),
        "answer_p99_ms": percentile(answers, 0.99),
        "answer_worst_ms": percentile(answers, 1),
        "answered": len(answers),
        "refused": dict(refused),
        "errors": errors,
        "server_cpu_us": round(used / max(count, 1) * 1e6, 1),
        "database_cpu_us": round(database / max(count, 1) * 1e6, 1),
        "client_cpu_us": round(own / max(count, 1) * 1e6, 1),
    }
