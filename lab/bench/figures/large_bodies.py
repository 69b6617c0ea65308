"""Eight recordings of 64 MB come at once: how much memory do they take, and how much of it stays?"""

from __future__ import annotations

import asyncio
import tempfile

from lab.bench.load.webhooks import call_sid, conversation_id
from lab.bench.samples import Key, Row, Target
from lab.bench.servers import SECRET
from lab.bench.stage import Stage
from lab.faults.database import CallIds
from lab.faults.scenarios.bodies import MIB, Answers, Memory, recording, sent, watched
from lab.stack.webserver import WebServer
from simulator.signing import signature

FIGURE = "large-bodies"
BODIES, BYTES = 8, 64 * MIB
FIRST = 9_001  # no other figure ends these calls


def measure(stage: Stage) -> None:
    """Measure on a separate server, whose recordings are deleted with it."""
    with tempfile.TemporaryDirectory() as media:
        settings = {"DJANGO_SETTINGS_MODULE": "lab.faults.settings", "FAULTS_MEDIA_ROOT": media}
        with WebServer(stage.infrastructure.settings() | settings) as web:
            memory = asyncio.run(_deliver(stage, web))
    stage.samples.add(
        FIGURE,
        "callsite",
        most=(memory.most - memory.before) / BODIES / BYTES,
        kept=(memory.after - memory.before) / MIB,
    )


async def _deliver(stage: Stage, web: WebServer) -> Memory:
    """Send the recordings, and send refused ones again until all are stored."""
    answers = Answers()

    async def deliver(number: int) -> None:
        body = recording(CallIds(call_sid(number), conversation_id(number)), BYTES)
        signed = signature(SECRET, body)
        for _ in range(10):
            if await sent(web, answers, body, signed) == 200:
                return
        stage.faults.append(f"a recording of 64 MB was not stored: {dict(answers.statuses)}")

    warm_up = recording(CallIds(call_sid(FIRST), conversation_id(FIRST)), MIB)
    await sent(web, Answers(), warm_up, signature(SECRET, warm_up))
    memory = Memory(web.memory_bytes)
    async with watched(web, memory):
        await asyncio.gather(*(deliver(number) for number in range(FIRST + 1, FIRST + 1 + BODIES)))
    await asyncio.sleep(1)
    memory.after = web.memory_bytes
    return memory


ROWS = (
    Row(
        *("memory while 8 bodies of 64 MB arrive, in times of what is in flight", "×", Key(FIGURE, "callsite", "most")),
        targets=(Target("most", 3),),
        plotted=False,
    ),
    Row(
        *("of that is kept afterwards", "MiB", Key(FIGURE, "callsite", "kept")),
        targets=(Target("most", 32),),
        plotted=False,
    ),
)
