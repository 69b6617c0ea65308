"""A thousand sockets that connect at once, as after a deployment: the cost of each, and the delay for others."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from lab.bench import data
from lab.bench.samples import Key, Row, Target
from lab.bench.stage import Stage

FIGURE = "coming-in"
USERS = 100  # each connects with a token of its own
TALK = ("fanout", "--sockets", 20, "--calls", 1, "--turns", 120, "--rate", 20)
TALK_BEGINS_SECONDS = 1.5


def measure(stage: Stage) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".tokens") as file:
        file.write("\n".join(data.listener_tokens(USERS)))
        file.flush()
        for subject in stage.order("bare ASGI loop", "callsite", "FastAPI + SQLAlchemy", "plain Channels"):
            arguments: list[str | int] = ["--sockets", stage.lengths.sockets]
            if subject == "callsite":
                arguments += ["--tokens", file.name]
            stage.samples.add(FIGURE, subject, cpu_ms=stage.load(subject, "coming-in", *arguments)["cpu_ms"])
        many = stage.load("callsite", "coming-in", "--sockets", 5 * stage.lengths.sockets, "--tokens", file.name)
        stage.samples.add(FIGURE, "callsite", many_cpu_ms=many["cpu_ms"])
        quiet = stage.load("callsite", *TALK)["p99_ms"]
        with ThreadPoolExecutor(1) as thread:  # a generator of its own: the other one is busy opening sockets
            talk = thread.submit(stage.load, "callsite", *TALK)
            time.sleep(TALK_BEGINS_SECONDS)
            stage.load("callsite", "coming-in", "--sockets", stage.lengths.sockets, "--tokens", file.name)
            busy = talk.result()["p99_ms"]
        stage.samples.add(FIGURE, "callsite", above_ms=max(0.0, busy - quiet))


def _cpu(subject: str) -> Key:
    return Key(FIGURE, subject, "cpu_ms")


ROWS = (
    Row(
        *("a socket that comes in with 999 others, with a token and a subscription", "CPU ms", _cpu("callsite")),
        rival=_cpu("FastAPI + SQLAlchemy"),
        limit=_cpu("bare ASGI loop"),
        targets=(Target("most", 4, "limit"),),
    ),
    Row(
        *("the same; rival: plain Channels, without any check", "CPU ms", _cpu("callsite")),
        rival=_cpu("plain Channels"),
    ),
    Row(
        *("one of 5,000 that come in at once; rival: of 1,000", "CPU ms", Key(FIGURE, "callsite", "many_cpu_ms")),
        rival=_cpu("callsite"),
        targets=(Target("most", 1.2, "rival"),),
    ),
    Row(
        *("turns to those who are there meanwhile: p99 above quiet", "ms", Key(FIGURE, "callsite", "above_ms")),
        targets=(Target("most", 50),),
    ),
)
