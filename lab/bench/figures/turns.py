"""Live turns: how many per second, the highest delay, and the CPU per turn."""

from __future__ import annotations

from typing import Any

from lab.bench.samples import Key, Row, Target
from lab.bench.stage import Stage

FIGURE = "turns"
RIVALS_POSTERS = (1, 8, 16, 24)  # more make it hang, see lab/bench/rivals/fastapi_sqlalchemy.py
ROWS_A_STATEMENT = 64


def measure(stage: Stage) -> None:
    for subject in stage.order("FastAPI + SQLAlchemy", "callsite", "FastAPI + asyncpg", "raw inserts", "callsite ×2"):
        match subject:
            case "FastAPI + SQLAlchemy":
                _rival(stage)
            case "raw inserts":
                _limit(stage)
            case "callsite":
                for posters in (1, 16, 64, 256):
                    _run(stage, subject, posters)
            case _:
                _run(stage, subject, 64)


def _run(stage: Stage, subject: str, posters: int) -> None:
    result = _load(stage, subject, posters)
    stage.samples.add(
        FIGURE,
        f"{subject} c={posters}",
        rate=result["rate"],
        p99_ms=result["p99_ms"],
        cpu_us=result["server_cpu_us"],
        unanswered=result["errors"] + sum(result["refused"].values()),
    )


def _rival(stage: Stage) -> None:
    for posters in RIVALS_POSTERS:
        result = _load(stage, "FastAPI + SQLAlchemy", posters)
        stage.samples.best(Key(FIGURE, "FastAPI + SQLAlchemy, best c", "rate"), result["rate"])
        stage.samples.add(
            FIGURE, f"FastAPI + SQLAlchemy c={posters}", p99_ms=result["p99_ms"], cpu_us=result["server_cpu_us"]
        )


def _load(stage: Stage, subject: str, posters: int) -> dict[str, Any]:
    lengths = stage.lengths
    return stage.load(
        *(subject, "ingest", "--posters", posters),
        *("--seconds", lengths.ingest_seconds, "--warmup", lengths.warmup_seconds),
    )


def _limit(stage: Stage) -> None:
    seconds = str(min(3, stage.lengths.ingest_seconds))
    rate = float(
        stage.infrastructure.run("lab.bench.limits.inserts", seconds, str(ROWS_A_STATEMENT), database="limits")
    )
    stage.samples.add(FIGURE, "raw inserts", rate=rate)


def _key(subject: str, metric: str = "rate") -> Key:
    return Key(FIGURE, subject, metric)


_rival_cpu, _rival_p99 = _key("FastAPI + SQLAlchemy c=24", "cpu_us"), _key("FastAPI + SQLAlchemy c=24", "p99_ms")
ROWS = (
    Row(
        *("live turns, 64 posters; rival: FastAPI + SQLAlchemy at its best", "turns/s", _key("callsite c=64")),
        rival=_key("FastAPI + SQLAlchemy, best c"),
        limit=_key("raw inserts"),
        targets=(Target("least", 25, "rival"), Target("least", 0.25, "limit")),
    ),
    Row(
        *("the same; rival: FastAPI + asyncpg", "turns/s", _key("callsite c=64")),
        rival=_key("FastAPI + asyncpg c=64"),
        targets=(Target("least", 2.5, "rival"),),
    ),
    Row(
        *("live turn p99, 64 posters; rival: 24", "ms", _key("callsite c=64", "p99_ms")),
        rival=_rival_p99,
        targets=(Target("most", 1 / 8, "rival"),),
    ),
    Row(
        *("live turn p99, 256 posters; rival: 24", "ms", _key("callsite c=256", "p99_ms")),
        rival=_rival_p99,
        targets=(Target("most", 1 / 8, "rival"),),
    ),
    Row(
        *("live turns not answered 2xx, 256 posters", "turns", _key("callsite c=256", "unanswered")),
        targets=(Target("most", 0),),
        plotted=False,
    ),
    Row(
        *("server CPU a live turn, 64 posters; rival: 24", "µs", _key("callsite c=64", "cpu_us")),
        rival=_rival_cpu,
        targets=(Target("most", 1 / 20, "rival"),),
    ),
    Row(
        *("live turns by two web processes, 64 posters; rival: one", "turns/s", _key("callsite ×2 c=64")),
        rival=_key("callsite c=64"),
        targets=(Target("least", 1.3, "rival"),),
    ),
)
