"""Sockets that connect all at once, as after a deployment."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from lab.bench.load.measuring import cpu_seconds, family_cpu_seconds
from lab.bench.load.sockets import Socket, open_sockets

FIRST_SOCKETS = 20  # they make the server load code, so they are not counted


async def run(args: argparse.Namespace) -> dict[str, Any]:
    """Return the servers' CPU per socket, and how long it took until all sockets were confirmed."""

    def sink(socket: Socket, text: bytes) -> None: ...

    come = partial(open_sockets, args.ws, args.tokens or args.token, by_id=args.by_id, sink=sink)
    first = await come(FIRST_SOCKETS, args.calls)
    used, database = cpu_seconds(args.pid), family_cpu_seconds(args.database)
    crowd = await come(args.sockets, args.calls, at_once=args.sockets)
    used, database = cpu_seconds(args.pid) - used, family_cpu_seconds(args.database) - database
    crowd.leave()
    first.leave()
    return {
        "sockets": len(crowd.sockets),
        "failed": dict(crowd.failed),
        "seconds": round(crowd.seconds, 2),
        "cpu_ms": round(used / max(1, len(crowd.sockets)) * 1e3, 3),
        "database_cpu_ms": round(database / max(1, len(crowd.sockets)) * 1e3, 3),
    }
