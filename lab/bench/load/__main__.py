"""`python -m lab.bench.load COMMAND …`: makes one run against a server and prints one JSON object."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import uvloop

from lab.bench.load import coming_in, fanout, idle, ingest
from lab.bench.load.descriptors import raise_limit


def main() -> None:
    args = arguments()
    raise_limit()
    runs = {"ingest": ingest.run, "fanout": fanout.run, "idle": idle.run, "coming-in": coming_in.run}
    run = runs[args.command]
    print(json.dumps(uvloop.run(_settled(run(args)))))


async def _settled(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """Return the work's result, once cut connections are really closed."""
    result = await work
    await asyncio.sleep(0.05)
    return result


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab.bench.load", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--secret", default="bench-secret", help="of the webhooks' signature")
    common.add_argument("--calls", type=int, default=1000, help="over how many calls the load is spread")
    common.add_argument("--pid", type=_numbers, default=[], help="server processes whose CPU or memory is read")
    common.add_argument("--database", type=int, default=0, metavar="PID", help="PostgreSQL, whose CPU is read too")
    common.add_argument("--patience", type=float, default=30, help="seconds to wait for an answer")

    http = argparse.ArgumentParser(add_help=False)
    http.add_argument(
        "--http", type=_urls, required=True, help="as in http://127.0.0.1:8000; several are taken in turn"
    )
    http.add_argument("--posters", type=int, default=1, help="how many post at once")

    ws = argparse.ArgumentParser(add_help=False)
    ws.add_argument("--ws", type=_urls, required=True, help="as in ws://127.0.0.1:8000; several are taken in turn")
    ws.add_argument("--sockets", type=int, default=100)
    ws.add_argument("--token", default="", help="sent as ?token=")
    ws.add_argument("--by-id", action="store_true", help="subscribe by the call's number, not by its call_sid")

    one = commands.add_parser("ingest", parents=[common, http], help="webhooks as fast as they are answered")
    one.add_argument("--kind", choices=["turn", "post-call"], default="turn")
    one.add_argument("--size", type=int, default=20_000, help="bytes of a post-call body")
    one.add_argument("--first", type=int, default=1, help="number of the first call")
    one.add_argument("--step", type=int, default=1, help="from the number of one call to the next")
    one.add_argument("--seconds", type=float, default=5)
    one.add_argument("--warmup", type=float, default=1)
    one.add_argument("--seed", type=int, default=7)

    one = commands.add_parser("fanout", parents=[common, http, ws], help="turns to sockets")
    one.add_argument("--turns", type=int, default=100)
    one.add_argument("--rate", type=float, help="turns a second; without it as fast as they are answered")
    one.add_argument("--check", action="store_true", help="count frames that are not the next of their call")

    commands.add_parser("idle", parents=[common, ws], help="memory of idle sockets")

    one = commands.add_parser("coming-in", parents=[common, ws], help="sockets that come in all at once")
    one.add_argument("--tokens", type=_lines, default=[], metavar="FILE", help="a token a line, taken in turn")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def _lines(path: str) -> list[str]:
    return Path(path).read_text().split()


def _urls(text: str) -> list[str]:
    return text.split(",")


if __name__ == "__main__":
    main()
