"""A thousand turns wait for a call: how long does its registration take to apply them, and who is slower meanwhile?"""

from __future__ import annotations

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor

from lab.bench import data
from lab.bench.load.webhooks import TURN, Poster, call_sid, conversation_id, turn_bodies
from lab.bench.samples import Key, Row, Target
from lab.bench.servers import SECRET
from lab.bench.stage import Stage
from lab.faults.database import CallIds, new_writer_token
from lab.faults.scenarios.waiting_turns import register

FIGURE = "waiting-turns"
COUNT, POSTERS = 1000, 20
OTHERS = ("fanout", "--sockets", 0, "--calls", 100, "--turns", 200, "--rate", 50, "--posters", 32)
BEGIN_SECONDS = 1.5  # the load generator takes so long to begin


def measure(stage: Stage) -> None:
    number = data.CALLS + 1 + stage.samples.round
    url, call = stage.subjects["callsite"].http, CallIds(call_sid(number), conversation_id(number))
    asyncio.run(_speak(url, number))
    quiet, token = stage.load("callsite", *OTHERS), new_writer_token()
    with ThreadPoolExecutor(1) as thread:
        others = thread.submit(stage.load, "callsite", *OTHERS)
        time.sleep(BEGIN_SECONDS)
        began = time.perf_counter()
        register(url, token, call)
        took = time.perf_counter() - began
        busy = others.result()
    there = stage.infrastructure.sql(
        f"SELECT count(*) FROM calls_calltranscription JOIN calls_call c ON c.id = call_id"
        f" WHERE call_sid = '{call.call_sid}'"
    )[0][0]
    stage.samples.add(FIGURE, "callsite", seconds=took, missing=COUNT - there, p99_ms=busy["answer_p99_ms"])
    stage.samples.add(FIGURE, "callsite, quiet", p99_ms=quiet["answer_p99_ms"])


async def _speak(url: str, number: int) -> None:
    draw = turn_bodies(range(number, number + 1), random.Random(1))

    async def post() -> None:
        poster = Poster(url, SECRET)
        for _ in range(COUNT // POSTERS):
            await poster.post(TURN, draw())
        poster.close()

    await asyncio.gather(*(post() for _ in range(POSTERS)))


ROWS = (
    Row(
        *("1,000 turns that waited for a call, applied when it is registered", "s", Key(FIGURE, "callsite", "seconds")),
        targets=(Target("most", 1),),
        plotted=False,
    ),
    Row(
        *("of those are missing", "turns", Key(FIGURE, "callsite", "missing")),
        targets=(Target("most", 0),),
        plotted=False,
    ),
    Row(
        *("others' turns meanwhile, p99; rival: quiet", "ms", Key(FIGURE, "callsite", "p99_ms")),
        rival=Key(FIGURE, "callsite, quiet", "p99_ms"),
        plotted=False,
    ),
)
