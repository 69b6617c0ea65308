"""Measures the memory of a subscribed socket while nothing happens."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from lab.bench.load.measuring import memory_kib
from lab.bench.load.sockets import Socket, open_sockets

FIRST_SOCKETS = 20  # they make the server load code, so they are not counted


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """Return the servers' additional memory for `sockets` more sockets, in KiB each."""

    def sink(socket: Socket, text: bytes) -> None: ...

    first = await open_sockets(args.ws, args.token, FIRST_SOCKETS, args.calls, by_id=args.by_id, sink=sink)
    await asyncio.sleep(0.5)
    before = memory_kib(args.pid)
    crowd = await open_sockets(args.ws, args.token, args.sockets, args.calls, by_id=args.by_id, sink=sink)
    await asyncio.sleep(2)
    after = memory_kib(args.pid)
    crowd.leave()
    first.leave()
    return {
        "sockets": len(crowd.sockets),
        "failed": dict(crowd.failed),
        "open_per_second": round(len(crowd.sockets) / crowd.seconds),
        "base_mib": round(before / 1024, 1),
        "kib_per_socket": round((after - before) / max(1, len(crowd.sockets)), 1),
    }
