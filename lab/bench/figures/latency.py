"""One call with a thousand listeners, four turns per second: how late the frames are, how long the webhook waits."""

from __future__ import annotations

from lab.bench.samples import Key, Row, Target
from lab.bench.stage import Stage

FIGURE = "latency"
TURNS_A_SECOND = 4


def measure(stage: Stage) -> None:
    lengths = stage.lengths
    turns = int(TURNS_A_SECOND * lengths.latency_seconds)
    for subject in stage.order("callsite", "bare ASGI loop", "FastAPI + SQLAlchemy"):
        result = stage.load(
            *(subject, "fanout", "--sockets", lengths.sockets, "--calls", 1),
            *("--turns", turns, "--rate", TURNS_A_SECOND, "--posters", 32),
        )
        stage.samples.add(
            FIGURE, subject, p50_ms=result["p50_ms"], p99_ms=result["p99_ms"], answer_p50_ms=result["answer_p50_ms"]
        )


ROWS = (
    Row(
        *("POST to receipt, 1,000 sockets, 4 turns/s, p99", "ms", Key(FIGURE, "callsite", "p99_ms")),
        rival=Key(FIGURE, "FastAPI + SQLAlchemy", "p99_ms"),
        limit=Key(FIGURE, "bare ASGI loop", "p99_ms"),
        targets=(Target("most", 1, "rival"), Target("most", 1.4, "limit")),
    ),
    Row(
        *("webhook's answer with 1,000 listeners, p50", "ms", Key(FIGURE, "callsite", "answer_p50_ms")),
        rival=Key(FIGURE, "FastAPI + SQLAlchemy", "answer_p50_ms"),
        targets=(Target("most", 0.1, "rival"),),
    ),
)
