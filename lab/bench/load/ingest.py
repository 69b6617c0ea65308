"""Webhooks in a closed loop: each of many posters sends its next webhook when it has the answer."""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from typing import Any

from lab.bench.load.measuring import cpu_seconds, family_cpu_seconds, now_ns, percentile
from lab.bench.load.webhooks import POST_CALL, TURN, Poster, post_call_bodies, turn_bodies

GIVE_UP_AFTER_ERRORS = 2000


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """Post for `seconds` after a warm-up; `n` counts the webhooks that were sent after the warm-up and answered 2xx."""
    rng = random.Random(args.seed)
    calls = range(args.first, args.first + args.calls * args.step, args.step)
    if args.kind == "turn":
        path, draw = TURN, turn_bodies(calls, rng)
    else:
        path, draw = POST_CALL, post_call_bodies(calls, args.size, rng)
    posters = [Poster(args.http[i % len(args.http)], args.secret) for i in range(args.posters)]
    latencies: list[int] = []
    refused: Counter[int] = Counter()
    errors = sent = 0
    start = now_ns() + int(args.warmup * 1e9)
    end = start + int(args.seconds * 1e9)

    async def post(poster: Poster) -> None:
        nonlocal errors, sent
        while (at := now_ns()) < end and errors < GIVE_UP_AFTER_ERRORS:
            sent += 1
            try:
                async with asyncio.timeout(args.patience):
                    status = await poster.post(path, draw())
            except OSError:
                errors += 1
                poster.close()
                continue
            if status not in (200, 201):
                refused[status] += 1
            elif at >= start:
                latencies.append(now_ns() - at)

    async def cpu() -> tuple[float, float, float]:
        await asyncio.sleep(args.warmup)
        server, own, database = cpu_seconds(args.pid), time.process_time(), family_cpu_seconds(args.database)
        await asyncio.sleep(args.seconds - 0.05)
        database = family_cpu_seconds(args.database) - database
        return cpu_seconds(args.pid) - server, time.process_time() - own, database

    measuring = asyncio.ensure_future(cpu())
    await asyncio.gather(*(post(poster) for poster in posters))
    server_cpu, client_cpu, database_cpu = await measuring
    for poster in posters:
        poster.close()
    latencies.sort()
    count = len(latencies)
    return {
        "n": count,
        "sent": sent,
        "rate": round(count / args.seconds, 1),
        "p50_ms": percentile(latencies, 0.5),
        "p99_ms": percentile(latencies, 0.99),
        "refused": dict(refused),
        "errors": errors,
        "server_cpu_us": round(server_cpu / max(count, 1) * 1e6, 1),
        "database_cpu_us": round(database_cpu / max(count, 1) * 1e6, 1),
        "client_cpu_us": round(client_cpu / max(count, 1) * 1e6, 1),
    }
