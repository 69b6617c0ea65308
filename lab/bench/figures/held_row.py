"""One call's row is locked, so its turns wait: how long do the turns of other calls take meanwhile?"""

from __future__ import annotations

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg

from lab.bench.load.webhooks import TURN, Poster, call_sid, turn_bodies
from lab.bench.samples import Key, Row, Target
from lab.bench.servers import SECRET
from lab.bench.stage import Stage

FIGURE = "held-row"
SECONDS, RATE, CALLS = 8, 100, 100
HELD, ITS_POSTERS = CALLS + 1, 4
OTHERS = ("fanout", "--sockets", 0, "--calls", CALLS, "--turns", SECONDS * RATE, "--rate", RATE, "--posters", 32)


def measure(stage: Stage) -> None:
    quiet = stage.load("callsite", *OTHERS)
    over = threading.Event()
    with psycopg.connect(stage.infrastructure.database_url()) as connection, ThreadPoolExecutor(1) as thread:
        connection.execute("SELECT 1 FROM calls_call WHERE call_sid = %s FOR UPDATE", [call_sid(HELD)])
        waiting = thread.submit(asyncio.run, _speak(stage.subjects["callsite"].http, over))
        held = stage.load("callsite", *OTHERS)
        over.set()
        connection.rollback()
        waiting.result()
    for subject, result in (("callsite", held), ("callsite, quiet", quiet)):
        stage.samples.add(FIGURE, subject, p99_ms=result["answer_p99_ms"], worst_ms=result["answer_worst_ms"])


async def _speak(url: str, over: threading.Event) -> None:
    """Send turns of the held call, as fast as they are answered, with whatever status."""
    draw = turn_bodies(range(HELD, HELD + 1), random.Random(1))

    async def post() -> None:
        poster = Poster(url, SECRET)
        with suppress(OSError):
            while not over.is_set():
                await poster.post(TURN, draw())
                await asyncio.sleep(0.05)
        poster.close()

    await asyncio.gather(*(post() for _ in range(ITS_POSTERS)))


ROWS = (
    Row(
        *("others' turns while a row is held for 8 s, worst; rival: quiet, p99", "ms"),
        Key(FIGURE, "callsite", "worst_ms"),
        rival=Key(FIGURE, "callsite, quiet", "p99_ms"),
        targets=(Target("most", 3, "rival"),),
        plotted=False,
    ),
    Row(
        *("the same, p99; rival: quiet", "ms", Key(FIGURE, "callsite", "p99_ms")),
        rival=Key(FIGURE, "callsite, quiet", "p99_ms"),
        plotted=False,
    ),
)
