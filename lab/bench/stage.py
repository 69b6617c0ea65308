"""The stage on which figures are measured: every server runs, and nothing else but the load generator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lab.bench import data
from lab.bench.samples import Samples
from lab.bench.servers import Infrastructure, Subject
from lab.stack.webserver import CHECKOUT


@dataclass(frozen=True, slots=True)
class Lengths:
    """The lengths and sizes of the full run, or of the quick one."""

    ingest_seconds: float
    warmup_seconds: float
    fanout_turns: int
    latency_seconds: float
    sockets: int
    idle_sockets: int


FULL = Lengths(5, 1, 40, 12, 1000, 2000)
QUICK = Lengths(2, 0.5, 15, 4, 1000, 1000)


class Stage:
    """The servers of one round. `order` alternates from round to round, so that no subject always comes first."""

    def __init__(self, infrastructure: Infrastructure, samples: Samples, lengths: Lengths) -> None:
        self.infrastructure, self.samples, self.lengths = infrastructure, samples, lengths
        self.subjects: dict[str, Subject] = {}
        self.posted_calls = 0
        self.faults: list[str] = []

    @contextmanager
    def servers(self) -> Iterator[None]:
        infrastructure = self.infrastructure
        data.fill(infrastructure)
        self.posted_calls = 0
        with (
            infrastructure.callsite() as one,
            infrastructure.callsite() as other,
            infrastructure.fastapi_sqlalchemy() as sqlalchemy,
            infrastructure.fastapi_asyncpg() as asyncpg,
            infrastructure.plain_channels() as channels,
            infrastructure.bare_asgi() as bare,
        ):
            self.subjects = {
                "callsite": Subject(one, by_id=False, token=data.listener_token),
                "callsite ×2": Subject(one, other, by_id=False, token=data.listener_token),
                "FastAPI + SQLAlchemy": Subject(sqlalchemy),
                "FastAPI + asyncpg": Subject(asyncpg),
                "plain Channels": Subject(channels),
                "bare ASGI loop": Subject(bare),
            }
            yield

    def order(self, *names: str) -> Iterable[str]:
        return names if self.samples.round % 2 == 0 else reversed(names)

    def load(self, subject: str | Subject, command: str, *arguments: str | float) -> dict[str, Any]:
        """Run the load generator once against a subject, and return its result."""
        server = subject if isinstance(subject, Subject) else self.subjects[subject]
        words = [command, *server.posts, *(server.listens if command == "fanout" else ())]
        if command in ("idle", "coming-in"):
            words = [command, *server.listens, "--pid", server.pids]
        words += ["--database", str(self.infrastructure.postgres.pid), *(str(argument) for argument in arguments)]
        time.sleep(0.2)  # until the previous load is finished
        done = subprocess.run(
            [sys.executable, "-m", "lab.bench.load", *words],
            cwd=CHECKOUT, env=os.environ, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"the load generator failed:\n{done.stderr[-3000:]}")
        result: dict[str, Any] = json.loads(done.stdout)
        name = subject if isinstance(subject, str) else "callsite"
        for fault in ("refused", "failed", "errors", "missing", "closed_sockets", "not_in_order"):
            if result.get(fault):
                self.faults.append(f"{name}, {command} {' '.join(map(str, arguments))}: {fault} {result[fault]}")
        return result
