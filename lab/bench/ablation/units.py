"""The units of work for which cost is counted, each measured on one server at a time."""

from __future__ import annotations

import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from lab.bench import data
from lab.bench.load.measuring import cpu_seconds, family_cpu_seconds
from lab.bench.servers import Subject
from lab.bench.stage import Stage

PAGES, USERS = 40, 50
TALK = ("fanout", "--sockets", 20, "--calls", 1, "--turns", 80, "--rate", 20)
TALK_BEGINS_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Cost:
    """The CPU per unit in µs, and how many ms somebody waits for it, where somebody does."""

    server: float
    database: float
    waited: float | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of work; `waited` says what the waiting time is."""

    title: str
    measure: Callable[[Stage, Subject], Cost]
    waited: str = ""


def turn(stage: Stage, subject: Subject) -> Cost:
    return _ingest(stage, subject, "--posters", 64, "--kind", "turn")


def outcome(stage: Stage, subject: Subject) -> Cost:
    first = data.FIRST_POST_CALL + stage.posted_calls
    return _ingest(
        *(stage, subject, "--posters", 16, "--kind", "post-call", "--size", 20_000),
        *("--first", first, "--calls", data.CALLS - first + 1),
    )


def _ingest(stage: Stage, subject: Subject, *arguments: str | float) -> Cost:
    lengths = stage.lengths
    result = stage.load(
        subject, "ingest", *arguments, "--seconds", lengths.ingest_seconds, "--warmup", lengths.warmup_seconds
    )
    if "post-call" in arguments:
        stage.posted_calls += result["sent"]
    return Cost(result["server_cpu_us"], result["database_cpu_us"], result["p99_ms"])


def delivery(stage: Stage, subject: Subject) -> Cost:
    result = stage.load(
        subject, "fanout", "--sockets", stage.lengths.sockets, "--calls", 1, "--turns", stage.lengths.fanout_turns
    )
    return Cost(result["server_cpu_us"], result["database_cpu_us"])


def spread(stage: Stage, subject: Subject) -> Cost:
    turns = round(100 * stage.lengths.latency_seconds)
    result = stage.load(
        subject, "fanout", "--sockets", 100, "--calls", 100, "--turns", turns, "--rate", 100, "--posters", 32
    )
    return Cost(result["server_cpu_us"], result["database_cpu_us"], result["p50_ms"])


def socket(stage: Stage, subject: Subject) -> Cost:
    with _tokens() as file:
        result = stage.load(subject, "coming-in", "--sockets", stage.lengths.sockets // 2, "--tokens", file)
    return Cost(result["cpu_ms"] * 1e3, result["database_cpu_ms"] * 1e3)


def crowd(stage: Stage, subject: Subject) -> Cost:
    with _tokens() as file, ThreadPoolExecutor(1) as thread:
        talk = thread.submit(stage.load, subject, *TALK)
        time.sleep(TALK_BEGINS_SECONDS)
        result = stage.load(subject, "coming-in", "--sockets", stage.lengths.sockets, "--tokens", file)
        return Cost(result["cpu_ms"] * 1e3, result["database_cpu_ms"] * 1e3, talk.result()["p99_ms"])


def page(stage: Stage, subject: Subject) -> Cost:
    headers = {"Authorization": f"Bearer {data.listener_token()}"}
    request = urllib.request.Request(f"{subject.http}/api/calls/?page_size=50", headers=headers)
    pids, postgres = [int(subject.pids)], stage.infrastructure.postgres.pid
    urllib.request.urlopen(request).read()  # the first request loads code
    used = cpu_seconds(pids), family_cpu_seconds(postgres)
    for _ in range(PAGES):
        urllib.request.urlopen(request).read()
    return Cost((cpu_seconds(pids) - used[0]) / PAGES * 1e6, (family_cpu_seconds(postgres) - used[1]) / PAGES * 1e6)


@contextmanager
def _tokens() -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".tokens") as file:
        file.write("\n".join(data.listener_tokens(USERS)))
        file.flush()
        yield file.name


UNITS = {
    "turn": Unit("a live turn, 64 posters", turn, "the answer, p99"),
    "outcome": Unit("a post-call webhook of 20 KB, 16 posters", outcome, "the answer, p99"),
    "delivery": Unit("a delivery, 1,000 sockets on one call", delivery),
    "spread": Unit("a delivery, 100 calls with a socket each", spread, "POST to receipt, p50"),
    "socket": Unit("a socket that comes in with 499 others", socket),
    "crowd": Unit("a socket that comes in with 999 others", crowd, "turns to others meanwhile, p99"),
    "page": Unit("a page of 50 calls from the API", page),
}
